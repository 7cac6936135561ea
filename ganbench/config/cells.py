"""The cells of a design, checked: no level is wrong, and no two cells are the same."""

from typing import Any

from ganbench.config.levels import Cell, level_of, locate, resolve_cell
from ganbench.config.model import ArmSpec
from ganbench.config.problems import Path, Problem, dotted, quote
from ganbench.config.setting import OFF, Setting, clashes
from ganbench.config.text import flow
from ganbench.config.words import validate
from ganbench.plugin import Host, Kind


def check_baseline(setting: Setting, host: Host) -> list[Problem]:
    """Return a problem for each trick of the baseline that cannot take part in it."""
    return [
        Problem(("baseline", "tricks", name), text, at_key=True)
        for name, text in clashes(setting, host)
    ]


def check_factors(
    factors: Any, setting: Setting, host: Host, sound: bool
) -> tuple[dict[str, list[Any]], list[Problem]]:
    """Validate the factors.

    Parameters
    ----------
    factors : Any
        As they stand in the file.
    setting : dict
        The baseline, resolved.
    sound : bool
        Whether the baseline is right, so that levels can be compared with it.

    Returns
    -------
    dict of str to list
        Levels with their defaults filled in.
    list of Problem
    """
    if not isinstance(factors, dict):
        text = f"wrong type, got {quote(factors)}, expected a mapping: each factor and its levels"
        return {}, [Problem(("factors",), text)]
    resolved: dict[str, list[Any]] = {}
    problems: list[Problem] = []
    seen: list[tuple[Setting, Path]] = []
    for key, levels in factors.items():
        cells, found = _check_levels(key, levels, setting, host)
        if sound and not found:
            found = _compare(key, cells, setting, host, seen)
        problems.extend(found)
        resolved[key] = [cell.levels.get(key) for cell in cells]
    return resolved, problems


def check_arms(
    arms: Any, setting: Setting, host: Host, sound: bool
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Validate the explicit arms of a design, as ``check_factors`` does levels."""
    if not isinstance(arms, list):
        return [], []  # The model's to tell.
    resolved: list[dict[str, Any]] = []
    problems: list[Problem] = []
    seen: list[tuple[Setting, Path]] = [(setting, ("baseline",))]
    names: dict[str, int] = {"baseline": -1}
    for index, arm in enumerate(arms):
        at: Path = ("design", "arms", index)
        levels = arm.get("set", {}) if isinstance(arm, dict) else None
        if not isinstance(levels, dict):
            if isinstance(arm, dict):
                text = f"wrong type, got {quote(levels)}, expected a mapping: keys and levels"
                problems.append(Problem((*at, "set"), text))
            continue
        name = arm.get("name")
        if validate(ArmSpec, {"name": name})[0] is not None:
            if name in names:
                taken = "the baseline has it" if name == "baseline" else f"arm {names[name]} has it"
                problems.append(Problem((*at, "name"), f"{name!r} is taken: {taken}"))
            names.setdefault(name, index)
        places = {key: (*at, "set", key) for key in levels}
        cell = resolve_cell(setting, levels, host, places)
        problems.extend(cell.problems)
        if sound and cell.setting is not None:
            problems.extend(_repeated(cell.setting, at, seen))
        resolved.append({**arm, "set": dict(cell.levels)})
    return resolved, problems


def brief(level: Any, key: str, setting: Setting, host: Host) -> Any:
    """Return a level without the parameters that have their defaults: for a reader."""
    path = locate(key, setting, host)
    if not isinstance(level, dict) or path[0] not in ("tricks", "architecture", "objective"):
        return level
    if path[0] == "tricks":
        kind, name, start = "trick", path[1], {}
    else:
        kind, name, start = path[0], level["name"], {"name": level["name"]}
    defaults = defaults_of(kind, str(name), host)  # type: ignore[arg-type]
    rest = {k: v for k, v in level.items() if k != "name" and defaults.get(k, OFF) != v}
    return {**start, **rest} or "on"


def defaults_of(kind: Kind, name: str, host: Host) -> dict[str, Any]:
    """Return the parameters of a plugin that have a default."""
    fields = host.find(kind, name).cls.Parameters.model_fields
    model, _ = validate(host.find(kind, name).cls.Parameters, {})
    if model is not None:
        return dict(model.model_dump(mode="json"))
    return {
        key: field.get_default(call_default_factory=True, validated_data={})
        for key, field in fields.items()
        if not field.is_required()
    }


def _check_levels(
    key: str, levels: Any, setting: Setting, host: Host
) -> tuple[list[Cell], list[Problem]]:
    at: Path = ("factors", key)
    if levels is None:
        text = "removes a factor that no extended file has; expected a list of levels"
        return [], [Problem(at, text)]
    if not isinstance(levels, list):
        text = f"wrong type, got {quote(levels)}, expected a list of levels, the baseline's first"
        return [], [Problem(at, text)]
    cells = [
        resolve_cell(setting, {key: level}, host, {key: (*at, index)})
        for index, level in enumerate(levels)
    ]
    # A key that leads nowhere is told once, at the key.
    found = [problem for cell in cells for problem in cell.problems]
    lost = [problem for problem in found if problem.at_key and len(problem.path) == 3]
    if lost:
        return cells, [Problem(at, lost[0].text, at_key=True)]
    if len(levels) < 2:
        text = f"got {len(levels)} level{'' if len(levels) == 1 else 's'}, expected at least two"
        found.append(Problem(at, f"{text}: the baseline's, and one to compare"))
    return cells, found


def _compare(
    key: str, cells: list[Cell], setting: Setting, host: Host, seen: list[tuple[Setting, Path]]
) -> list[Problem]:
    problems = []
    at: Path = ("factors", key)
    path = locate(key, setting, host)
    if cells[0].setting != setting:
        ours = flow(brief(level_of(setting, path), key, setting, host))
        theirs = flow(brief(cells[0].levels[key], key, setting, host))
        where = dotted(("baseline", *path))
        off = theirs == OFF and path[0] == "tricks"
        change = f"remove {where}" if off else f"set {where} to {theirs}"
        text = (
            f"the first level must be the baseline's, got {theirs}, expected {ours}; "
            f"begin the list with {ours}, or {change}"
        )
        problems.append(Problem((*at, 0), text))
    # Where the first level is wrong there is nothing yet that another could repeat.
    right = cells[0].setting == setting
    own: list[tuple[Setting, Path]] = [(setting, (*at, 0))] if right else []
    for index, cell in enumerate(cells[1:], start=1):
        if cell.setting is not None:
            repeated = _repeated(cell.setting, (*at, index), own) or _repeated(
                cell.setting, (*at, index), seen
            )
            problems.extend(repeated)
    return problems


def _repeated(setting: Setting, at: Path, seen: list[tuple[Setting, Path]]) -> list[Problem]:
    for other, path in seen:
        if other == setting:
            return [Problem(at, f"the same as {dotted(path)}, once all defaults are filled in")]
    seen.append((setting, at))
    return []
