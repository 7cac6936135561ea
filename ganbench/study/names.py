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
    ``batch_norm placement=none``, ``generator lr=0.001``, ``architecture=mlp``. Where two
    would be alike, all parameters are written out; failing that, they are numbered.

    Parameters
    ----------
    cells : sequence of mapping
        Factor to resolved level.
    setting : dict
        The resolved baseline.
    """
    short = [_name(cell, setting, host, full=False) for cell in cells]
    long = [_name(cell, setting, host, full=True) for cell in cells]
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
    return ", ".join(_part(key, level, setting, host, full) for key, level in cell.items())


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
