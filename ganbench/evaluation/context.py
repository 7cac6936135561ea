"""What extractors and metrics see: the contexts of the public API, filled in."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganbench.data.load import data_hash
from ganbench.evaluation.classifier import Classifier, obtain_classifier
from ganbench.evaluation.collapse import Spread
from ganbench.evaluation.frechet import Moments, frechet_distance, moments
from ganbench.evaluation.modes import (
    attainable_spread,
    nearest_mode,
    shares,
    tuple_index,
    tuple_logits,
    tuple_shares,
)
from ganbench.evaluation.network import WIDTH
from ganbench.evaluation.spread import (
    closeness,
    mean_distance,
    mean_distance_within,
    nearest_distances,
)
from ganbench.plugin import (
    Data,
    Extractor,
    ExtractorContext,
    MetricContext,
    Progress,
    TrainedDiscriminator,
    can_classify,
)


class StudyContext(ExtractorContext):
    """The data, the device and, when it is first asked for, the study's classifier.

    Parameters
    ----------
    data : Data
    device : torch.device
    cache : Path
        Where the classifier's weights are kept.
    progress : callable
    """

    def __init__(self, data: Data, device: torch.device, cache: Path, progress: Progress) -> None:
        self.data = data
        self.device = device
        self.progress = progress
        self._cache = cache
        self._seen: dict[int, tuple[Tensor, Tensor]] = {}

    @cached_property
    def data_hash(self) -> str:
        """The data's hash."""
        return data_hash(self.data)

    @cached_property
    def classifier(self) -> Classifier:
        """The study's classifier, trained or loaded on first use, on the device."""
        data = self.data.stacked_from or self.data
        key = self.data_hash if data is self.data else data_hash(data)
        found = obtain_classifier(data, key, self._cache, self.progress)
        found.network.to(self.device)
        return found

    @property
    def has_classifier(self) -> bool:
        """Whether the classifier has been asked for."""
        return "classifier" in self.__dict__

    def classifier_features(self, images: Tensor) -> Tensor:
        """Return the penultimate features; remembered until `forget`, by batch."""
        seen = self._seen.get(id(images))
        if seen is None:
            # The batch is kept with its features, so that its id stays its own.
            looked_at = images.to(self.device)
            if self.data.stacked_from is not None:
                looked_at = looked_at.flatten(0, 1).unsqueeze(1)
            features = self.classifier.features(looked_at)
            seen = images, features.reshape(len(images), -1)
            self._seen[id(images)] = seen
        return seen[1]

    def classifier_protocol(self) -> dict[str, Any]:
        """Return the classifier's protocol."""
        protocol = self.classifier.protocol()
        if self.data.stacked_from is not None:
            protocol["images"] = (
                f"{self.data.stacked_from.name}: trained on single images, and each channel of a "
                "stack looked at alone; features are side by side, a mode is the tuple of labels"
            )
        return protocol

    def modes_of(self, batches: list[Tensor]) -> Tensor | None:
        """Return each item's mode, int64, -1 for none; None if the data have no modes."""
        if self.data.centres is not None:
            centres = self.data.centres
            return torch.cat([nearest_mode(batch, centres) for batch in batches])
        if self.data.labels is None or not self.data.is_image:
            return None
        return tuple_index(self._logits_by_channel(batches).argmax(dim=2).cpu(), self._kinds)

    def logits_of(self, batches: list[Tensor]) -> Tensor | None:
        """Return the classifier's logits, (items, classes); None if it cannot be trained."""
        if not can_classify(self.data)[0]:
            return None
        logits = self._logits_by_channel(batches)
        return logits[:, 0] if logits.shape[1] == 1 else tuple_logits(logits)

    @property
    def _kinds(self) -> int:
        return len((self.data.stacked_from or self.data).classes)

    def _logits_by_channel(self, batches: list[Tensor]) -> Tensor:
        """Return logits of shape (items, channels, kinds); one channel where none are stacked."""
        head = self.classifier.network.head
        features = [self.classifier_features(batch) for batch in batches]
        return torch.cat(
            [head(f.reshape(-1, WIDTH)).reshape(len(f), -1, self._kinds) for f in features]
        )

    def seen_shares(self) -> Tensor:
        """Return each mode's share of real images as the classifier labels them."""
        single = self.classifier.predicted
        if self.data.stacked_from is None:
            return single
        return tuple_shares(single, self.data.items.shape[1])

    def mode_shares(self) -> Tensor | None:
        """Return each mode's share of the data; None if the data have no modes.

        Of stacked images the one that they were drawn with: there may be more tuples than images.
        """
        if self.data.labels is None:
            return None
        single = self.data.stacked_from
        if single is not None and single.labels is not None:
            drawn_with = shares(single.labels, len(single.classes))
            return tuple_shares(drawn_with, self.data.items.shape[1])
        return shares(self.data.labels, len(self.data.classes))

    def attainable(self, samples: int) -> Spread | None:
        """Return how many modes a perfect generator shows; None if the data have no modes."""
        shares = self.mode_shares()
        if self.has_classifier and shares is not None:
            # Modes that the classifier never sees in real images are no generator's fault.
            shares = self.seen_shares()
        return None if shares is None else attainable_spread(shares, samples)

    def forget(self) -> None:
        """Drop the features that were remembered."""
        self._seen.clear()


