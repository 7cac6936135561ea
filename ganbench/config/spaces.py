"""What a search or a tuning stage varies, checked: names, ranges, seeds, and what fits together."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from ganbench.config.cells import defaults_of
from ganbench.config.levels import FactorKeyError, apply_levels, locate, resolve_cell
from ganbench.config.model import Searching, Strict
from ganbench.config.problems import Path, Problem, quote
from ganbench.config.setting import OFF, Setting
from ganbench.config.words import validate
from ganbench.plugin import Host
from ganbench.plugin.parameters import Search, search_ranges

AUTO = "auto"
"""What asks for a plugin's own ranges."""
SEARCH_KEYS = (*Searching.model_fields, "trials", "objectives")
"""The keys of a design that only ``kind: search`` has."""


class Range(Strict):
    """The numbers from ``low`` to ``high``, both included."""

    low: int | float = Field()
    """The lowest."""
    high: int | float = Field()
    """The highest."""
    log: bool = False
    """Draw the logarithm evenly."""


def check_search(
    given: Mapping[str, Any], setting: Setting, host: Host, factors: Any
) -> tuple[dict[str, Any], list[Problem]]:
    """Validate what ``kind: search`` has besides; return its resolved space and the problems."""
    at: Path = ("design",)
    space, problems = check_space(given.get("space"), setting, host, (*at, "space"))
    if given.get("trials") is None:
        text = "is missing: expected how many configurations the search may try"
        problems.append(Problem((*at, "trials"), text))
    if factors:
        text = "has no part in `kind: search`, which varies what `space` names; remove it"
        problems.append(Problem(("factors",), text, at_key=True))
    several = len(given.get("objectives") or ["primary"]) > 1
    if several and given.get("pruner", "none") not in ("none", None):
        text = (
            f"got {quote(given['pruner'])}, expected 'none': Optuna's pruners judge one "
            "objective, and there are two"
        )
        problems.append(Problem((*at, "pruner"), text))
    if given.get("sampler") == "nsga2" and not several:
        text = "got 'nsga2', which weighs two objectives, and there is one; expected tpe or random"
        problems.append(Problem((*at, "sampler"), text))
    return space, problems + _check_objectives(given.get("objectives"), (*at, "objectives"))


def check_tuning(
    raw: Mapping[str, Any], setting: Setting, host: Host
) -> tuple[dict[str, Any], list[Problem]]:
    """Validate the space of a tuning stage; return it resolved, and the problems."""
    given = raw["tuning"] if isinstance(raw.get("tuning"), dict) else {}
    at: Path = ("tuning", "space")
    space, problems = check_space(given.get("space"), setting, host, at)
    design = raw.get("design")
    design = design if isinstance(design, dict) else {}
    if design.get("kind") == "search":
        text = (
            "has no part beside `kind: search`, which tunes its arm itself: put these "
            "hyperparameters into design.space"
        )
        problems.append(Problem(("tuning",), text, at_key=True))
    for key in given["space"] if isinstance(given.get("space"), dict) else ():
        owner = _varied_in(key, raw, design)
        if owner is not None:
            text = (
                f"is what {owner} varies: tuned in every arm, it would be no difference between "
                "them; expected what the arms share"
            )
            problems.append(Problem((*at, key), text, at_key=True))
    return space, problems


def check_tuning_seeds(
    section: Path, given: Any, seeds: list[int], also: Mapping[int, str]
) -> list[Problem]:
    """Return what is wrong with tuning seeds.

    Parameters
    ----------
    section : tuple
        Where they stand.
    given : Any
        The list, as it stands in the file.
    seeds : list of int
        The study's.
    also : mapping of int to str
        Other seeds that are trained with, and by what.
    """
    at: Path = (*section, "seeds")
    if given is None or given == []:
        text = "is missing: expected a list of seeds that are not the study's, such as [1000, 1001]"
        return [Problem(at, text)]
    if not isinstance(given, list):
        return []  # The model's to tell.
    problems, first = [], dict[int, int]()
    taken = {**also, **dict.fromkeys(seeds, "the study")}
    for index, seed in enumerate(given):
        if not isinstance(seed, int) or isinstance(seed, bool):
            continue
        if first.setdefault(seed, index) != index:
            text = f"the seed {seed} again; expected another"
            problems.append(Problem((*at, index), text))
        elif seed in taken:
            text = (
                f"the seed {seed} is one of {taken[seed]}'s own: a verdict must not rest on what "
                "the configuration was chosen by; expected another"
            )
            problems.append(Problem((*at, index), text))
    return problems


