"""What a step does, operation by operation: to tell whether two steps do the same."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

_PLAIN = (
    *(bool, int, float, complex, str, type(None)),
    *(torch.dtype, torch.device, torch.layout, torch.memory_format),
)


class Trail(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down what is computed while it is entered, and on what.

    Two trails are equal if the same operations were taken in the same order, with the same
    numbers, on the same of the tensors that were known before or that came out of them. So one
    step can serve as another's graph, whatever the tensors hold.

    Parameters
    ----------
    known : iterable of Tensor
        What a step is given and what it holds on to, in an order that two trails share.
    """

    def __init__(self, known: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._numbers = WeakTensorKeyDictionary()
        self._count = 0
        self._lines: list[object] = []
        for tensor in known:
            self._number(tensor)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trail) and self._lines == other._lines

    __hash__ = None  # type: ignore[assignment]

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        settings = dict(kwargs or {})
        line = [func, self._told(args), self._told(settings)]
        if func is torch.ops.aten.lift_fresh.default:
            line.append(_values(args[0]))  # a number of Python's that was made a tensor
        result = func(*args, **settings)
        self._lines.append((*line, self._told(result)))
        return result

    def _told(self, value: object) -> object:
        if isinstance(value, Tensor):
            return self._number(value), tuple(value.shape), value.dtype
        if isinstance(value, list | tuple):
            return tuple(map(self._told, value))
        if isinstance(value, Mapping):
            return tuple((key, self._told(item)) for key, item in value.items())
        # In words, by which 1 differs from 1.0 and NaN is like NaN. Of other objects, such as
        # random streams, a step takes the same ones.
        return repr(value) if isinstance(value, _PLAIN) else type(value).__name__

    def _number(self, tensor: Tensor) -> int:
        if tensor not in self._numbers:
            self._numbers[tensor] = self._count
            self._count += 1
        number: int = self._numbers[tensor]
        return number


def _values(tensor: Tensor) -> tuple[object, ...]:
    """Return what a tensor holds, in words for the same reason."""
    return tuple(map(repr, tensor.detach().flatten().tolist()))
