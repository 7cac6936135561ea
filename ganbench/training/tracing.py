"""Who did what, in which order: a record of every call of a hook, for authors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganbench.plugin import Buffers, LatentSpec, TrainingSpec


@dataclass(frozen=True)
class Call:
    """One call of a plugin's method.

    Attributes
    ----------
    plugin, hook : str
    half : str or None
        Whose half of the step it served, ``"discriminator"`` or ``"generator"``; with
        ``" (asked besides)"`` behind it where a trick asked D once more.
    given, returned : str
        In a few words.
    """

    plugin: str
    hook: str
    half: str | None
    given: str
    returned: str


_record: ContextVar[Callable[[Call], None] | None] = ContextVar("record", default=None)


@contextmanager
def traced(record: Callable[[Call], None]) -> Iterator[None]:
    """Hand every call of a hook inside to ``record``: builds, first steps, evaluations."""
    token = _record.set(record)
    try:
        yield
    finally:
        _record.reset(token)


def is_traced() -> bool:
    """Say whether calls are recorded at present."""
    return _record.get() is not None


def note(plugin: str, hook: str, arguments: Sequence[Any], result: Any) -> None:
    """Record a call, if anyone wants to know."""
    record = _record.get()
    if record is not None:
        shown = [text for text in map(_describe, arguments) if text]
        returned = _skipped(result) if hook == "skip" else _returned(arguments, result)
        record(Call(plugin, hook, _half(arguments), ", ".join(shown), returned))


def _half(arguments: Sequence[Any]) -> str | None:
    for value in arguments:
        if isinstance(value, Buffers) and value.half is not None:
            return f"{value.half} (asked besides)" if value.extra else value.half
    return None


def _skipped(result: Any) -> str:
    """Return what ``skip`` said; it may give a reason, for another case, where it applies."""
    if not (isinstance(result, tuple) and len(result) == 2):
        return _describe(result) or "nothing"
    skipped, reason = result
    return f"does not apply: {reason}" if skipped else "applies"


def _returned(arguments: Sequence[Any], result: Any) -> str:
    text = _describe(result) or "nothing"
    before = next((value for value in arguments if isinstance(value, type(result))), None)
    if isinstance(result, Tensor) and isinstance(before, Tensor) and before.shape == result.shape:
        same = result is before or torch.equal(result, before)
        return f"{text}, {'unchanged' if same else 'changed'}"
    if isinstance(result, nn.Module):
        return f"{text}, {'itself' if result is before else 'another'}"
    if isinstance(result, TrainingSpec):
        return "unchanged" if result == before else "changed"
    return text


def _describe(value: Any) -> str:
    """Return a few words on an argument or a result; nothing of those that say nothing."""
    if isinstance(value, bool):
        return "real" if value else "fake"
    if isinstance(value, Tensor):
        # Scalars are losses and gates: worth their value, at the price of a wait.
        return f"{value.item():.4g}" if value.ndim == 0 else f"{tuple(value.shape)}"
    if isinstance(value, int | float | str):
        return str(value)
    if isinstance(value, LatentSpec):
        return f"latent of {value.dimension}"
    if isinstance(value, nn.Module | TrainingSpec):
        return type(value).__name__
    if isinstance(value, Buffers) or value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], bool):
        return f"{value[0]} {value[1]}".strip()
    if isinstance(value, Sequence):
        kinds = {type(item).__name__ for item in value}
        words = all(isinstance(item, str) for item in value)
        return ", ".join(value) if words else f"{len(value)} × {' or '.join(sorted(kinds))}"
    return ""
