"""In what two trials, or two objects, differ."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def some(names: Sequence[str], limit: int = 3) -> str:
    """Return the first names, and how many more there are."""
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")


def attributes_that_differ(one: object, other: object) -> list[str]:
    """Return the attributes of two objects of a class whose values are not alike.

    Values that cannot be told from each other, such as two objects of a class without
    equality, count as alike.
    """
    mine, theirs = vars(one), vars(other)
    return sorted(
        name
        for name in mine.keys() | theirs.keys()
        if name not in mine or name not in theirs or not _alike(mine[name], theirs[name])
    )


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    if isinstance(one, torch.Generator) and isinstance(other, torch.Generator):
        return torch.equal(one.get_state(), other.get_state())
    if isinstance(one, nn.Module) and isinstance(other, nn.Module):
        return _alike(one.state_dict(), other.state_dict())
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_alike(a, b) for a, b in zip(one, other, strict=True))
    if type(one) is not type(other) or isinstance(one, int | float | str | bytes | set):
        return bool(one == other)
    return True
