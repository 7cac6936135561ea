"""Undoing an update on the device, where a trick's gate denies it."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

KNOWN = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.RMSprop)
"""Optimizers whose state begins at zero, in tensors: what is undone is as if it had not been."""


class Undo:
    """What optimizers hold before a step, to be put back without asking the device.

    Parameters
    ----------
    optimizers : sequence of Optimizer
        Their parameters and the tensors of their state are copied.
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._optimizers = optimizers
        self._before = [{key: t.clone() for key, t in _tensors(o).items()} for o in optimizers]

    def unless(self, allowed: Sequence[Tensor]) -> None:
        """Put everything back if one of ``allowed``, 0-d bool tensors, is False.

        State that the step was the first to make goes to zero, as if it had just been made.
        """
        keep = torch.stack([gate.reshape(()).bool() for gate in allowed]).all()
        with torch.no_grad():
            for optimizer, before in zip(self._optimizers, self._before, strict=True):
                for key, tensor in _tensors(optimizer).items():
                    old = before.get(key)
                    old = torch.zeros_like(tensor) if old is None else old
                    tensor.copy_(torch.where(keep.to(tensor.device), tensor, old))


def _tensors(optimizer: Optimizer) -> dict[tuple[int, str], Tensor]:
    """Return an optimizer's parameters and state tensors, by the parameter's position."""
    found: dict[tuple[int, str], Tensor] = {}
    params = [param for group in optimizer.param_groups for param in group["params"]]
    for index, param in enumerate(params):
        found[index, ""] = param
        for name, value in optimizer.state.get(param, {}).items():
            if isinstance(value, Tensor):
                found[index, name] = value
    return found
