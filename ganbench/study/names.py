"""Short readable names for the arms of a design."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ganbench.config.cells import defaults_of
from ganbench.config.levels import FactorKeyError, level_of, locate
from ganbench.config.setting import OFF, Setting
from ganbench.config.text import flow, scalar
from ganbench.plugin import Host

_LONGEST = 80


def arm_names(cells: Sequence[Mapping[str, Any]], setting: Setting, host: Host) -> list[str]:
    """Return a unique name for each cell.

    A name says what differs from the baseline: ``instance_noise off``,
    ``batch_norm placement=none``, ``generator lr=0.001``, ``architecture=mlp``, and of several
    ``label_smoothing + ema``. Where two would be alike, all parameters are written out; failing
    that, they are numbered.

    Parameters
    ----------
    cells : sequence of mapping
        Factor to resolved level.
    setting : dict
        The resolved baseline.
    """
    return _distinct(
        [_name(cell, setting, host, full=False) for cell in cells],
        [_name(cell, setting, host, full=True) for cell in cells],
    )


def combined_names(
    cells: Sequence[Mapping[str, int]],
    factors: Mapping[str, Sequence[Any]],
    setting: Setting,
    host: Host,
) -> list[str]:
    """Return a unique name for each combination of factors' levels.

    Parameters
    ----------
    cells : sequence of mapping
        Factor to the place of its level, of those that are not at their first.
    factors : mapping of str to list
        Resolved levels.
    setting : dict
        The resolved baseline.

    Returns
    -------
    list of str
        As of ``arm_names``, but that a trick with only one level besides off needs no
        parameters, and that of many factors with two levels the few that are left out are
        named: ``all but ema``.
    """
    single = all(len(levels) == 2 for levels in factors.values())
    parts = {key: level_names(key, levels, setting, host) for key, levels in factors.items()}
    short = []
    for cell in cells:
        named = [parts[key][place] for key, place in cell.items()]
        absent = [parts[key][1] for key in factors if key not in cell]
        if single and len(named) >= _MANY and len(absent) < len(named):
            short.append(f"all but {', '.join(absent)}" if absent else "all together")
        else:
            short.append(" + ".join(named))
    return _distinct(short, short)


def level_names(key: str, levels: Sequence[Any], setting: Setting, host: Host) -> list[str]:
    """Return what each level of a factor is called in the name of an arm."""
    short = [_part(key, level, setting, host, full=False) for level in levels]
    long = [_part(key, level, setting, host, full=True) for level in levels]
    is_trick = locate(key, setting, host)[0] == "tricks" and "." not in key
    if is_trick and len(levels) == 2 and levels[0] == OFF:
        return [short[0], key]
    return [
        name if short.count(name) == 1 else other for name, other in zip(short, long, strict=True)
    ]


_MANY = 3
"""From so many changes on, those that are absent may be fewer to name."""


def _distinct(short: Sequence[str], long: Sequence[str]) -> list[str]:
    """Return the short names that are unique, the long ones of the rest, numbered if need be."""
    names: list[str] = []
    for index, name in enumerate(short):
        chosen = name if short.count(name) == 1 else long[index]
        chosen = chosen if len(chosen) <= _LONGEST else chosen[: _LONGEST - 1] + "…"
        unique, count = chosen, 2
        while unique in names or unique == "baseline":
            unique, count = f"{chosen[: _LONGEST - 5]} ({count})", count + 1
        names.append(unique)
    return names


def _name(cell: Mapping[str, Any], setting: Setting, host: Host, full: bool) -> str:
    return " + ".join(_part(key, level, setting, host, full) for key, level in cell.items())


def _part(key: str, level: Any, setting: Setting, host: Host, full: bool) -> str:
    try:
        path = locate(key, setting, host)
    except FactorKeyError:  # Another network's parameter, in an arm that brings that network.
        return f"{key}={flow(level)}"
    if path[0] == "tricks":
        head, level = str(path[1]), {str(path[2]): level} if len(path) == 3 else level
        if level == OFF:
            return f"{head} off"
        usual = setting["tricks"].get(head) or defaults_of("trick", head, host)
        return " ".join([head, *_pairs(level, {} if full else usual)])
    if path[0] in ("architecture", "objective") and len(path) == 1:
        return _component(key, level, setting[key], host, full)
    if isinstance(level, dict):
        usual = {} if full else level_of(setting, path)
        return " ".join([key if full else str(path[-1]), *_pairs(level, usual)])
    parents = [] if full else [str(part) for part in path[:-1] if part != "optimizers"][-1:]
    return f"{key}={flow(level)}" if full else " ".join([*parents, f"{path[-1]}={flow(level)}"])


def _component(key: str, level: Any, ours: Any, host: Host, full: bool) -> str:
    parameters = {name: value for name, value in level.items() if name != "name"}
    usual = ours if level["name"] == ours["name"] else defaults_of(key, level["name"], host)  # type: ignore[arg-type]
    return " ".join([f"{key}={scalar(level['name'])}", *_pairs(parameters, {} if full else usual)])


def _pairs(level: Mapping[str, Any], usual: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in level.items():
        if isinstance(value, dict) and isinstance(usual.get(key), dict):
            yield from _pairs(value, usual[key], f"{prefix}{key}.")
        elif key not in usual or usual[key] != value:
            yield f"{prefix}{key}={flow(value)}"
