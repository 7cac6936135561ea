"""Minibatch standard deviation: D sees how much a batch varies (Karras et al., 2018).

How to use
    ``minibatch_stddev: on``, or ``{group_size: 8}``; ``group_size: 0`` takes the whole batch.
Suggested hyperparameters
    ``group_size`` 4, as in the code of Progressive GAN, StyleGAN and StyleGAN2.
Technical details and trade-offs
    Behind D's last block stands one more feature map (for a D without maps, one more
    feature): the standard deviation over a group of images of each feature at each place,
    averaged to one number and repeated over the map. A batch that varies too little gives
    itself away, and G is pushed to vary. No parameters of its own, but the head's for the
    new map. The paper puts the layer before the last convolution of a D that ends in a 4×4
    map; here it stands where the blocks end and the head begins.
    Real and fake batches go through D one after the other, so no group mixes them; in one
    batch (``mixed_batches``) every group would be half real and half fake, and its deviation
    would tell nothing, so the two do not go together. Groups are of images one group-count
    apart, as in the source. Where D sees a smaller batch (``packing``), a group is the largest
    divisor of it that is at most ``group_size``; if that is 1, there is nothing to see: n/a.
Attribution
    T. Karras, T. Aila, S. Laine, J. Lehtinen, *Progressive Growing of GANs for Improved
    Quality, Stability, and Variation*, ICLR 2018, section 3; the group size is their
    code's, and that of T. Karras et al., *A Style-Based Generator Architecture for GANs*,
    CVPR 2019.
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganbench.plugin import (
    Annotated,
    BuildContext,
    Discriminator,
    Field,
    Trick,
    TrickParameters,
)

from ._networks import head_problem, images_per_input, last_shape, with_inputs

EPSILON = 1e-8
"""Added to the variance, which keeps its root differentiable where it is 0."""


def group_deviation(features: Tensor, group_size: int) -> Tensor:
    """Return for each item the standard deviation within its group, averaged over features.

    Parameters
    ----------
    features : Tensor, shape (batch, ...)
    group_size : int
        A divisor of the batch. Item i is in group i modulo batch / group_size.

    Returns
    -------
    Tensor, shape (batch,), float32
    """
    groups = features.float().reshape(group_size, features.shape[0] // group_size, -1)
    variance = (groups - groups.mean(0)).square().mean(0)
    return (variance + EPSILON).sqrt().mean(1).repeat(group_size)


def largest_divisor(batch: int, at_most: int) -> int:
    """Return the largest divisor of ``batch`` that is at most ``at_most``."""
    return max(size for size in range(1, min(batch, at_most) + 1) if batch % size == 0)


class MinibatchStddev(nn.Module):
    """Append the deviation within groups: to maps as a map, to features as a feature.

    Parameters
    ----------
    group_size : int
        0 for the whole batch.
    """

    def __init__(self, group_size: int) -> None:
        super().__init__()
        self.group_size = group_size

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, channels + 1, ...) for (batch, channels, ...)."""
        batch = x.shape[0]
        size = largest_divisor(batch, self.group_size or batch)
        deviation = group_deviation(x, size).to(x.dtype)
        shape = (batch, 1, *x.shape[2:])
        return torch.cat([x, deviation.reshape(-1, *[1] * (x.ndim - 1)).expand(shape)], 1)


class MinibatchStandardDeviation(Trick):
    """Show D's head the standard deviation of its features within groups of images."""

    name = "minibatch_stddev"
    before = ("minibatch_discrimination",)
    after = ("packing",)  # to see how large D's batch is
    conflicts: ClassVar[Mapping[str, str]] = {
        "mixed_batches": (
            "in one batch every group holds as many real images as fakes, and the deviation is "
            "the same for both"
        )
    }

    class Parameters(TrickParameters):
        group_size: Annotated[int, Field(ge=0, le=1024)] = 4
        """Images in a group; 0 for the whole batch; 1 leaves D as it is."""

    neutral = Parameters(group_size=1)

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        size: int = self.parameters.group_size
        if size == 1:
            return False, ""
        if size and ctx.spec.batch_size % size:
            return True, f"groups of {size} do not divide a batch of {ctx.spec.batch_size}"
        problem = head_problem(ctx) or self._group_problem(ctx)
        return bool(problem), problem

    def transform_discriminator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        size: int = self.parameters.group_size
        if size == 1 or not isinstance(net, Discriminator):
            return net
        places = math.prod(last_shape(net, ctx)[1:])
        net.blocks.add_module(self.name, MinibatchStddev(size))
        net.head = with_inputs(net.head, net.head.in_features + places)  # type: ignore[arg-type, operator]
        return net

    def _group_problem(self, ctx: BuildContext) -> str:
        if ctx.discriminator is None:
            return ""
        batch = ctx.spec.batch_size // images_per_input(ctx.discriminator, ctx)
        size: int = self.parameters.group_size or batch
        if largest_divisor(batch, size) > 1:
            return ""
        return f"D's batch of {batch} does not fall into groups of 2 or more, up to {size}"
