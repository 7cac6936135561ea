"""What a self-test works with: two halves of real data, and an evaluator of every metric."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
from pydantic import ValidationError
from torch import Tensor

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.corruptions import Worse
from ganbench.evaluation.evaluator import Evaluator
from ganbench.plugin import Data, GanbenchError, Host, Metric, Progress

Outcome = Literal["ok", "wrong", "skipped"]
MOST_ITEMS = 2000
"""Items of each half, at most: enough for every metric, and quick."""
FEWEST_ITEMS = 40
PART = 0.4
"""Share of the held-out half in a draw: so much is left when half of the classes are dropped."""
BATCH = 500


@dataclass(frozen=True)
class Check:
    """One thing that must hold.

    Attributes
    ----------
    group : str
        What was done to the samples, or what was varied.
    figure : str
    outcome : {"ok", "wrong", "skipped"}
    values : tuple of float
        The figure, as the group's meaning has it.
    text : str
        What was expected, or why it was left out.
    worse : {"rises", "falls"} or None
        Which way the figure must go with growing damage.
    """

    group: str
    figure: str
    outcome: Outcome
    values: tuple[float, ...] = ()
    text: str = ""
    worse: Worse | None = None


@dataclass(frozen=True)
class SelfTest:
    """What a self-test found.

    Attributes
    ----------
    data, extractor : str
    reference, held_out, samples : int
        Items of both halves, and of a draw.
    metrics : tuple of str
    checks : tuple of Check
    untested : tuple of str
        Figures that no check looks at.
    """

    data: str
    extractor: str
    reference: int
    held_out: int
    samples: int
    metrics: tuple[str, ...]
    checks: tuple[Check, ...]
    untested: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return all(check.outcome != "wrong" for check in self.checks)


@dataclass
class Bench:
    """The halves of some data, and what measures the one against the other.

    Attributes
    ----------
    reference, held_out : Data
    samples : int
        Items of a draw.
    build : callable (names of metrics, batch size) -> Evaluator
    evaluator : Evaluator
        Of all metrics that can be tested.
    metrics : tuple of Metric
    checks : list of Check
        What has been found so far.
    """

    reference: Data
    held_out: Data
    samples: int
    build: Callable[[Sequence[str], int], Evaluator]
    evaluator: Evaluator
    metrics: tuple[Metric, ...]
    checks: list[Check] = field(default_factory=list)

    def draw(self, seed: int, count: int) -> Tensor:
        """Return random held-out items."""
        draws = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(self.held_out.items), generator=draws)[:count]
        return self.held_out.items[chosen]

    @property
    def lower_is_better(self) -> frozenset[str]:
        """The figures that are declared so."""
        return frozenset(figure for metric in self.metrics for figure in metric.lower_is_better)


def halves(data: Data) -> tuple[Data, Data]:
    """Return two random halves of some data, of at most ``MOST_ITEMS`` each."""
    draws = torch.Generator().manual_seed(0)
    order = torch.randperm(len(data.items), generator=draws)[: 2 * MOST_ITEMS]
    cut = len(order) // 2
    return _some(data, order[:cut]), _some(data, order[cut:])


def _some(data: Data, chosen: Tensor) -> Data:
    labels = None if data.labels is None else data.labels[chosen]
    return replace(data, items=data.items[chosen], labels=labels)


def set_up(
    data: Data,
    extractor: Component,
    host: Host,
    device: torch.device,
    cache: Path,
    progress: Progress,
) -> Bench:
    """Cut some data in halves, and find out which metrics can be tested on them.

    Raises
    ------
    GanbenchError
        If there are too few data, or the extractor cannot be used with them.
    """
    reference, held_out = halves(data)
    samples = int(PART * len(held_out.items))
    if len(reference.items) < FEWEST_ITEMS:
        raise GanbenchError(
            f"the self-test needs {2 * FEWEST_ITEMS} items or more, and {data.name} has "
            f"{len(data.items)}"
        )

    def build(names: Sequence[str], batch_size: int = BATCH) -> Evaluator:
        components = tuple(Component(name=name) for name in names)
        settings = Evaluation(
            metrics=components, extractor=extractor, samples=samples, batch_size=batch_size
        )
        return Evaluator(settings, reference, host, device, cache, progress)

    width = build(["fid"]).protocol["feature_width"]
    metrics, checks = [], []
    for metric in _applicable(reference, extractor.name, host):
        least = metric.least_samples(width)
        if least > samples:
            text = f"needs {least} samples, and a draw of these data has {samples}"
            checks.append(Check("metrics", metric.name, "skipped", text=text))
            continue
        try:
            build(["fid", metric.name] if metric.name != "fid" else ["fid"])
        except Exception as error:
            # Whatever a plugin does wrong, the others are to be tested all the same.
            text = f"{type(error).__name__}: {error}"
            checks.append(Check("metrics", metric.name, "wrong", text=text))
            continue
        metrics.append(metric)
    evaluator = build([metric.name for metric in metrics])
    return Bench(reference, held_out, samples, build, evaluator, tuple(metrics), checks)


def _applicable(data: Data, extractor: str, host: Host) -> list[Metric]:
    found = []
    for registered in host.all("metric"):
        try:
            metric: Metric = host.create("metric", registered.name)
        except ValidationError:
            continue  # a parameter without a default: nobody has said what to measure
        if metric.applies(data)[0] and (not metric.extractors or extractor in metric.extractors):
            found.append(metric)
    return found
