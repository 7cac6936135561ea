"""The JSON Schema of study files, with the parameters of the plugins that a host knows.

For editors: it knows every key, type, range and choice, and not what takes several keys
together, such as whether a factor's first level is the baseline's. ``load_study`` does.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from ganbench.config.levels import field_paths
from ganbench.config.model import MAX_SEED, MAX_SEEDS, OPTIMIZER_KEYS, Baseline, Optimizer, Study
from ganbench.plugin import Host, Kind, Registered

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_KINDS: tuple[Kind, ...] = (
    "dataset",
    "architecture",
    "objective",
    "extractor",
    "metric",
    "inspection",
)
_SET_KINDS: tuple[Kind, ...] = ("architecture", "objective")

Schema = dict[str, Any]


def study_schema(host: Host) -> Schema:
    """Return the JSON Schema, draft 2020-12, of the study files that a host can run."""
    schema = Study.model_json_schema()
    definitions: Schema = schema.pop("$defs")
    for kind in _KINDS:
        definitions[kind] = _component(kind, host, definitions)
    for trick in host.all("trick"):
        definitions[f"trick.{trick.name}"] = _trick(trick, definitions)
    levels = _levels(host, definitions)
    for key, level in levels.items():
        definitions[f"level.{key}"] = level
    del definitions["Component"]
    _fill(schema["properties"], definitions, host, list(levels))
    for name in ("Optimizer", "Optimizers", "Baseline", "Study"):
        # `extends` may bring what a file leaves out; below, a file without it may not.
        definitions.get(name, {}).pop("required", None)
    schema["properties"]["extends"] = {
        "type": "string",
        "minLength": 1,
        "description": "Another study file, or a shipped study, that this one changes.",
    }
    required = schema.pop("required")
    schema["if"] = {"not": {"required": ["extends"]}}
    schema["then"] = {"required": required, "properties": _complete()}
    schema["title"] = "A ganbench study"
    return {"$schema": DIALECT, **schema, "$defs": definitions}


def launcher_schema(host: Host) -> Schema:
    """Return the JSON Schema, draft 2020-12, of the files that name a launcher."""
    definitions: Schema = {}
    _bare, *variants, _inherited = _component("launcher", host, definitions)["oneOf"]
    found = {"$schema": DIALECT, "title": "A ganbench launcher", "oneOf": variants}
    return {**found, "$defs": definitions}


def _component(kind: Kind, host: Host, definitions: Schema) -> Schema:
    """Return a choice of plugins: a bare name, or a name and its parameters."""
    variants: list[Schema] = []
    bare = []
    for registered in host.all(kind):
        parameters = _parameters(registered, definitions)
        name = {"const": registered.name, "description": registered.summary}
        if not parameters["required"]:
            bare.append(registered.name)
        parameters["properties"] = {"name": name, **parameters["properties"]}
        parameters["required"] = ["name"]  # A file that extends another may leave out the rest.
        variants.append(parameters)
    inherited = {
        "type": "object",
        "not": {"required": ["name"]},
        "description": "Parameters on top of an extended study's.",
    }
    return {"oneOf": [{"enum": bare}, *variants, inherited]}


def _trick(trick: Registered, definitions: Schema) -> Schema:
    return _nullable({"anyOf": [{"enum": ["off", "on", True, False]}, _open(trick, definitions)]})


def _open(registered: Registered, definitions: Schema) -> Schema:
    """Return an object of parameters, any of which an extended study may already give."""
    parameters = _parameters(registered, definitions)
    del parameters["required"]
    return {**parameters, "description": registered.summary}


def _parameters(registered: Registered, definitions: Schema) -> Schema:
    prefix = f"{registered.kind}.{registered.name}"
    schema: Schema = registered.cls.Parameters.model_json_schema(
        ref_template=f"#/$defs/{prefix}.{{model}}"
    )
    for name, nested in schema.pop("$defs", {}).items():
        definitions[f"{prefix}.{name}"] = nested
    schema.pop("description", None)
    schema["title"] = registered.name
    schema.setdefault("properties", {})
    schema.setdefault("required", [])
    return schema


def _levels(host: Host, definitions: Schema) -> Schema:
    """Return the schema of a level for each key that a factor may have."""
    levels: Schema = {}
    for trick in host.all("trick"):
        levels[trick.name] = {"$ref": f"#/$defs/trick.{trick.name}"}
        for name, field in _parameters(trick, definitions)["properties"].items():
            levels[f"{trick.name}.{name}"] = field
    for kind in _SET_KINDS:
        levels[kind] = {"$ref": f"#/$defs/{kind}"}
        for registered in host.all(kind):
            for name, field in _parameters(registered, definitions)["properties"].items():
                levels.setdefault(f"{kind}.{name}", {"anyOf": []})["anyOf"].append(field)
    for key, _ in field_paths():
        levels[key] = _field(key, definitions)
    return levels


def _field(key: str, definitions: Schema) -> Schema:
    """Return the schema of a dotted path into the baseline."""
    model: type[BaseModel] = Baseline
    *owners, last = key.split(".")
    for owner in owners:
        inner = model.model_fields[owner].annotation
        model = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else model
    found: Schema = definitions[model.__name__]["properties"][last]
    return {name: value for name, value in found.items() if name != "default"}


def _fill(properties: Schema, definitions: Schema, host: Host, keys: Iterable[str]) -> None:
    """Put the plugins where the models only say that there is one."""
    keys = list(keys)
    baseline = definitions["Baseline"]["properties"]
    evaluation = definitions["Evaluation"]["properties"]
    places: list[tuple[Schema, Kind]] = [
        (properties, "dataset"),
        (baseline, "architecture"),
        (baseline, "objective"),
        (evaluation, "extractor"),
    ]
    for owner, kind in places:
        owner[kind] = _described(owner[kind], {"$ref": f"#/$defs/{kind}"})
    for kind in ("metric", "inspection"):
        for choice in evaluation[f"{kind}s"]["anyOf"]:
            if choice.get("type") == "array":
                choice["items"] = {"$ref": f"#/$defs/{kind}"}
    lower = {figure for metric in host.all("metric") for figure in metric.cls.lower_is_better}
    evaluation["primary"]["enum"] = sorted(lower)
    tricks = {trick: {"$ref": f"#/$defs/trick.{trick}"} for trick in host.names("trick")}
    baseline["tricks"] = _described(baseline["tricks"], _nullable(_closed(tricks)))
    levels = {key: {"$ref": f"#/$defs/level.{key}"} for key in keys}
    lists = {
        key: _nullable({"type": "array", "minItems": 2, "items": level})
        for key, level in levels.items()
    }
    properties["factors"] = _described(properties["factors"], _nullable(_closed(lists)))
    arm = definitions["ArmSpec"]["properties"]
    arm["set"] = _described(arm["set"], _closed(levels))
    properties["seeds"] = _described(properties["seeds"], _seeds())
    for owner, name in (
        (properties, "design"),
        (properties, "evaluation"),
        (evaluation, "judgement"),
        *((baseline, section) for section in ("latent", "optimizers", "execution")),
    ):
        owner[name] = _described(owner[name], _nullable({"$ref": owner[name]["$ref"]}))
    definitions["Optimizer"]["allOf"] = [
        {
            "if": {"properties": {"name": {"const": kind}}, "required": ["name"]},
            "then": {"properties": dict.fromkeys(sorted(_unused(used)), False)},
        }
        for kind, used in OPTIMIZER_KEYS.items()
    ]


def _unused(used: frozenset[str]) -> set[str]:
    return set(Optimizer.model_fields) - used - {"name"}


def _seeds() -> Schema:
    seed = {"type": "integer", "minimum": 0, "maximum": MAX_SEED}
    several = {"type": "array", "minItems": 1, "maxItems": MAX_SEEDS, "uniqueItems": True}
    return {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": MAX_SEEDS},
            {**several, "items": seed},
            {"$ref": "#/$defs/SeedRange"},
        ]
    }


def _complete() -> Schema:
    """Return what a file that extends no other must hold besides."""
    named: Schema = {"anyOf": [{"type": "string"}, {"required": ["name"]}]}
    whole = {"required": ["architecture"], "properties": dict.fromkeys(_SET_KINDS, named)}
    evaluation = {"properties": {"extractor": named}}
    return {"dataset": named, "baseline": whole, "evaluation": evaluation}


def _closed(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _described(old: Schema, new: Schema) -> Schema:
    kept = {key: old[key] for key in ("description",) if key in old}
    return {**new, **kept}
