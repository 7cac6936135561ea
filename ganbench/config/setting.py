"""A baseline's setting: plain values with every default and plugin default filled in."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from ganbench.config.model import OPTIMIZER_KEYS, Baseline, Component, Evaluation, Optimizer
from ganbench.config.problems import Path, Problem, quote, suggest
from ganbench.config.words import validate
from ganbench.plugin import HALVES, Host, Kind, Trick, UnknownPluginError

Setting = dict[str, Any]
"""A baseline as it stands in a file, resolved. Components: ``{name: mlp, hidden: 128}``."""

OFF = "off"
"""A trick's level at which it does not take part."""

_COMPONENTS: tuple[Kind, ...] = ("architecture", "objective")


def resolve_setting(raw: Mapping[str, Any], host: Host) -> tuple[Setting, list[Problem]]:
    """Fill in a baseline, as far as it is right.

    Parameters
    ----------
    raw : mapping
        A baseline as it stands in a file.
    host : Host

    Returns
    -------
    dict
        What is right of it; a field that is wrong has its default, a plugin that is wrong
        is left out.
    list of Problem
        Their paths begin with the baseline's own keys.
    """
    fields, problems = _resolve_fields(raw)
    setting: Setting = {}
    for kind in _COMPONENTS:
        field = Baseline.model_fields[kind]
        if kind not in raw and field.is_required():
            problems.append(Problem((kind,), f"is missing{suggest(None, host.names(kind))}"))
            continue
        value = raw[kind] if kind in raw else component_values(field.default)
        component, found = resolve_component(kind, value, host, (kind,))
        problems.extend(found)
        if component is not None:
            setting[kind] = component
    tricks, found = _resolve_tricks(raw.get("tricks"), host)
    return {**setting, **fields, "tricks": tricks}, problems + found


def resolve_component(
    kind: Kind, value: Any, host: Host, at: Path
) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Return ``{name: …, **parameters}`` with the plugin's defaults, None if it is wrong."""
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict):
        text = f"wrong type, got {quote(value)}, expected the name of a plugin, or {{name: …}}"
        return None, [Problem(at, text)]
    if "name" not in value:
        hint = suggest(None, host.names(kind))
        return None, [Problem((*at, "name"), f"is missing: which {kind}?{hint}")]
    name = value["name"]
    try:
        if not isinstance(name, str):
            hint = suggest(None, host.names(kind))
            text = f"wrong type, got {quote(name)}, expected the name of a plugin{hint}"
            return None, [Problem((*at, "name"), text)]
        cls = host.find(kind, name).cls
    except UnknownPluginError as error:
        text = f"no {kind} has the name {name!r}{suggest(name, error.known)}"
        return None, [Problem((*at, "name"), text)]
    parameters = {key: item for key, item in value.items() if key != "name"}
    model, problems = validate(cls.Parameters, parameters, at)
    if model is None:
        return None, problems
    return {"name": name, **model.model_dump(mode="json")}, []


def resolve_trick(name: str, value: Any, host: Host, at: Path) -> tuple[Any, list[Problem]]:
    """Return a trick's parameters with its defaults, or ``off``; None if it is wrong.

    ``value`` may be parameters, ``on`` or true for the defaults, ``off``, false or null.
    """
    try:
        cls = host.find("trick", name).cls
    except UnknownPluginError as error:
        text = f"no trick has the name {name!r}{suggest(name, error.known)}"
        return None, [Problem(at, text, at_key=True)]
    if is_off(value):
        return OFF, []
    if is_on(value):
        value = {}
    if not isinstance(value, dict):
        fields = ", ".join(cls.Parameters.model_fields)
        text = f"wrong type, got {quote(value)}, expected on, off, or its parameters"
        return None, [Problem(at, text + (f" ({fields})" if fields else ""))]
    model, problems = validate(cls.Parameters, value, at)
    return (None, problems) if model is None else (model.model_dump(mode="json"), [])


def is_on(value: Any) -> bool:
    """Return whether a trick's level asks for its defaults."""
    return value is True or value == "on"


def is_off(value: Any) -> bool:
    """Return whether a trick's level leaves it out."""
    return value is None or value is False or value == OFF


def component_values(component: Component) -> dict[str, Any]:
    """Return a component as it stands in a file: parameters beside the name."""
    return {"name": component.name, **component.parameters}


