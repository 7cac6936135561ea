"""The kinds of plugins, their base classes, and how a module's are found."""

import inspect
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

from ganbench.plugin import hookspecs
from ganbench.plugin.architecture import Architecture
from ganbench.plugin.dataset import Dataset
from ganbench.plugin.inspection import Inspection
from ganbench.plugin.launcher import Launcher
from ganbench.plugin.metric import Extractor, Metric
from ganbench.plugin.objective import Objective
from ganbench.plugin.trick import Trick

Kind = Literal[
    "architecture",
    "objective",
    "trick",
    "dataset",
    "extractor",
    "metric",
    "inspection",
    "launcher",
]

BASES: Mapping[Kind, type[Any]] = {
    "architecture": Architecture,
    "objective": Objective,
    "trick": Trick,
    "dataset": Dataset,
    "extractor": Extractor,
    "metric": Metric,
    "inspection": Inspection,
    "launcher": Launcher,
}


REQUIRED: Mapping[Kind, Sequence[tuple[str, ...]]] = {
    "architecture": [("build_generator", "build_pairs"), ("build_discriminator", "build_pairs")],
    "objective": [("discriminator_loss",), ("generator_loss",)],
    "trick": [],
    "dataset": [("load",)],
    "extractor": [("features",), ("protocol",)],
    "metric": [("compute",)],
    "inspection": [("draw",)],
    "launcher": [("start",), ("poll",), ("stop",)],
}
"""Methods without which a plugin cannot work; of alternatives, one."""


class ModuleClasses:
    """Registers the plugin classes that a module defines, so that a file needs no hook."""

    def __init__(self, module: ModuleType) -> None:
        self._classes = [
            value
            for value in vars(module).values()
            if inspect.isclass(value)
            and issubclass(value, tuple(BASES.values()))
            and value.__module__ == module.__name__
            and not value.__name__.startswith("_")
        ]

    def _of(self, kind: Kind) -> list[type[Any]]:
        return [cls for cls in self._classes if issubclass(cls, BASES[kind])]

    @hookspecs.hookimpl
    def register_architectures(self) -> Sequence[type[Architecture]]:
        """Return the module's architectures."""
        return self._of("architecture")

    @hookspecs.hookimpl
    def register_objectives(self) -> Sequence[type[Objective]]:
        """Return the module's objectives."""
        return self._of("objective")

    @hookspecs.hookimpl
    def register_tricks(self) -> Sequence[type[Trick]]:
        """Return the module's tricks."""
        return self._of("trick")

    @hookspecs.hookimpl
    def register_datasets(self) -> Sequence[type[Dataset]]:
        """Return the module's datasets."""
        return self._of("dataset")

    @hookspecs.hookimpl
    def register_extractors(self) -> Sequence[type[Extractor]]:
        """Return the module's extractors."""
        return self._of("extractor")

    @hookspecs.hookimpl
    def register_metrics(self) -> Sequence[type[Metric]]:
        """Return the module's metrics."""
        return self._of("metric")

    @hookspecs.hookimpl
    def register_inspections(self) -> Sequence[type[Inspection]]:
        """Return the module's inspections."""
        return self._of("inspection")

    @hookspecs.hookimpl
    def register_launchers(self) -> Sequence[type[Launcher]]:
        """Return the module's launchers."""
        return self._of("launcher")