def check_space(
    given: Any, setting: Setting, host: Host, at: Path
) -> tuple[dict[str, Any], list[Problem]]:
    """Validate the parameters of a search.

    Parameters
    ----------
    given : Any
        As it stands in the file: a name, and a list of choices, ``{low, high, log}`` or
        ``auto``.
    setting : dict
        The baseline, resolved.
    host : Host
    at : tuple
        Where it stands.

    Returns
    -------
    dict
        Choices with their defaults filled in, ranges with ``log``; ``auto`` as what it means.
    list of Problem
    """
    if given is None or given == {}:
        text = "is missing: expected what is varied, such as optimizers.generator.lr: {low: …}"
        return {}, [Problem(at, text)]
    if not isinstance(given, dict):
        text = f"wrong type, got {quote(given)}, expected a mapping: names, each with its choices"
        return {}, [Problem(at, text)]
    spelt: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in given.items():
        if value == AUTO:
            found, text = _own_ranges(key, setting, host)
            if text:
                problems.append(Problem((*at, key), text, at_key=not found))
            # What is spelt out beside it counts.
            spelt |= {
                name: item for name, item in found.items() if name == key or name not in given
            }
        else:
            spelt[key] = value
    told = {problem.path[-1] for problem in problems}
    space: dict[str, Any] = {}
    for key, value in spelt.items():
        if key in told:
            continue
        space[key], found_problems = _check_entry(key, value, spelt, setting, host, at)
        problems += found_problems
    return space, problems


