"""What every arm is compared with, in one line: the baseline's make-up."""

from collections.abc import Iterator, Mapping
from typing import Any

from ganbench.config.marks import DEFAULT
from ganbench.report.listing import flattened
from ganbench.report.words import count, listing
from ganbench.study.results import StudyResults

NETWORKS = {"generator": "G", "discriminator": "D"}


def baseline_line(results: StudyResults) -> str:
    """Say what the baseline is: networks, objective, data, batch, steps, optimizers, tricks.

    Of plugins and optimizers the parameters that the study sets; defaults stand with the
    resolved study at the report's end.
    """
    baseline: Mapping[str, Any] = results.study.get("baseline") or {}
    objective = _plugin(results, "baseline.objective", baseline.get("objective"))
    batch, steps = baseline.get("batch_size"), baseline.get("steps")
    parts = [
        _plugin(results, "baseline.architecture", baseline.get("architecture")),
        f"{objective} objective" if objective else "",
        _data(results),
        f"batches of {batch:,}" if batch else "",
        count(steps, "step") if steps else "",
        _optimizers(results, baseline.get("optimizers") or {}),
        _tricks(results, baseline.get("tricks") or {}),
    ]
    return f"The baseline: {'; '.join(part for part in parts if part)}."


def _plugin(results: StudyResults, key: str, value: Mapping[str, Any] | None) -> str:
    if not value:
        return ""
    own = {name: item for name, item in value.items() if name != "name"}
    return _with(str(value["name"]), _set(results, key, own))


def _data(results: StudyResults) -> str:
    text = _plugin(results, "dataset", results.study.get("dataset"))
    shape = (results.protocol.get("reference") or {}).get("shape")
    if not text or not shape or len(shape) != 3:
        return text
    channels, height, width = shape
    return f"{text} at {height}×{width}" + (" in colour" if channels == 3 else "")


def _optimizers(results: StudyResults, optimizers: Mapping[str, Mapping[str, Any]]) -> str:
    told = {}
    for role, settings in optimizers.items():
        own = {key: value for key, value in settings.items() if key not in ("name", "lr")}
        more = _set(results, f"baseline.optimizers.{role}", own)
        text = f"{settings.get('name', '')} at {settings.get('lr', '')}"
        told[NETWORKS.get(role, role)] = _with(text, more)
    if len(told) > 1 and len(set(told.values())) == 1:
        return f"{next(iter(told.values()))} for both"
    return ", ".join(f"{role}: {text}" for role, text in told.items())


def _tricks(results: StudyResults, tricks: Mapping[str, Any]) -> str:
    on = {name: value for name, value in tricks.items() if value not in (None, False, "off")}
    if not on:
        return "no trick"
    told = [
        _with(name, _set(results, f"baseline.tricks.{name}", value))
        if isinstance(value, Mapping)
        else name
        for name, value in on.items()
    ]
    return f"with {listing(told)}"


def _with(name: str, parameters: str) -> str:
    return f"{name} ({parameters})" if parameters else name


def _set(results: StudyResults, key: str, values: Mapping[str, Any]) -> str:
    """Return the parameters below a key that are no defaults: ``width 16, depth 2``."""
    return ", ".join(_pairs(results, key, values))


def _pairs(results: StudyResults, key: str, values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in flattened(values):
        if results.origins.get(f"{key}.{name}") != DEFAULT:
            yield f"{name} {value}"
