"""A field of a model in plain words: what it takes, its type, its range."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ganbench.config.problems import Path, quote
from ganbench.config.text import number, scalar

_SINGLE = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def wanted(field: FieldInfo) -> str:
    """Return what a field takes: ``a number above 0 and at most 10``."""
    text = _wanted(field.annotation, field.metadata)
    if any(getattr(mark, "pattern", None) for mark in field.metadata) and field.description:
        return f"text: {field.description.partition(';')[0]}"
    return text


def type_name(field: FieldInfo) -> str:
    """Return a field's type as a table shows it: ``float``, ``both | none``."""
    return _type_name(field.annotation)


def interval(field: FieldInfo) -> str:
    """Return a field's range in brackets, ``(0.5, 1]``, or nothing."""
    low, high = _bounds(list(_marks(field.annotation, field.metadata)))
    if low is None and high is None:
        return ""
    left = "(-∞" if low is None else f"{'(' if low[1] else '['}{number(low[0])}"
    right = "∞)" if high is None else f"{number(high[0])}{')' if high[1] else ']'}"
    return f"{left}, {right}"


def _wanted(annotation: Any, metadata: list[Any]) -> str:
    members = list(_marked(annotation, metadata))
    choices = choices_of(annotation)
    if choices:
        rest = [_wanted(m, own) for m, own in members if get_origin(m) is not Literal]
        shown = ", ".join(repr(c) if isinstance(c, str) else quote(c) for c in choices)
        return " or ".join([f"one of {shown}" if len(choices) > 1 else shown, *rest])
    if len(members) > 1:
        return " or ".join(dict.fromkeys(_wanted(member, own) for member, own in members))
    ((kind, marks),) = members
    if kind in _SINGLE:
        return _SINGLE[kind] + (_range(marks, kind) if kind in (int, float) else _pattern(marks))
    if kind is type(None):
        return "null"
    origin = get_origin(kind) or kind
    if origin in (list, tuple, set, frozenset):
        return "a list"
    if origin is dict or (isinstance(origin, type) and issubclass(origin, BaseModel)):
        return "a mapping (`key: value`)"
    return "text" if isinstance(origin, type) else "another value"


def _marked(annotation: Any, metadata: list[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Give the members of an annotation, each with what is said of it."""
    if get_origin(annotation) is Annotated:
        yield from _marked(annotation.__origin__, [*metadata, *annotation.__metadata__])
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _marked(member, metadata)
    else:
        yield annotation, metadata


def _range(metadata: list[Any], annotation: Any) -> str:
    low, high = _bounds(list(_marks(annotation, metadata)))
    if low and high and not low[1] and not high[1]:
        return f" from {number(low[0])} to {number(high[0])}"
    parts = []
    if low:
        parts.append(f"{'above' if low[1] else 'at least'} {number(low[0])}")
    if high:
        parts.append(f"{'below' if high[1] else 'at most'} {number(high[0])}")
    return f" {' and '.join(parts)}" if parts else ""


def _pattern(metadata: list[Any]) -> str:
    for mark in metadata:
        pattern = getattr(mark, "pattern", None)
        if pattern is not None:
            return f" that matches {pattern}"
        if getattr(mark, "min_length", None):
            return ", not empty"
    return ""


def _marks(annotation: Any, metadata: list[Any]) -> Iterator[Any]:
    yield from metadata
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
        yield from _marks(annotation.__origin__, [])
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _marks(member, [])


def _bounds(
    marks: list[Any],
) -> tuple[tuple[float, bool] | None, tuple[float, bool] | None]:
    """Return the lower and upper bound, each with whether it is itself excluded."""
    low: tuple[float, bool] | None = None
    high: tuple[float, bool] | None = None
    inner = [part for mark in marks for part in getattr(mark, "metadata", [])]
    for mark in [*marks, *inner]:
        if isinstance(mark, Ge | Gt):
            low = (mark.ge, False) if isinstance(mark, Ge) else (mark.gt, True)  # type: ignore[assignment]
        elif isinstance(mark, Le | Lt):
            high = (mark.le, False) if isinstance(mark, Le) else (mark.lt, True)  # type: ignore[assignment]
    return low, high


def _members(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Annotated:
        yield from _members(annotation.__origin__)
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation


def choices_of(annotation: Any) -> list[Any]:
    """Return the values that the literals of an annotation allow."""
    return [
        choice
        for member in _members(annotation)
        if get_origin(member) is Literal
        for choice in get_args(member)
    ]


def _type_name(annotation: Any) -> str:
    names: list[str] = []
    for member in _members(annotation):
        if get_origin(member) is Literal:
            names.extend(scalar(choice) for choice in get_args(member))
        elif member is type(None):
            names.append("null")
        else:
            origin = get_origin(member)
            names.append(
                getattr(member, "__name__", str(member)) if origin is None else str(member)
            )
    return " | ".join(names)


def field_at(model: Any, path: Path) -> FieldInfo | None:
    """Return the field at a path through nested models, lists and mappings."""
    field: FieldInfo | None = None
    for part in path:
        owner = model_in(model)
        if owner is not None and isinstance(part, str) and part in owner.model_fields:
            field = owner.model_fields[part]
            model = field.annotation
        elif isinstance(part, int) and (inner := _item_of(model)) is not None:
            field = FieldInfo.from_annotation(inner)
            model = inner
        else:
            return None
    return field


def _item_of(annotation: Any) -> Any:
    for member in _members(annotation):
        if get_origin(member) in (list, tuple, set, frozenset):
            return get_args(member)[0]
    return None


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model that an annotation is, or has among its members."""
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            return member
    return None
