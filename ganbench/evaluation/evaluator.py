"""Measures samples against the data, and says exactly how."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganbench.config.model import Evaluation
from ganbench.evaluation.arithmetic import exact
from ganbench.evaluation.cache import cache_key, load_if_sound, save_atomically
from ganbench.evaluation.choosing import EvaluationError, choose_metrics, create_fitting
from ganbench.evaluation.collapse import CollapseRules, Finding, Measurement, Seen, Spread
from ganbench.evaluation.context import Reference, SampleContext, StudyContext
from ganbench.evaluation.frechet import Moments, moments
from ganbench.evaluation.protocol import describe_protocol
from ganbench.evaluation.yardstick import FEWEST, POOL, RECIPE, spreads_of_draws
from ganbench.plugin import Data, Extractor, Host, Progress, TrainedDiscriminator

SUBSET = 500
"""Items whose pairwise distances are taken."""
KEPT = 2**27
"""Bytes of data items' features that are kept for whoever looks for neighbours."""
REFERENCE_VERSION = 1
"""Raised when reference statistics are computed otherwise: part of their cache's key."""


class Evaluator:
    """Everything that measures a study's samples, made ready before any training.

    Parameters
    ----------
    settings : Evaluation
        The study's ``evaluation``.
    data : Data
        The training set, which is the reference.
    host : Host
        Where extractors and metrics come from.
    device : torch.device
        Where features are computed.
    cache : Path
        A folder, shared by all workers, for the classifier and the reference statistics.
    progress : callable, optional
        Told of what takes long: downloads, the classifier, reference features.

    Attributes
    ----------
    protocol : dict
        All that defines the figures, as plain values.
    metric_notes : dict of str to str
        Each figure's meaning.
    collapse_rule : str
        The rules behind `judge`, in words.

    Raises
    ------
    EvaluationError
        If the extractor or a metric that the study lists does not apply to the data or takes
        other parameters, or no metric gives the primary figure, with lower as better.
    DataError
        If what the extractor needs cannot be had.
    """

    def __init__(
        self,
        settings: Evaluation,
        data: Data,
        host: Host,
        device: torch.device,
        cache: Path,
        progress: Progress | None = None,
    ) -> None:
        self._settings, self._data = settings, data
        if len(data.items) < 2:
            raise EvaluationError(f"{data.name}: has {len(data.items)} items, expected 2 or more")
        self._extractor: Extractor = create_fitting("extractor", settings.extractor, data, host)
        self._drawn: Tensor | None = None
        self._everything: Tensor | None = None
        self._known: Tensor | None = None
        self._metrics, left_out = choose_metrics(settings, data, host)
        _make_folder(cache)
        self._cache = cache
        self._study = StudyContext(data, device, cache, progress or _quiet)
        with exact(device):
            self._extractor.prepare(self._study)
            self._check_counts()
            self._reference = self._load_reference(cache)
            figures = self._rehearse()
            draws = self._measure_draws(cache, figures)
        self._rules = CollapseRules(self._study.attainable(settings.samples), draws)
        self.metric_notes = {
            key: note for metric in self._metrics for key, note in metric.figures.items()
        }
        self.collapse_rule = self._rules.describe(frozenset(figures))
        self.protocol = describe_protocol(
            settings,
            self._extractor,
            self._metrics,
            left_out,
            self._study,
            self._reference,
            self.collapse_rule,
            self._count_drawn(),
        )

    def evaluate(
        self,
        samples: Tensor,
        final: bool = False,
        discriminator: Callable[[], TrainedDiscriminator] | None = None,
        progress: Progress | None = None,
    ) -> dict[str, float]:
        """Return all metrics' figures; the same samples give the same figures.

        As `measure`, without what only the rules of collapse look at.
        """
        return self.measure(samples, final, discriminator, progress).figures

    def measure(
        self,
        samples: Tensor,
        final: bool = False,
        discriminator: Callable[[], TrainedDiscriminator] | None = None,
        progress: Progress | None = None,
    ) -> Measurement:
        """Return all metrics' figures, and how many samples each mode has.

        Parameters
        ----------
        samples : Tensor, shape (items, *shape)
            uint8 images, or points; two or more.
        final : bool
            Whether it is a trial's last evaluation: then those metrics are computed too that
            are computed nowhere else.
        discriminator : callable () -> TrainedDiscriminator, optional
            Gives the trial's, if a metric asks for it.
        progress : callable, optional
            Told of each batch whose features are there.

        Raises
        ------
        ValueError
            If samples are not finite, or not of the data's shape and kind.
        """
        data = self._data
        wrong_type = samples.dtype != data.items.dtype
        if tuple(samples.shape[1:]) != data.shape or len(samples) < 2 or wrong_type:
            raise ValueError(
                f"samples of shape {tuple(samples.shape)} and {samples.dtype}, expected two or "
                f"more like the data, {data.shape} and {data.items.dtype}"
            )
        if samples.is_floating_point() and not torch.isfinite(samples).all():
            raise ValueError("non-finite samples")
        batches = self._split(samples)
        with exact(self._study.device):
            features = self._features(batches, "samples'", progress or _quiet)
            return self._measure(batches, features, final, discriminator)

    def features_of(self, items: Tensor) -> Tensor:
        """Return the extractor's features, (items, width), of images or points as saved."""
        with exact(self._study.device):
            return self._features(self._split(items))

    def labels_of(self, items: Tensor) -> Tensor | None:
        """Return the study's classifier's labels of images; None if it cannot be trained."""
        try:
            with exact(self._study.device):
                logits = self._study.logits_of(self._split(items))
        finally:
            self._study.forget()
        return None if logits is None else logits.argmax(dim=1).cpu()

    def data_features(self) -> tuple[Tensor, Tensor]:
        """Return indices of data items and their features, on the CPU.

        All items, or as many of a fixed draw as fit into ``KEPT`` bytes; kept in the cache.
        """
        items = self._data.items
        most = max(2, KEPT // (4 * len(self._reference.moments.mean)))
        with exact(self._study.device):
            if len(items) <= most:
                return torch.arange(len(items)), self._take_all(self._cache)
            chosen = _subset(len(items), most)
            if self._known is None:
                path = self._cache_file(self._cache, "features", known=most)
                self._known = self._obtain(path, items[chosen], "training items")
        return chosen, self._known

    def judge(self, history: Sequence[Seen]) -> Finding:
        """Return the state that a trial's evaluations show at the last of them.

        Parameters
        ----------
        history : sequence of Seen
            By step; the last as `measure` gave it, with figures that may be NaN.
        """
        return self._rules.judge(history)

    def _check_counts(self) -> None:
        width = self._features([self._data.items[:2]]).shape[1]
        have = {
            "evaluation.samples is": self._settings.samples,
            f"the items of {self._data.name} are": len(self._data.items),
        }
        for metric in self._metrics:
            least = metric.least_samples(width)
            for what, count in have.items():
                if count < least:
                    raise EvaluationError(
                        f"evaluation: the metric {metric.name!r} needs {least} samples and data "
                        f"items or more, with {width} features of the extractor "
                        f"{self._extractor.name!r}, and {what} {count}"
                    )

    def _cache_file(self, cache: Path, kind: str, **content: Any) -> Path:
        key = cache_key(
            {
                "version": REFERENCE_VERSION,
                "data": self._study.data_hash,
                "extractor": self._extractor.name,
                "protocol": self._extractor.protocol(),
                # Other arithmetic is other digits, and a study's pairs must share theirs.
                "device": self._study.device.type,
                "torch": torch.__version__,
                **content,
            }
        )
        return cache / f"{kind}-{key}.pt"

    def _draw(self, cache: Path) -> Tensor:
        if self._drawn is None:
            chosen = _subset(len(self._data.items), self._settings.samples)
            path = self._cache_file(cache, "features", drawn=len(chosen))
            self._drawn = self._obtain(path, self._data.items[chosen], "reference items")
        return self._drawn

    def _take_all(self, cache: Path) -> Tensor:
        if self._everything is None:
            path = self._cache_file(cache, "features", drawn="all")
            self._everything = self._obtain(path, self._data.items, "training items")
        return self._everything

    def _obtain(self, path: Path, items: Tensor, label: str) -> Tensor:
        found = load_if_sound(path) or {}
        if "features" not in found:
            found = {"features": self._features(self._split(items), label).cpu()}
            save_atomically(path, found)
        features: Tensor = found["features"]
        return features

    def _count_drawn(self) -> int | None:
        return None if self._drawn is None else len(self._drawn)

    def _load_reference(self, cache: Path) -> Reference:
        data, study = self._data, self._study
        subset = _subset(len(data.items), min(SUBSET, self._settings.samples))
        path = self._cache_file(cache, "reference", subset=len(subset))
        found = load_if_sound(path)
        if found is None or not {"mean", "covariance", "count", "factor", "subset"} <= found.keys():
            features = self._features(self._split(data.items), "reference")
            whole = moments(features)
            found = {
                "mean": whole.mean.cpu(),
                "covariance": whole.covariance.cpu(),
                "count": whole.count,
                "factor": None if whole.factor is None else whole.factor.cpu(),
                "subset": features[subset].cpu(),
            }
            save_atomically(path, found)
        items = data.items[subset]
        return Reference(
            moments=self._place(found),
            features=found["subset"],
            items=items,
            modes=lambda: study.modes_of(self._split(items)),
            drawn=lambda: self._draw(cache),
            everything=lambda: self._take_all(cache),
            shares=study.mode_shares(),
        )

    def _place(self, found: Mapping[str, Any]) -> Moments:
        device = self._study.device
        device = torch.device("cpu") if device.type == "mps" else device
        factor = found["factor"]
        return Moments(
            mean=found["mean"].to(device),
            covariance=found["covariance"].to(device),
            count=found["count"],
            factor=None if factor is None else factor.to(device),
        )

    def _split(self, items: Tensor) -> list[Tensor]:
        return list(torch.split(items, self._settings.batch_size))

    def _features(
        self, batches: list[Tensor], label: str | None = None, progress: Progress | None = None
    ) -> Tensor:
        done, parts = 0, []
        progress = progress or self._study.progress
        total = sum(len(batch) for batch in batches)
        for batch in batches:
            part = self._extractor.features(batch)
            if part.ndim != 2 or len(part) != len(batch):
                raise EvaluationError(
                    f"the extractor {self._extractor.name!r} gave features of shape "
                    f"{tuple(part.shape)} for {len(batch)} items, expected (items, width)"
                )
            parts.append(part)
            done += len(batch)
            if label is not None:
                progress(f"{label} features", done, total)
        features = torch.cat(parts)
        if not torch.isfinite(features).all():
            name = self._extractor.name
            raise EvaluationError(
                f"the extractor {name!r} gave features that are not finite; are its weights sound?"
            )
        return features.to(self._study.device)  # those of points may lie where these do

    def _measure(
        self,
        batches: list[Tensor],
        features: Tensor,
        final: bool = True,
        discriminator: Callable[[], TrainedDiscriminator] | None = None,
    ) -> Measurement:
        context = SampleContext(
            self._study, self._reference, self._extractor, batches, features, discriminator
        )
        asked = [metric for metric in self._metrics if final or not metric.final_only]
        try:
            given = [(metric, metric.compute(context)) for metric in asked]
            has_modes = any("modes" in figures for _, figures in given)
            histogram = context.histogram() if has_modes else ()
        finally:
            self._study.forget()
        for metric, figures in given:
            if not figures.keys() <= metric.figures.keys():
                unknown = ", ".join(sorted(figures.keys() - metric.figures.keys()))
                raise EvaluationError(
                    f"the metric {metric.name!r} gave {unknown}, which it does not declare; it "
                    f"declares {', '.join(metric.figures)}"
                )
        found = {key: float(value) for _, figures in given for key, value in figures.items()}
        return Measurement(found, histogram)

    def _rehearse(self) -> dict[str, float]:
        """Measure some of the data as if they were samples: what fails, fails now."""
        items, features = self._reference.items, self._reference.features
        least = max(metric.least_samples(features.shape[1]) for metric in self._metrics)
        if least > len(items):
            items = self._data.items[_subset(len(self._data.items), least)]
            features = self._reference.drawn()[:least]
        figures = self._measure(self._split(items), features.to(self._study.device)).figures
        primary = figures.get(self._settings.primary)
        if primary is None or not math.isfinite(primary):
            raise EvaluationError(
                f"evaluation.primary is {self._settings.primary!r}, which is undefined on "
                f"{self._data.name}; defined are {', '.join(sorted(figures))}"
            )
        return figures

    def _measure_draws(self, cache: Path, figures: Mapping[str, float]) -> dict[str, Spread]:
        """Return what draws of the data show of the figures that collapse is judged by."""
        if "diversity" not in figures or len(self._data.items) < FEWEST:
            return {}
        within, size = "diversity_within" in figures, len(self._reference.features)
        judged_by = self._study.classifier.sha256 if self._study.has_classifier else None
        path = self._cache_file(
            cache, "draws", recipe=RECIPE, size=size, within=within, classifier=judged_by
        )
        found = load_if_sound(path) or {}
        if "spreads" not in found:
            chosen = _subset(len(self._data.items), POOL)
            batches = self._split(self._data.items[chosen])
            features = self._features(batches, "drawn data's")
            modes = self._study.modes_of(batches) if within else None
            self._study.forget()
            spreads = spreads_of_draws(features, modes, size, self._reference)
            found = {"spreads": {key: (s.mean, s.deviation) for key, s in spreads.items()}}
            save_atomically(path, found)
        return {key: Spread(*spread) for key, spread in found["spreads"].items()}


def _make_folder(cache: Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(f"the evaluation's cache {cache} cannot be made: {error}") from error


def _subset(count: int, size: int) -> Tensor:
    draws = torch.Generator().manual_seed(0)
    return torch.randperm(count, generator=draws)[:size]


def _quiet(label: str, done: int, total: int | None) -> None:
    """Report nothing."""
