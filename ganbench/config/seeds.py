"""A study's seeds, checked: a count, a list, or a range to be filled as far as it takes."""

from collections.abc import Mapping
from typing import Any

from ganbench.config.model import MAX_SEED, MAX_SEEDS, SeedRange
from ganbench.config.problems import Path, Problem, quote
from ganbench.config.words import validate

AT: Path = ("seeds",)


def check_seeds(value: Any) -> tuple[Any, list[Problem]]:
    """Validate a study's seeds.

    Returns
    -------
    list of int, or dict
        The seeds, or a range's ``min``, ``max`` and ``step``.
    list of Problem
    """
    if isinstance(value, dict):
        return _check_range(value)
    return _check_list(value)


def seeds_among(resolved: Any) -> list[int]:
    """Return the seeds; of a range all that it may come to."""
    return list(range(resolved["max"])) if isinstance(resolved, dict) else resolved


def check_range(resolved: Any, raw: Mapping[str, Any], kind: str) -> list[Problem]:
    """Return a problem if a range of seeds is asked for where all arms need the same ones."""
    if not isinstance(resolved, dict):
        return []
    if isinstance(raw.get("tuning"), dict):
        why = "with `tuning`, whose two readings need the same seeds"
    elif kind in ("factorial", "fractional", "search"):
        why = f"with `kind: {kind}`, whose arms all need the same seeds"
    else:
        return []
    text = f"a range cannot be had {why}; expected a count or a list of seeds"
    return [Problem(AT, text, at_key=True)]


def _check_range(value: dict[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    found, problems = validate(SeedRange, value, AT)
    if found is None:
        return {"min": 2, "max": 2}, problems
    if found.min > found.max:
        text = f"got {found.max}, expected at least `min`, {found.min}"
        return found.model_dump(exclude_none=True), [Problem((*AT, "max"), text)]
    return found.model_dump(exclude_none=True), []


def _check_list(value: Any) -> tuple[list[int], list[Problem]]:
    expected = (
        f"a count from 1 to {MAX_SEEDS}, a list of different seeds from 0 to {MAX_SEED}, or a "
        "range such as {min: 8, max: 24}"
    )
    if isinstance(value, int) and not isinstance(value, bool):
        if 1 <= value <= MAX_SEEDS:
            return list(range(value)), []
        return [], [Problem(AT, f"out of range, got {value}, expected {expected}")]
    if not isinstance(value, list) or not value:
        return [], [Problem(AT, f"wrong type, got {quote(value)}, expected {expected}")]
    if len(value) > MAX_SEEDS:
        return [], [Problem(AT, f"got {len(value)} seeds, expected at most {MAX_SEEDS}")]
    problems, first = [], dict[int, int]()
    for index, seed in enumerate(value):
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= MAX_SEED:
            text = f"got {quote(seed)}, expected a whole number from 0 to {MAX_SEED}"
            problems.append(Problem((*AT, index), text))
        elif first.setdefault(seed, index) != index:
            text = f"the seed {seed} again, the same as seeds.{first[seed]}; expected another"
            problems.append(Problem((*AT, index), text))
    return value, problems