@dataclass(frozen=True)
class Reference:
    """What samples are compared with: the whole training set under the extractor.

    Attributes
    ----------
    moments : Moments
        Of all items.
    features : Tensor, shape (subset, width), float32
        Of a fixed subset, for distances between items.
    items : Tensor, shape (subset, *shape)
        The same items.
    modes : callable () -> Tensor or None
        Their modes.
    drawn : callable () -> Tensor
        Features of as many items as an evaluation has samples: (items, width), float32.
    everything : callable () -> Tensor
        Features of all items.
    shares : Tensor, shape (modes,), or None
    """

    moments: Moments
    features: Tensor
    items: Tensor
    modes: Callable[[], Tensor | None]
    drawn: Callable[[], Tensor]
    everything: Callable[[], Tensor]
    shares: Tensor | None

    @cached_property
    def spread(self) -> float:
        """Mean distance over all pairs of the subset."""
        return mean_distance(self.features)

    @cached_property
    def spread_within(self) -> float | None:
        """Mean distance over the subset's pairs of one mode."""
        modes = self.modes()
        return None if modes is None else mean_distance_within(self.features, modes)

    @cached_property
    def closeness(self) -> float:
        """Distance within which an item of the subset would be another's near copy."""
        return closeness(self.features)


class SampleContext(MetricContext):
    """One evaluation, as the metrics see it.

    Parameters
    ----------
    study : StudyContext
    reference : Reference
    extractor : Extractor
    batches : list of Tensor
        The samples, in the batches that they were measured in.
    features : Tensor, shape (items, width), float32
    discriminator : callable () -> TrainedDiscriminator, optional
        Of the trial whose samples these are.
    """

    def __init__(
        self,
        study: StudyContext,
        reference: Reference,
        extractor: Extractor,
        batches: list[Tensor],
        features: Tensor,
        discriminator: Callable[[], TrainedDiscriminator] | None = None,
    ) -> None:
        self.data = study.data
        self.samples = torch.cat(batches)
        self.features = features
        self._study, self._reference = study, reference
        self._extractor, self._batches = extractor, batches
        self._make_discriminator = discriminator

    @cached_property
    def _discriminator(self) -> TrainedDiscriminator | None:
        return None if self._make_discriminator is None else self._make_discriminator()

    def discriminator(self) -> TrainedDiscriminator | None:
        """Return copies of the trial's discriminator, made on first use."""
        return self._discriminator

    @cached_property
    def _modes(self) -> Tensor | None:
        return self._study.modes_of(self._batches)

    def frechet_distance(self, part: Tensor | None = None) -> float:
        """Return the Fréchet distance between sample, or some of them, and reference features."""
        features = self.features if part is None else self.features[part.to(self.features.device)]
        return frechet_distance(moments(features), self._reference.moments)

    def reference_features(self) -> Tensor:
        """Return features of a fixed draw of the data."""
        return self._reference.drawn().to(self.features.device)

    def training_features(self) -> Tensor:
        """Return features of all the data."""
        return self._reference.everything().to(self.features.device)

    def extractor_logits(self) -> Tensor | None:
        """Return the samples' logits under the extractor."""
        return self._extractor.logits(self.features)

    def classifier_logits(self) -> Tensor | None:
        """Return the samples' logits under the study's classifier."""
        return self._study.logits_of(self._batches)

    def sample_modes(self) -> Tensor | None:
        """Return each sample's mode."""
        return self._modes

    def reference_modes(self) -> Tensor | None:
        """Return the data's share of each mode."""
        return self._reference.shares

    def reference_spread(self, within: bool = False) -> float | None:
        """Return the mean pairwise feature distance of the data's subset."""
        return self._reference.spread_within if within else self._reference.spread

    def sample_spread(self, within: bool = False) -> float | None:
        """Return the mean pairwise feature distance of as many samples, the first ones."""
        count = len(self._reference.features)
        if not within:
            return mean_distance(self.features[:count])
        if self._modes is None:
            return None
        return mean_distance_within(self.features[:count], self._modes[:count])

    def near_copies(self) -> float:
        """Return the share of samples, of as many, that have a near copy among them."""
        nearest = nearest_distances(self.features[: len(self._reference.features)])
        return float((nearest <= self._reference.closeness).double().mean())

    def histogram(self) -> tuple[int, ...]:
        """Return how many samples each mode has; empty without modes."""
        if self._modes is None or self._reference.shares is None:
            return ()
        counts = self._modes[self._modes >= 0].bincount(minlength=len(self._reference.shares))
        return tuple(counts.tolist())
