"""Plain values validated against a model, and what is wrong with them in plain words."""

from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, to_json

from ganbench.config.fields import choices_of, field_at, model_in, wanted
from ganbench.config.model import Baseline, Component, Study
from ganbench.config.problems import SLIP, Path, Problem, closest, elsewhere, quote, suggest
from ganbench.config.text import number

ModelT = TypeVar("ModelT", bound=BaseModel)


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
        hint = f", did you mean {near!r}?" if near else suggest(None, known)
        # A plugin's keys are known to nobody else.
        if model in (Study, Baseline) and closest(str(path[-1]), known, SLIP) is None:
            hint = elsewhere(str(path[-1]), _study_paths()) or hint
        return Problem(path, f"unknown key{hint}", at_key=True)
    field = field_at(model, path)
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
    choices = [choice for choice in choices_of(field.annotation) if isinstance(choice, str)]
    if choices:
        hint = suggest(value, choices)
        return hint if "did you mean" in hint else ""
    if "number" in expected:
        try:
            parsed = float(value.replace(",", "").replace("_", ""))
        except ValueError:
            return ""
        whole = "whole" in expected and parsed.is_integer()
        return f", did you mean {number(int(parsed) if whole else parsed)} (a number)?"
    return ""


@cache
def _study_paths() -> tuple[str, ...]:
    """Return the dotted keys of a study that are no plugin's and not in a list."""
    return tuple(_paths(Study, ""))


def _paths(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield prefix + name
        owner = model_in(field.annotation)
        is_list = get_origin(field.annotation) in (list, tuple)
        if owner is not None and owner is not Component and not is_list:
            yield from _paths(owner, f"{prefix}{name}.")


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    if not path:
        return list(model.model_fields)
    field = field_at(model, path)
    owner = model_in(field.annotation) if field else None
    return list(owner.model_fields) if owner else []


def _value_at(values: Any, path: Path) -> Any:
    for part in path:
        values = values[part]
    return values
