"""Factors and their levels: which part of the baseline a key changes, and to what."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from ganbench.config.model import OPTIMIZER_KEYS, Baseline
from ganbench.config.problems import Path, Problem, elsewhere, suggest
from ganbench.config.setting import OFF, Setting, is_on, resolve_setting
from ganbench.config.text import flow
from ganbench.plugin import Host, Kind

_COMPONENTS: tuple[Kind, ...] = ("architecture", "objective")


class FactorKeyError(ValueError):
    """A factor's key that leads nowhere; the message says what was expected."""


def locate(key: str, setting: Setting, host: Host) -> Path:
    """Return the path in a setting that a factor's key stands for.

    Parameters
    ----------
    key : str
        A trick's name, a trick's or component's parameter (``batch_norm.placement``,
        ``architecture.width``), or a dotted path into the baseline.
    setting : dict
        Decides whose parameters ``architecture.width`` is about.

    Raises
    ------
    FactorKeyError
        If there is no such thing to vary.
    """
    head, *rest = key.split(".")
    fields = _fields(key)
    if fields is not None and head != "tricks" and (head not in _COMPONENTS or not rest):
        return fields
    if key in host.names("trick"):
        return ("tricks", key)
    if len(rest) == 1 and head in _COMPONENTS:
        component = setting.get(head)
        name = component.get("name") if isinstance(component, dict) else None
        if rest[0] == "name":
            raise FactorKeyError(f"vary the {head} by the key {head!r} itself")
        if name not in host.names(_kind(head)):
            return (head, rest[0])  # A wrong plugin is told where it is named.
        known = host.find(_kind(head), name).cls.Parameters.model_fields
        if rest[0] in known:
            return (head, rest[0])
        raise FactorKeyError(f"{name} has no parameter {rest[0]!r}{suggest(rest[0], known)}")
    if len(rest) == 1 and head in host.names("trick"):
        known = host.find("trick", head).cls.Parameters.model_fields
        if rest[0] not in known:
            raise FactorKeyError(f"{head} has no parameter {rest[0]!r}{suggest(rest[0], known)}")
        if head not in setting["tricks"]:
            text = f"{head} is off in the baseline; vary {head!r} as a whole, or put it in"
            raise FactorKeyError(f"{text} baseline.tricks")
        return ("tricks", head, rest[0])
    raise FactorKeyError(_unknown(key, setting, host))


def apply_levels(
    setting: Setting, changes: Mapping[str, Any], host: Host
) -> tuple[Setting, dict[str, Path], dict[str, str]]:
    """Change some levels of a setting, without validating them.

    A level replaces what stands there whole; what it leaves out takes its default. A
    shorter key is applied first, so that ``{architecture: mlp, architecture.hidden: 64}``
    reads as it should.

    Returns
    -------
    dict
        The changed copy.
    dict of str to tuple
        Where each key leads.
    dict of str to str
        The keys that lead nowhere, each with what was expected.
    """
    changed = deepcopy(setting)
    paths: dict[str, Path] = {}
    lost: dict[str, str] = {}
    for key in sorted(changes, key=lambda key: (key.count("."), not key.endswith(".name"))):
        try:
            path = locate(key, changed, host)
            _assign(changed, path, deepcopy(changes[key]))
        except FactorKeyError as error:
            lost[key] = str(error)
        else:
            paths[key] = path
    return changed, paths, lost


def level_of(setting: Setting, path: Path) -> Any:
    """Return the level that a resolved setting has at a located path."""
    if path[0] == "tricks" and len(path) == 2:
        return setting["tricks"].get(path[1], OFF)
    value: Any = setting
    for part in path:
        value = value[part]
    return value


@dataclass(frozen=True)
class Cell:
    """The baseline with some levels changed.

    Attributes
    ----------
    setting : dict or None
        None if a level is wrong.
    levels : mapping of str to Any
        The levels with their defaults filled in.
    problems : tuple of Problem
    """

    setting: Setting | None
    levels: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()


