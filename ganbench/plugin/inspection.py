"""The base class of inspections: pictures of what a trial's networks have learned."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from ganbench.plugin.dataset import Data
from ganbench.plugin.errors import GanbenchError
from ganbench.plugin.latent import LatentSpec
from ganbench.plugin.networks import TrainedDiscriminator
from ganbench.plugin.parameters import Parameters
from ganbench.plugin.picture import Picture, Sampler


class NothingToShowError(GanbenchError):
    """Why an inspection has no picture of this trial; the report gives the reason."""


class InspectionParameters(Parameters):
    """Base of an inspection's parameters."""


class InspectionContext(ABC):
    """A trial that has ended, as an inspection sees it.

    Attributes
    ----------
    data : Data
        The training set.
    sampler : Sampler
        The generators as they are scored: in sampling mode, the latents those of evaluations.
    latents : mapping of pair name to LatentSpec
        Each generator's prior.
    """

    data: Data
    sampler: Sampler
    latents: Mapping[str, LatentSpec]

    @abstractmethod
    def discriminator(self) -> TrainedDiscriminator:
        """Return copies of the discriminator of whole images, the same ones at each call."""

    @abstractmethod
    def classify(self, images: Tensor) -> Tensor | None:
        """Return the study's classifier's labels, int64, of images as generators give them.

        None for data that ``can_classify`` does not take.
        """

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Return the study's extractor's features, (items, width), of images as generators give.

        They are measured as saved images would be.
        """

    @abstractmethod
    def data_features(self) -> tuple[Tensor, Tensor]:
        """Return indices of data items, int64, and their features, (items, width), on the CPU.

        All items, or as many of a fixed draw as fit into 128 MiB.
        """


class Inspection:
    """Pictures of what a trial's networks have learned, drawn when it has ended.

    No verdict rests on them: figures are a `Metric`'s.
    """

    name: ClassVar[str]
    Parameters: ClassVar[type[InspectionParameters]] = InspectionParameters
    title: ClassVar[str]
    """Its heading in the report."""
    note: ClassVar[str]
    """What is to be seen, and how to read it: a paragraph for somebody who never saw one."""

    order: ClassVar[int] = 100
    """Where it stands in the report if the study lists none: by this number, then by name."""
    compares_with_data: ClassVar[bool] = False
    """Whether it asks for ``data_features``, which are then computed before any training."""

    def __init__(self, parameters: InspectionParameters) -> None:
        self.parameters: Any = parameters

    def applies(self, data: Data) -> tuple[bool, str]:
        """Say whether it makes sense for these data, and if not, why: for images, by default."""
        return (True, "") if data.is_image else (False, "these are points, and it shows images")

    def draw(self, ctx: InspectionContext) -> Mapping[str, Picture]:
        """Return pictures, by a name with lower-case letters, digits and -.

        Called without gradients, once for each trial that completes. Random numbers, if any,
        come from a generator of its own with a fixed seed.

        Raises
        ------
        NothingToShowError
            If this trial has nothing to show: the reason goes into the report.
        """
        raise NotImplementedError
