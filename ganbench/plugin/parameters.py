"""Parameters of a plugin: one declaration for validation, schema, docs and search."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

__all__ = ["Annotated", "Field", "Parameters", "Search", "search_ranges"]


@dataclass(frozen=True)
class Search:
    """Marks a numeric field as tunable, in ``[low, high]``.

    Parameters
    ----------
    low, high : float
        Bounds of the range, both included.
    log : bool
        Sample the logarithm uniformly; ``low`` must then be positive.

    Raises
    ------
    ValueError
        If ``low`` is not below ``high``, or ``log`` is asked of a range that reaches 0.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"Search needs low < high, not {self.low} and {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a logarithmic Search needs low > 0, not {self.low}")


class Parameters(BaseModel):
    """Base of every plugin's parameters: frozen, unknown keys forbidden, no coercion.

    ``1`` is accepted where a float is asked for; ``"1"`` and ``true`` are not.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def describe_invalid(error: ValidationError, *owner: str) -> str:
    """Return what is wrong with some parameters, each with what was given, on one line.

    ``owner`` stands before their names, as in ``Parameters.share``.
    """
    return "; ".join(
        f"{'.'.join(map(str, (*owner, *item['loc'])))}: {item['msg']}, got {item['input']!r}"
        for item in error.errors(include_url=False)
    )


def search_ranges(parameters: type[BaseModel]) -> dict[str, Search]:
    """Return the ``Search`` annotation of each field that carries one."""
    found: dict[str, Search] = {}
    for name, field in parameters.model_fields.items():
        marks: list[Any] = [mark for mark in field.metadata if isinstance(mark, Search)]
        if marks:
            found[name] = marks[-1]
    return found
