"""DiffAugment: the same augmentations for real and fake, in D's and G's step (Zhao et al., 2020).

How to use
    ``diffaugment: on``, or ``{policy: [translation, cutout]}``.
Suggested hyperparameters
    All three on scarce data; ``[translation, cutout]``, or ``[translation]`` alone, where
    colours carry meaning or data are plenty. Strengths are the paper's.
Technical details and trade-offs
    A D that has few images learns them by heart. Augmenting real images only teaches G the
    augmented ones, and augmenting in D's step only blinds G. So everything that D sees is
    augmented, in both halves of the step, by operations through which G's gradient flows,
    each image with draws of its own.
    *color*: brightness, a shift of all values by U(-0.5, 0.5); saturation, the distance of
    each channel from the pixel's mean times U(0, 2); contrast, the distance of each value
    from the image's mean times U(0.5, 1.5). In grey images a pixel's mean is the pixel, and
    saturation is the identity. Values are not clamped to [-1, 1], as in the source.
    *translation*: by up to 1/8 of the size each way, zeros moving in (mid-grey).
    *cutout*: a square of half the size, zero, centred anywhere.
    They run in the order in which the policy lists them. On 8×8 digits a translation is one
    pixel, and a cutout hides up to a quarter. Not for points, and not for a conditional
    pair, whose condition would have to be moved along.
Attribution
    S. Zhao, Z. Liu, J. Lin, J.-Y. Zhu, S. Han, *Differentiable Augmentation for
    Data-Efficient GAN Training*, NeurIPS 2020, sections 3.2 and 3.3; strengths from the
    authors' code.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from ganbench.plugin import (
    Annotated,
    Buffers,
    BuildContext,
    Field,
    Search,
    Trick,
    TrickParameters,
)

from ._networks import is_conditional


def shift_brightness(x: Tensor, amount: Tensor) -> Tensor:
    """Add to every value; ``x`` (batch, channels, height, width), ``amount`` (batch,)."""
    return x + _per_image(amount)


def scale_saturation(x: Tensor, factor: Tensor) -> Tensor:
    """Scale each pixel's distance from its mean over the channels; ``factor`` (batch,)."""
    grey = x.mean(1, keepdim=True)
    return (x - grey) * _per_image(factor) + grey


def scale_contrast(x: Tensor, factor: Tensor) -> Tensor:
    """Scale each value's distance from its image's mean; ``factor`` (batch,)."""
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * _per_image(factor) + mean


def translate(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Move images by whole pixels; zeros move in.

    Parameters
    ----------
    x : Tensor, shape (batch, channels, height, width)
    down, right : Tensor, shape (batch,), int64
        Negative to move up, or left.
    """
    for axis, shift in ((2, down), (3, right)):
        size = x.shape[axis]
        source = torch.arange(size, device=x.device) - shift[:, None]
        shape = [len(x), 1, 1, 1]
        shape[axis] = size
        index = source.clamp(0, size - 1).reshape(shape).expand(x.shape)
        inside = ((source >= 0) & (source < size)).reshape(shape)
        x = x.gather(axis, index) * inside
    return x


def cut_out(x: Tensor, top: Tensor, left: Tensor, height: int, width: int) -> Tensor:
    """Set a rectangle of each image to 0; what of it is outside of the image is ignored.

    Parameters
    ----------
    x : Tensor, shape (batch, channels, height, width)
    top, left : Tensor, shape (batch,), int64
    height, width : int
    """
    rows = torch.arange(x.shape[2], device=x.device) - top[:, None]
    columns = torch.arange(x.shape[3], device=x.device) - left[:, None]
    hidden_rows = (rows >= 0) & (rows < height)
    hidden_columns = (columns >= 0) & (columns < width)
    hidden = hidden_rows[:, None, :, None] & hidden_columns[:, None, None, :]
    return x * ~hidden


def _per_image(values: Tensor) -> Tensor:
    return values.reshape(-1, 1, 1, 1)


class DiffAugment(Trick):
    """Augment all that D sees, differentiably."""

    name = "diffaugment"

    class Parameters(TrickParameters):
        policy: tuple[Literal["color", "translation", "cutout"], ...] = (
            "color",
            "translation",
            "cutout",
        )
        """Operations, in their order; none changes nothing."""
        translation: Annotated[float, Field(gt=0, le=0.5), Search(0.05, 0.25)] = 0.125
        """Longest translation, as a share of the size; rounded to pixels."""
        cutout: Annotated[float, Field(gt=0, le=1), Search(0.2, 0.6)] = 0.5
        """Side of the square that is cut out, as a share of the size; rounded to pixels."""

    neutral = Parameters(policy=())

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        if not self.parameters.policy:
            return False, ""
        if not ctx.spec.is_image:
            return True, "it augments images, and these are points"
        return is_conditional(ctx), "the condition would have to be augmented along"

    def transform_images(self, x: Tensor, is_real: bool, buf: Buffers) -> Tensor:
        operations: Mapping[str, Callable[[Tensor, torch.Generator], Tensor]] = {
            "color": self._color,
            "translation": self._translation,
            "cutout": self._cutout,
        }
        for name in self.parameters.policy:
            x = operations[name](x, buf.generator)
        return x

    @staticmethod
    def _color(x: Tensor, stream: torch.Generator) -> Tensor:
        brightness, saturation, contrast = torch.rand(
            (3, len(x)), generator=stream, device=x.device, dtype=x.dtype
        )
        x = shift_brightness(x, brightness - 0.5)
        x = scale_saturation(x, 2 * saturation)
        return scale_contrast(x, contrast + 0.5)

    def _translation(self, x: Tensor, stream: torch.Generator) -> Tensor:
        down, right = (
            self._integers(x, -reach, reach, stream)
            for reach in _pixels(x, self.parameters.translation)
        )
        return translate(x, down, right)

    def _cutout(self, x: Tensor, stream: torch.Generator) -> Tensor:
        height, width = _pixels(x, self.parameters.cutout)
        # A square of an even side has its centre between pixels, at one place more.
        centre_row = self._integers(x, 0, x.shape[2] - height % 2, stream)
        centre_column = self._integers(x, 0, x.shape[3] - width % 2, stream)
        return cut_out(x, centre_row - height // 2, centre_column - width // 2, height, width)

    @staticmethod
    def _integers(x: Tensor, low: int, high: int, stream: torch.Generator) -> Tensor:
        """Draw one integer an image, from low to high, both included."""
        return torch.randint(low, high + 1, (len(x),), generator=stream, device=x.device)


def _pixels(x: Tensor, share: float) -> tuple[int, int]:
    return int(x.shape[2] * share + 0.5), int(x.shape[3] * share + 0.5)
