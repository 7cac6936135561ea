"""The cold plane of hooks: process and trial scope, through pluggy."""

from collections.abc import Mapping, Sequence
from typing import Any

import pluggy

from ganbench.plugin.architecture import Architecture
from ganbench.plugin.dataset import Dataset
from ganbench.plugin.inspection import Inspection
from ganbench.plugin.launcher import Launcher
from ganbench.plugin.metric import Extractor, Metric
from ganbench.plugin.objective import Objective
from ganbench.plugin.trick import Trick

PROJECT = "ganbench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_architectures() -> Sequence[type[Architecture]]:  # type: ignore[empty-body]
    """Return architecture classes."""


@hookspec
def register_objectives() -> Sequence[type[Objective]]:  # type: ignore[empty-body]
    """Return objective classes."""


@hookspec
def register_tricks() -> Sequence[type[Trick]]:  # type: ignore[empty-body]
    """Return trick classes."""


@hookspec
def register_datasets() -> Sequence[type[Dataset]]:  # type: ignore[empty-body]
    """Return data set classes."""


@hookspec
def register_extractors() -> Sequence[type[Extractor]]:  # type: ignore[empty-body]
    """Return feature extractor classes."""


@hookspec
def register_metrics() -> Sequence[type[Metric]]:  # type: ignore[empty-body]
    """Return metric classes."""


@hookspec
def register_inspections() -> Sequence[type[Inspection]]:  # type: ignore[empty-body]
    """Return inspection classes."""


@hookspec
def register_launchers() -> Sequence[type[Launcher]]:  # type: ignore[empty-body]
    """Return launcher classes."""


@hookspec
def register_report_sections(results: Any) -> Sequence[tuple[str, str]]:  # type: ignore[empty-body]
    """Return (title, Markdown text) of sections to add to the report of ``results``."""


@hookspec
def on_study_start(study: Mapping[str, Any]) -> None:
    """Observe a study that starts; ``study`` is the resolved study file."""


@hookspec
def on_trial_start(arm: str, seed: int, config: Mapping[str, Any]) -> None:
    """Observe, in the worker, a trial that starts or goes on."""


@hookspec
def on_evaluation(arm: str, seed: int, step: int, figures: Mapping[str, float]) -> None:
    """Observe, in the worker, an evaluation."""


@hookspec
def on_trial_end(arm: str, seed: int, outcome: str) -> None:
    """Observe, in the worker, a trial that is complete, diverged or failed."""


@hookspec
def on_study_end(study: Mapping[str, Any], report: str) -> None:
    """Observe a study that ended; ``report`` is the folder of its report."""
