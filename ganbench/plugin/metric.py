"""The base classes of extractors and metrics, and what they are shown."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganbench.plugin.asset import Asset
from ganbench.plugin.dataset import Data, Progress
from ganbench.plugin.networks import TrainedDiscriminator
from ganbench.plugin.parameters import Parameters


def can_classify(data: Data) -> tuple[bool, str]:
    """Say whether the study's classifier can be trained on the data, and if not, why."""
    if data.stacked_from is not None:
        return can_classify(data.stacked_from)
    if not data.is_image:
        return False, "a classifier takes images, and these are points"
    if data.labels is None:
        return False, "a classifier is trained on labels, and these images have none"
    if len(torch.unique(data.labels)) < 2:
        return False, "a classifier needs images of two classes or more"
    if int(data.labels.bincount().max()) < 2:
        return False, "a classifier needs classes of two images or more"
    return True, ""


class ExtractorParameters(Parameters):
    """Base of an extractor's parameters."""


class MetricParameters(Parameters):
    """Base of a metric's parameters."""


class ExtractorContext(ABC):
    """What an extractor may use while it is set up; it may be kept for ``features``.

    Attributes
    ----------
    data : Data
        The training set.
    device : torch.device
        Where ``features`` should compute.
    progress : callable
        Shown to the user: a label, the amount done, and the whole amount if known.
    """

    data: Data
    device: torch.device
    progress: Progress

    @abstractmethod
    def classifier_features(self, images: Tensor) -> Tensor:
        """Return the penultimate features of the study's classifier, (items, 64), float32.

        Of stacked images those of each channel, side by side: (items, channels · 64). Trains
        the classifier on the study's labelled data on first use, or loads it from the cache.

        Raises
        ------
        DataError
            If the data are none that ``can_classify`` takes.
        """

    @abstractmethod
    def classifier_protocol(self) -> dict[str, Any]:
        """Return the classifier's held-out accuracy, seed, recipe and weights' hash."""


class Extractor:
    """Maps images as they would be saved to the features that a distance is taken in."""

    name: ClassVar[str]
    Parameters: ClassVar[type[ExtractorParameters]] = ExtractorParameters

    def __init__(self, parameters: ExtractorParameters) -> None:
        self.parameters: Any = parameters

    def applies(self, data: Data) -> tuple[bool, str]:
        """Say whether the extractor can be used on these data, and if not, why."""
        return True, ""

    def prepare(self, ctx: ExtractorContext) -> None:
        """Load or train what ``features`` needs. Called once, before any training."""

    def features(self, items: Tensor) -> Tensor:
        """Return features, float32, shape (items, width), of uint8 images or points.

        Called without gradients, autocast or TF32, in batches, on the samples and on the data
        alike. Features that are not finite end the study or the trial.
        """
        raise NotImplementedError

    def logits(self, features: Tensor) -> Tensor | None:
        """Return the network's class logits, shape (items, classes), of its features.

        None if the network ends in features.
        """
        return None

    def protocol(self) -> dict[str, Any]:
        """Return all that defines the features: weights' hash, resize, layer."""
        raise NotImplementedError

    def assets(self) -> Sequence[Asset]:
        """Return the files that ``prepare`` takes from the disk, there or not; fetches none."""
        return ()


class MetricContext(ABC):
    """What a metric sees of one evaluation.

    Attributes
    ----------
    data : Data
        The training set, which is the reference.
    samples : Tensor
        uint8 images (items, channels, height, width), or points (items, dimensions).
    features : Tensor, shape (items, width), float32
        The samples under the study's extractor.
    """

    data: Data
    samples: Tensor
    features: Tensor

    @abstractmethod
    def frechet_distance(self, part: Tensor | None = None) -> float:
        """Return the Fréchet distance between sample and reference features.

        Parameters
        ----------
        part : Tensor, shape (items,), int64, optional
            Indices of the samples to take, two or more; all of them if not given.
        """

    @abstractmethod
    def reference_features(self) -> Tensor:
        """Return features of data items, (items, width), float32, where ``features`` are.

        A fixed draw without replacement: as many items as an evaluation has samples, or all
        where the data are fewer.
        """

    @abstractmethod
    def training_features(self) -> Tensor:
        """Return the features of all data items, (items, width), float32, where ``features`` are.

        In the order of ``data.items``.
        """

    @abstractmethod
    def extractor_logits(self) -> Tensor | None:
        """Return the samples' class logits under the study's extractor; None if it has none."""

    @abstractmethod
    def classifier_logits(self) -> Tensor | None:
        """Return the samples' class logits under the study's classifier, (items, classes).

        None for data that ``can_classify`` does not take. The extractor may be another one. Of
        stacked images, whose channels are independent: the sum of the channels' log-probabilities.
        """

    @abstractmethod
    def sample_modes(self) -> Tensor | None:
        """Return each sample's mode, int64 (items,), -1 for none; None without classes.

        The classifier's label for images, for stacked ones the tuple of the channels' labels;
        for a mixture the nearest centre, if within the radius that holds 98.89 % of a mode: in
        the plane, three standard deviations.
        """

    @abstractmethod
    def reference_modes(self) -> Tensor | None:
        """Return the data's share of each mode, float64 (modes,), summing to 1."""

    @abstractmethod
    def reference_spread(self, within: bool = False) -> float | None:
        """Return the mean pairwise feature distance of a fixed subset of the data.

        Parameters
        ----------
        within : bool
            Only over pairs of one mode.

        Returns
        -------
        float or None
            None where there are too few pairs of one mode for a mean, or no modes.
        """

    @abstractmethod
    def sample_spread(self, within: bool = False) -> float | None:
        """Return the same of the samples, over a subset of the same size."""

    @abstractmethod
    def near_copies(self) -> float:
        """Return the share of samples, of such a subset, that have a near copy in it.

        That is another sample so near as 1% of the items of the data's subset have a neighbour.
        """

    def discriminator(self) -> TrainedDiscriminator | None:
        """Return copies of the trial's discriminator, the same ones at each call.

        None where the samples are no trial's: in the rehearsal before training. Where a trick
        has other weights to sample from, the figures of the weights as trained have none.
        """
        return None


class Metric:
    """One or more figures of an evaluation."""

    name: ClassVar[str]
    Parameters: ClassVar[type[MetricParameters]] = MetricParameters
    figures: ClassVar[Mapping[str, str]] = {}
    """Each figure's key and what it means, with its unit and range."""
    lower_is_better: ClassVar[tuple[str, ...]] = ()
    """Keys of the figures that a study may be judged by: lower is better, none below 0.

    Verdicts compare logarithms, and rank a trial last in which the figure is undefined.
    """
    extractors: ClassVar[tuple[str, ...]] = ()
    """Names of the extractors in whose features it is defined; empty: in any."""
    final_only: ClassVar[bool] = False
    """Whether it is computed at a trial's last evaluation alone, because it costs much.

    Such a metric gives nothing that is lower is better: verdicts look at the last evaluation,
    but curves, pruners and searches look at each.
    """

    def __init__(self, parameters: MetricParameters) -> None:
        self.parameters: Any = parameters

    def applies(self, data: Data) -> tuple[bool, str]:
        """Say whether the metric is defined on these data, and if not, why."""
        return True, ""

    def least_samples(self, width: int) -> int:
        """Return how many samples and data items it needs; a study with fewer is refused.

        Parameters
        ----------
        width : int
            Of the extractor's features.
        """
        return 2

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the figures, under keys of ``figures``; leave out what is undefined.

        Must draw no random numbers: the same samples give the same figures.
        """
        raise NotImplementedError