def evaluation_values(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as it stands in a file."""
    listed = {
        name: value if value == "auto" else [component_values(component) for component in value]
        for name, value in (
            ("metrics", evaluation.metrics),
            ("inspections", evaluation.inspections),
        )
    }
    extractor = component_values(evaluation.extractor)
    return {**evaluation.model_dump(mode="json"), "extractor": extractor, **listed}


def baseline_values(baseline: Baseline) -> Setting:
    """Return a validated baseline as it stands in a file."""
    values = baseline.model_dump(mode="json")
    for role in HALVES:
        values["optimizers"][role] = _used(values["optimizers"][role])
    values["architecture"] = component_values(baseline.architecture)
    values["objective"] = component_values(baseline.objective)
    return values


def _resolve_fields(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[Problem]]:
    """Fill in all that is not a plugin's."""
    fields = {key: value for key, value in raw.items() if key not in (*_COMPONENTS, "tricks")}
    fields = {
        key: value for key, value in fields.items() if value is not None or key not in _SECTIONS
    }
    stand_in = {"architecture": "any"}
    model, problems = validate(Baseline, {**fields, **stand_in})
    if model is None:
        right = without(fields, [problem.path for problem in problems])
        model = validate(Baseline, {**right, **stand_in})[0] or Baseline(
            architecture=Component(name="any")
        )
    problems.extend(_unused_keys(fields, model))
    values = baseline_values(model)
    return {k: v for k, v in values.items() if k not in (*_COMPONENTS, "tricks")}, problems


_SECTIONS = ("latent", "optimizers", "execution")
"""An empty section, all its keys commented out, is as good as none."""


def _unused_keys(fields: Mapping[str, Any], baseline: Baseline) -> list[Problem]:
    problems = []
    optimizers = fields.get("optimizers")
    for role in HALVES if isinstance(optimizers, dict) else ():
        given = optimizers.get(role) if isinstance(optimizers, dict) else None
        kind = getattr(baseline.optimizers, role).name
        for key in given if isinstance(given, dict) else ():
            if key in Optimizer.model_fields and key not in OPTIMIZER_KEYS[kind] | {"name"}:
                known = ", ".join(sorted(OPTIMIZER_KEYS[kind]))
                text = f"{kind} does not use {key}, expected one of {known}"
                problems.append(Problem(("optimizers", role, key), text, at_key=True))
    return problems


def _used(optimizer: dict[str, Any]) -> dict[str, Any]:
    keep = OPTIMIZER_KEYS[optimizer["name"]] | {"name"}
    return {key: value for key, value in optimizer.items() if key in keep}


def _resolve_tricks(raw: Any, host: Host) -> tuple[dict[str, Any], list[Problem]]:
    if raw is None:
        return {}, []
    if not isinstance(raw, dict):
        text = f"wrong type, got {quote(raw)}, expected a mapping: tricks and their parameters"
        return {}, [Problem(("tricks",), text)]
    tricks, problems = {}, []
    for name, value in raw.items():
        trick, found = resolve_trick(name, value, host, ("tricks", name))
        problems.extend(found)
        if trick is not None and trick != OFF:
            tricks[name] = trick
    return tricks, problems


def without(values: Mapping[str, Any], paths: Iterable[Path]) -> dict[str, Any]:
    """Return a deep copy with the keys at ``paths`` left out."""
    copy = deepcopy(dict(values))
    for path in paths:
        owner: Any = copy
        for part in path[:-1]:
            owner = owner.get(part) if isinstance(owner, dict) else None
        if isinstance(owner, dict) and path:
            owner.pop(path[-1], None)
    return copy


def clashes(setting: Setting, host: Host) -> list[tuple[str, str]]:
    """Return the tricks of a setting that cannot take part, each with the reason.

    Tricks that conflict, that lack one they require, and that change targets under an
    objective that has none. What needs the data or the networks is the worker's to find.
    """
    tricks = {name: host.find("trick", name).cls for name in setting["tricks"]}
    found = []
    for name, cls in tricks.items():
        for other, reason in cls.conflicts.items():
            if other in tricks:
                found.append((name, f"{name} conflicts with {other}: {reason}"))
        for other, reason in cls.requires.items():
            if other not in tricks:
                found.append((name, f"{name} requires {other}: {reason}"))
    objective = host.find("objective", setting["objective"]["name"])
    replaced = any(cls.make_objective is not Trick.make_objective for cls in tricks.values())
    if not objective.cls.uses_targets and not replaced:
        for name, cls in tricks.items():
            if cls.needs_targets:
                text = f"{name} changes targets, and the objective {objective.name} has none"
                found.append((name, text))
    return found
