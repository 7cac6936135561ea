"""Pictures of a plugin's own for the report: traversals of a code, levels of a pyramid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Picture:
    """A grid of images with its labels.

    Attributes
    ----------
    images : Tensor, shape (rows, columns, channels, height, width), in [-1, 1]
    caption : str
        What is to be seen, as one or two sentences.
    row_labels, column_labels : tuple of str
        One each row, one each column; empty for none.
    """

    images: Tensor
    caption: str
    row_labels: tuple[str, ...] = ()
    column_labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sampler:
    """The generators as they are sampled from: in sampling mode, without gradients.

    Attributes
    ----------
    generators : mapping of pair name to Module
    latents : callable (count) -> mapping of pair name to Tensor, shape (count, latent)
        The first latents of every evaluation, after the tricks' transforms: the same at each
        call.
    images : callable (latents by pair) -> Tensor, shape (count, *shape)
        What the architecture makes of them, in the range of the generator's output.
    """

    generators: Mapping[str, nn.Module]
    latents: Callable[[int], Mapping[str, Tensor]]
    images: Callable[[Mapping[str, Tensor]], Tensor]
