"""A field of a model in plain words: what it takes, and what is wrong with a value."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, to_json

from ganbench.config.problems import Path, Problem, closest, quote, suggest
from ganbench.config.text import number

ModelT = TypeVar("ModelT", bound=BaseModel)

_SINGLE = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def validate(
    model: type[ModelT], values: Any, at: Path = ()
) -> tuple[ModelT | None, list[Problem]]:
    """Validate plain values, as they stand in a file.

    Returns
    -------
    model or None
        None if something is wrong.
    list of Problem
        In plain words, with paths that begin with ``at``.
    """
    try:
        # Through JSON: a list in YAML is then as good as a tuple, and text as a path.
        return model.model_validate_json(to_json(values)), []
    except ValidationError as error:
        return None, _problems(model, values, error, at)


def wanted(field: FieldInfo) -> str:
    """Return what a field takes: ``a number above 0 and at most 10``."""
    text = _wanted(field.annotation, field.metadata)
    if any(getattr(mark, "pattern", None) for mark in field.metadata) and field.description:
        return f"text: {field.description.partition(';')[0]}"
    return text


def type_name(field: FieldInfo) -> str:
    """Return a field's type as a table shows it: ``float``, ``"both" | "none"``."""
    return _type_name(field.annotation)


def interval(field: FieldInfo) -> str:
    """Return a field's range in brackets, ``(0.5, 1]``, or nothing."""
    low, high = _bounds(list(_marks(field.annotation, field.metadata)))
    if low is None and high is None:
        return ""
    left = "(-∞" if low is None else f"{'(' if low[1] else '['}{number(low[0])}"
    right = "∞)" if high is None else f"{number(high[0])}{')' if high[1] else ']'}"
    return f"{left}, {right}"


def _problems(
    model: type[BaseModel], values: Any, error: ValidationError, at: Path
) -> list[Problem]:
    found: dict[Path, Problem] = {}
    for details in error.errors(include_url=False):
        path = _within(values, details["loc"], details["type"])
        found.setdefault(path, _translate(model, path, details, values))
    return [
        Problem((*at, *problem.path), problem.text, problem.at_key) for problem in found.values()
    ]


def _within(values: Any, loc: tuple[int | str, ...], kind: str) -> Path:
    """Return ``loc`` without the tags that pydantic adds for members of a union."""
    path: list[int | str] = []
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(values, dict) and (part in values or (kind == "missing" and last)):
            values = values.get(part)
        elif isinstance(values, list | tuple) and isinstance(part, int) and part < len(values):
            values = values[part]
        else:
            continue
        path.append(part)
    return tuple(path)


def _translate(model: type[BaseModel], path: Path, details: ErrorDetails, values: Any) -> Problem:
    kind = details["type"]
    if kind == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        given = _value_at(values, path[:-1])
        absent = [key for key in known if not isinstance(given, dict) or key not in given]
        near = closest(str(path[-1]), absent) or closest(str(path[-1]), known)
        hint = f", did you mean {near!r}?" if near else suggest(None, absent or known)
        return Problem(path, f"unknown key{hint}", at_key=True)
    field = _field_at(model, path)
    if kind == "missing":
        expected = f", expected {wanted(field)}" if field else ""
        return Problem(path, f"is missing{expected}")
    value = details["input"]
    if kind in ("value_error", "assertion_error"):
        reason = str(details.get("ctx", {}).get("error", details["msg"]))
        return Problem(path, f"{reason}, got {quote(value)}")
    expected = wanted(field) if field else details["msg"].removeprefix("Input should be ")
    what = _what(kind)
    return Problem(
        path,
        f"{what}, got {_typed(value, what)}, expected {expected}{_nearest(value, field, expected)}",
    )


def _what(kind: str) -> str:
    if kind.startswith(("greater_than", "less_than")):
        return "out of range"
    if kind in ("finite_number", "int_parsing_size"):
        return "not a finite number"
    if kind in ("literal_error", "enum"):
        return "unknown choice"
    if kind.endswith("_type") or kind.startswith(("int_", "float_", "bool_", "model_", "is_")):
        return "wrong type"
    return "not valid"


def _typed(value: Any, kind: str) -> str:
    """Quote a value and say its type where that is what is wrong with it."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, str):
        return f"{quote(value)} (text)" if kind == "wrong type" else quote(value)
    if isinstance(value, dict):
        return f"{quote(value)} (a mapping)"
    return f"{quote(value)} (a list)" if isinstance(value, list | tuple) else quote(value)


def _nearest(value: Any, field: FieldInfo | None, expected: str) -> str:
    if field is None or not isinstance(value, str):
        return ""
    if "true or false" in expected:
        meant = {"on": "true", "yes": "true", "off": "false", "no": "false"}.get(value.lower())
        return f", did you mean {meant}?" if meant else ""
    choices = [choice for choice in _choices(field.annotation) if isinstance(choice, str)]
    if choices:
        hint = suggest(value, choices)
        return hint if "did you mean" in hint else ""
    if "number" in expected:
        try:
            meant = float(value.replace(",", "").replace("_", ""))
        except ValueError:
            return ""
        whole = "whole" in expected and meant.is_integer()
        return f", did you mean {number(int(meant) if whole else meant)} (a number)?"
    return ""


def _wanted(annotation: Any, metadata: list[Any]) -> str:
    members = list(_members(annotation))
    choices = _choices(annotation)
    if choices:
        rest = [_wanted(m, []) for m in members if get_origin(m) is not Literal]
        shown = ", ".join(repr(c) if isinstance(c, str) else quote(c) for c in choices)
        return " or ".join([f"one of {shown}" if len(choices) > 1 else shown, *rest])
    if len(members) > 1:
        return " or ".join(dict.fromkeys(_wanted(member, metadata) for member in members))
    kind = members[0]
    if kind in _SINGLE:
        return _SINGLE[kind] + (
            _range(metadata, annotation) if kind in (int, float) else _pattern(metadata)
        )
    if kind is type(None):
        return "null"
    origin = get_origin(kind) or kind
    if origin in (list, tuple, set, frozenset):
        return "a list"
    if origin is dict or (isinstance(origin, type) and issubclass(origin, BaseModel)):
        return "a mapping (`key: value`)"
    return "text" if isinstance(origin, type) else "another value"


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


def _choices(annotation: Any) -> list[Any]:
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
            names.extend(quote(choice) for choice in get_args(member))
        elif member is type(None):
            names.append("null")
        else:
            origin = get_origin(member)
            names.append(
                getattr(member, "__name__", str(member)) if origin is None else str(member)
            )
    return " | ".join(names)


def _field_at(model: Any, path: Path) -> FieldInfo | None:
    """Return the field at a path through nested models, lists and mappings."""
    field: FieldInfo | None = None
    for part in path:
        owner = _model_in(model)
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


def _model_in(annotation: Any) -> type[BaseModel] | None:
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, BaseModel):
            return member
    return None


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    if not path:
        return list(model.model_fields)
    field = _field_at(model, path)
    owner = _model_in(field.annotation) if field else None
    return list(owner.model_fields) if owner else []


def _value_at(values: Any, path: Path) -> Any:
    for part in path:
        values = values[part]
    return values