def enclosing(key: str, space: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the changes under which a name of a space may exist: each choice of its owner's."""
    owner = key.rpartition(".")[0]
    choices = space.get(owner)
    if not owner or not isinstance(choices, list):
        return [{}]
    return [{owner: choice} for choice in choices]


def _check_entry(
    key: str, value: Any, space: Mapping[str, Any], setting: Setting, host: Host, at: Path
) -> tuple[Any, list[Problem]]:
    if key.split(".")[0] == "steps":
        text = "cannot be searched: trials of another length are no shorter way to the same"
        return None, [Problem((*at, key), text, at_key=True)]
    context, lost = _context(key, value, space, setting, host)
    if context is None:
        return None, [Problem((*at, key), lost, at_key=True)]
    if isinstance(value, list):
        return _check_choices(key, value, context, setting, host, at)
    if isinstance(value, dict):
        return _check_range(key, value, context, setting, host, at)
    text = f"wrong type, got {quote(value)}, expected a list of choices, {{low, high}} or auto"
    return None, [Problem((*at, key), text)]


def _context(
    key: str, value: Any, space: Mapping[str, Any], setting: Setting, host: Host
) -> tuple[dict[str, Any] | None, str]:
    """Return a choice of the owner's under which the name exists; None, and why, if none does."""
    text = ""
    probe = value[0] if isinstance(value, list) and value else 0
    for context in enclosing(key, space):
        lost = apply_levels(setting, {**context, key: probe}, host)[2]
        if key not in lost:
            return context, ""
        text = lost[key]
    return None, text


def _check_choices(
    key: str, value: list[Any], context: dict[str, Any], setting: Setting, host: Host, at: Path
) -> tuple[Any, list[Problem]]:
    choices: list[Any] = []
    problems: list[Problem] = []
    for index, choice in enumerate(value):
        place = (*at, key, index)
        cell = resolve_cell(setting, {**context, key: choice}, host, {key: place, **_at(context)})
        problems += [p for p in cell.problems if p.path[: len(place)] == place]
        if cell.problems or key not in cell.levels:
            continue
        level = cell.levels[key]
        if level in choices:
            problems.append(Problem(place, f"the same as choice {choices.index(level)}"))
        choices.append(level)
    if len(value) < 2 and not problems:
        problems.append(Problem((*at, key), f"got {len(value)} choice, expected at least two"))
    return choices, problems


def _check_range(
    key: str, value: dict[str, Any], context: dict[str, Any], setting: Setting, host: Host, at: Path
) -> tuple[Any, list[Problem]]:
    here: Path = (*at, key)
    model, problems = validate(Range, value, here)
    if model is None:
        return None, problems
    levels = []
    for end in ("low", "high"):
        place = (*here, end)
        changes = {**context, key: getattr(model, end)}
        cell = resolve_cell(setting, changes, host, {key: place, **_at(context)})
        problems += [p for p in cell.problems if p.path[: len(place)] == place]
        levels.append(cell.levels.get(key))
    if problems:
        return None, problems
    numbers = [x for x in levels if isinstance(x, int | float) and not isinstance(x, bool)]
    if len(numbers) < 2:
        text = "is no number, so it has no range; expected a list of choices"
        return None, [Problem(here, text)]
    low, high = numbers
    if not low < high:
        text = f"got {quote(low)} to {quote(high)}, expected low below high"
        return None, [Problem(here, text)]
    if model.log and low <= 0:
        text = f"got {quote(low)}, expected a number above 0 for a logarithmic range"
        return None, [Problem((*here, "low"), text)]
    return {"low": low, "high": high, "log": model.log}, []


def _own_ranges(key: str, setting: Setting, host: Host) -> tuple[dict[str, Any], str]:
    """Return what ``auto`` stands for, and what is wrong with it if anything is."""
    if key in host.names("trick"):
        ranges = search_ranges(host.find("trick", key).cls.Parameters)
        on: Any = setting["tricks"].get(key, OFF)
        if on == OFF:
            on = defaults_of("trick", key, host)
        inner = {f"{key}.{name}": _range(search) for name, search in ranges.items()}
        return {key: [OFF, on], **inner}, ""
    owner, _, name = key.rpartition(".")
    ranges = {}
    if owner in host.names("trick"):
        ranges = search_ranges(host.find("trick", owner).cls.Parameters)
    elif owner in ("architecture", "objective") and isinstance(setting.get(owner), dict):
        kind: Any = owner
        ranges = search_ranges(host.find(kind, setting[owner]["name"]).cls.Parameters)
    if name in ranges:
        return {key: _range(ranges[name])}, ""
    try:
        locate(key, setting, host)
    except FactorKeyError as error:
        return {}, str(error)
    return {key: None}, "has no range of its own, expected {low, high} or a list of choices"


def _range(search: Search) -> dict[str, Any]:
    return {"low": search.low, "high": search.high, "log": search.log}


def _at(context: Mapping[str, Any]) -> dict[str, Path]:
    return {key: (key,) for key in context}


def _varied_in(key: str, raw: Mapping[str, Any], design: Mapping[str, Any]) -> str | None:
    """Return the factor or the arm that changes what a name of the tuning space is about."""

    def about(other: str) -> bool:
        return key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.")

    for factor in raw.get("factors") or {}:
        if about(str(factor)):
            return f"the factor {factor}"
    arms = design.get("arms")
    for arm in arms if isinstance(arms, list) else ():
        changes = arm.get("set") if isinstance(arm, dict) else None
        for name in changes if isinstance(changes, dict) else ():
            if about(str(name)):
                return f"the arm {arm.get('name')}"
    return None


def _check_objectives(given: Any, at: Path) -> list[Problem]:
    if not isinstance(given, list):
        return []
    if len(given) in (1, 2) and given[0] == "primary" and given[1:] != ["primary"]:
        return []
    text = (
        f"got {quote(given)}, expected [primary], or [primary, collapse] or "
        "[primary, seconds_per_step]"
    )
    return [Problem(at, text)]
