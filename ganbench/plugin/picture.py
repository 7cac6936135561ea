"""Pictures of a plugin's own for the report: traversals of a code, levels of a pyramid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Picture:
    """A grid of images with its labels.

    Attributes
    ----------
    images : Tensor, shape (rows, columns, channels, height, width), in [-1, 1]
        Floating point and finite, none of the dimensions 0, channels 1 or 3; what lies
        outside [-1, 1] is clamped. A very large grid is shown without its last rows and
        columns, and the report says so.
    caption : str
        What is to be seen, as one or two sentences; not empty.
    row_labels, column_labels : tuple of str
        One each row, one each column; empty for none.

    Raises
    ------
    ValueError
        If it is not as described.
    """

    images: Tensor
    caption: str
    row_labels: tuple[str, ...] = ()
    column_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_images(self.images)
        if not isinstance(self.caption, str) or not self.caption.strip():
            raise ValueError(f"a picture's caption is {self.caption!r}, expected a sentence")
        rows, columns = self.images.shape[:2]
        _check_labels("row_labels", self.row_labels, rows)
        _check_labels("column_labels", self.column_labels, columns)


def _check_images(images: object) -> None:
    if not isinstance(images, Tensor):
        raise ValueError(
            f"a picture's images are a {type(images).__name__}, expected a Tensor of shape "
            "(rows, columns, channels, height, width)"
        )
    shape = tuple(images.shape)
    if images.ndim != 5 or 0 in shape or shape[2] not in (1, 3):
        raise ValueError(
            f"a picture's images have shape {shape}, expected (rows, columns, channels, height, "
            "width), none of them 0, with 1 or 3 channels"
        )
    if not images.is_floating_point():
        raise ValueError(f"a picture's images are {images.dtype}, expected floats in [-1, 1]")
    if not bool(torch.isfinite(images).all()):
        raise ValueError("a picture's images hold NaN or infinity, expected values in [-1, 1]")


def _check_labels(name: str, labels: object, count: int) -> None:
    if not isinstance(labels, tuple) or not all(isinstance(text, str) for text in labels):
        raise ValueError(f"a picture's {name} are {labels!r}, expected a tuple of str")
    if labels and len(labels) != count:
        raise ValueError(
            f"a picture has {len(labels)} {name} for {count} {name.partition('_')[0]}s, expected "
            "one each, or none at all"
        )


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
