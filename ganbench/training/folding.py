"""BatchNorm for several trials at once: their channels side by side, as those of one batch.

Each channel has statistics of its own, so K trials of C channels are one batch of K·C. PyTorch's
own batching rule does the same with weights of its own making, in the type of the images; in
bfloat16, where a layer's weights are float32, its operators refuse such.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_unflatten

from ganbench.training.capture import STATISTICS

FOLDED = frozenset(
    f"aten::{name}{end}"
    for name in ("native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm")
    for end in ("", "_backward")
) | {"aten::_native_batch_norm_legit", "aten::_native_batch_norm_legit_no_training"}
"""The operators that this is for: of batches (batch, channels, ...), and a number a channel."""
_SCRATCH = torch.uint8
"""The type of what cuDNN's forward pass leaves for the backward one, of all channels at once."""


def folded(function: Any, values: list[Any], stacks: list[bool], structure: Any) -> tuple[Any, ...]:
    """Call one of ``FOLDED`` over stacks.

    Parameters
    ----------
    function : OpOverload
    values : list
        The leaves of its arguments, tensors with the trials first where ``stacks`` says so.
    stacks : list of bool
    structure : TreeSpec
        Of args and kwargs.

    Returns
    -------
    tuple of Tensor or None
        What the operator gives each trial, the trials first, in the types that it has alone.
    """
    rows = next(len(value) for value, is_stack in zip(values, stacks, strict=True) if is_stack)
    args, kwargs = tree_unflatten(values, structure)
    are_stacks, _ = tree_unflatten(stacks, structure)
    flat = [
        _fold(value, is_stack, rows, argument.name in STATISTICS)
        if isinstance(value, Tensor)
        else value
        for argument, value, is_stack in zip(
            function._schema.arguments, args, are_stacks, strict=False
        )
    ]
    return tuple(_unfold(one, rows) for one in function(*flat, **kwargs))


def _fold(value: Tensor, is_stack: bool, rows: int, in_place: bool) -> Tensor:
    """Return a tensor of all trials: (batch, rows * channels, ...), or (rows * channels,)."""
    if value.dtype == _SCRATCH:
        return value
    stack = value if is_stack else value.expand(rows, *value.shape)
    if stack.ndim > 2:
        return stack.movedim(0, 1).flatten(1, 2)
    # What is written to must not be a copy; one that all share is only read: see ``written``.
    return stack.view(-1) if in_place and is_stack else stack.flatten()


def _unfold(value: Tensor | None, rows: int) -> Tensor | None:
    """Return a result with the trials first."""
    if value is None or value.dtype == _SCRATCH:
        return value
    place = min(value.ndim - 1, 1)
    before, after = value.shape[:place], value.shape[place + 1 :]
    channels = value.shape[place] // rows  # of statistics that were not taken: none
    return value.view(*before, rows, channels, *after).movedim(place, 0)
