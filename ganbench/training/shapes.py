"""Operations whose result has a shape that depends on values, which no graph can hold."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

_MASKS = (torch.bool, torch.uint8)
_SELECTING = frozenset({"index", "masked_select", "nonzero"})


def shape_by_values(func: Any, args: Sequence[Any], settings: Mapping[str, Any]) -> str | None:
    """Say what an operation does whose result's shape depends on values; None of any other.

    Not what only writes where a mask says, such as ``x[mask] = 0``: that keeps its shape.

    Parameters
    ----------
    func : OpOverload
        Of PyTorch's, as a dispatch mode meets it.
    args, settings : sequence, mapping
        What it is called with.

    Returns
    -------
    str or None
        What a step does that calls it: a verb with its object, such as "selects with a mask".
    """
    if torch.Tag.dynamic_output_shape not in func.tags:
        return None
    name = func._schema.name.partition("::")[2]
    if name == "index" and not any(isinstance(i, Tensor) and i.dtype in _MASKS for i in args[1]):
        return None
    if settings.get("output_size") is not None:
        return None  # repeat_interleave, told how much will come out
    return "selects with a mask" if name in _SELECTING else f"calls {name.strip('_012')}"