def resolve_cell(
    setting: Setting, changes: Mapping[str, Any], host: Host, places: Mapping[str, Path]
) -> Cell:
    """Apply and validate levels.

    Parameters
    ----------
    setting : dict
        A resolved baseline; what is wrong with it is not told again here.
    changes : mapping of str to Any
        Key to level.
    places : mapping of str to tuple
        Where each level stands in the study, for the problems' paths.
    """
    changed, paths, lost = apply_levels(setting, changes, host)
    if lost:
        problems = [Problem(places[key], text, at_key=True) for key, text in lost.items()]
        return Cell(None, {}, tuple(problems))
    resolved, found = resolve_setting(changed, host)
    known = resolve_setting(setting, host)[1]
    problems = [_placed(problem, paths, places) for problem in found if problem not in known]
    if problems:
        return Cell(None, {}, tuple(problems))
    try:
        return Cell(resolved, {key: level_of(resolved, path) for key, path in paths.items()})
    except KeyError:
        return Cell(None, {})  # The baseline's own plugin is wrong, which has been told.


def field_paths(model: type[BaseModel] = Baseline, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys of the baseline that are no plugin's, each with its field."""
    for name, field in model.model_fields.items():
        if name in (*_COMPONENTS, "tricks"):
            continue
        yield prefix + name, field
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from field_paths(field.annotation, f"{prefix}{name}.")


def _fields(key: str) -> Path | None:
    if key in _COMPONENTS or any(key == path for path, _ in field_paths()):
        return tuple(key.split("."))
    return None


def _kind(head: str) -> Kind:
    return "architecture" if head == "architecture" else "objective"


def _assign(setting: Setting, path: Path, level: Any) -> None:
    owner: Any = setting
    for part in path[:-1]:
        owner[part] = {} if is_on(owner.get(part)) else owner.get(part)
        owner = owner[part]
        if not isinstance(owner, dict):
            raise FactorKeyError(f"cannot be set: {part} is {flow(owner)} here")
    is_bare = len(path) == 1 and path[0] in _COMPONENTS and isinstance(level, str)
    owner[path[-1]] = {"name": level} if is_bare else level
    if path[0] == "optimizers" and path[-1] == "name" and isinstance(level, str):
        # What only the former kind uses cannot come along.
        keep = OPTIMIZER_KEYS.get(level, frozenset(owner)) | {"name"}
        for key in set(owner) - keep:
            del owner[key]


def _placed(problem: Problem, paths: Mapping[str, Path], places: Mapping[str, Path]) -> Problem:
    for key in sorted(paths, key=lambda key: -len(paths[key])):
        path = paths[key]
        if problem.path[: len(path)] == path:
            rest = problem.path[len(path) :]
            return Problem((*places[key], *rest), problem.text, problem.at_key)
    return Problem(places[next(iter(places))], problem.text)


def _unknown(key: str, setting: Setting, host: Host) -> str:
    stripped = key.removeprefix("baseline.").removeprefix("tricks.")
    if stripped.split(".")[0] in ("dataset", "evaluation", "seeds", "name", "question"):
        return "not a part of the baseline: all arms of a study share it; write a study for each"
    known = [*host.names("trick"), *_COMPONENTS, *(path for path, _ in field_paths())]
    # An arm that is applied in part may hold anything here.
    parts = [(kind, setting.get(kind)) for kind in _COMPONENTS] + [*setting["tricks"].items()]
    for name, given in parts:
        if isinstance(given, dict):
            known += [f"{name}.{part}" for part in given if part != "name"]
    if stripped in known:
        return f"no such factor, did you mean {stripped!r}?"
    hint = elsewhere(stripped, known) or suggest(stripped, known)
    tail = hint if "did you mean" in hint else ", expected one of " + ", ".join(host.names("trick"))
    return (
        f"neither a trick nor a path into the baseline{tail}"
        " (a trick in a file of your own needs --plugin FILE)"
    )
