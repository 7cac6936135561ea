"""Packing: D judges several images of one kind together (PacGAN; Lin et al., 2018).

How to use
    ``packing: on``, or ``{images: 4}``.
Suggested hyperparameters
    ``images`` 2, which is most of the effect in the paper's tables; 3 and 4 add little. It is
    a factor with levels and no number to search: at 3, a batch of 64 has no whole packs.
Technical details and trade-offs
    D gets m images at once, side by side in its input channels, all real or all fake, and
    gives them one verdict. A generator that has lost modes makes packs that are too alike,
    which shows in a pack and not in an image. Only D's first layer grows, to m times its
    input channels or features; G and the rest of D stay.
    *The batch.* The authors' code makes ``batch_size`` packs, of m times as many real and
    fake images (synthetic, stacked MNIST and CelebA experiments alike). Here the batch's
    images go into packs, so D sees batch_size / m of them: an arm then draws the same
    images and latents as the baseline it is compared with, and costs as much. The authors'
    setting is an explicit arm, ``set: {packing: {images: 2}, batch_size: 128}`` beside a
    baseline of 64; it draws other batches than the baseline does.
    Images are packed in the order of the batch, which is shuffled, so that a pack never
    holds an image twice; the CelebA code shuffles each of the m positions by itself.
    A pack's target is that of its first image, so that noisy labels keep their
    distribution. Whatever looks at D's inputs, such as a gradient penalty, sees packs.
    Not for a conditional D, whose pack would need one condition.
Attribution
    Z. Lin, A. Khetan, G. Fanti, S. Oh, *PacGAN: The power of two samples in generative
    adversarial networks*, NeurIPS 2018, section 2.
"""

import math

from torch import Tensor, nn

from ganbench.plugin import (
    Annotated,
    Buffers,
    BuildContext,
    Discriminator,
    Field,
    Half,
    Stage,
    Trick,
    TrickParameters,
)

from ._networks import first_weighted, is_conditional, replace_layer, with_inputs


def pack(x: Tensor, images: int) -> Tensor:
    """Put each ``images`` consecutive items side by side in one item's channels.

    Parameters
    ----------
    x : Tensor, shape (batch, channels, ...)
    images : int
        A divisor of the batch.

    Returns
    -------
    Tensor, shape (batch / images, images * channels, ...)
    """
    return x.reshape(x.shape[0] // images, images * x.shape[1], *x.shape[2:])


class Packing(Trick):
    """Let D judge packs of images, all real or all fake."""

    name = "packing"
    stage = Stage.LAST

    class Parameters(TrickParameters):
        images: Annotated[int, Field(ge=1, le=16)] = 2
        """Images in a pack; must divide the batch size."""

    neutral = Parameters(images=1)

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        images: int = self.parameters.images
        if images == 1:
            return False, ""
        if is_conditional(ctx):
            return True, "a pack would need one condition, and each image has its own"
        if ctx.spec.batch_size % images:
            return True, f"{images} images a pack do not divide a batch of {ctx.spec.batch_size}"
        net = ctx.discriminator
        if not isinstance(net, Discriminator | nn.Sequential):
            return True, f"the discriminator of {ctx.architecture} does not say what comes first"
        _, layer = first_weighted(net)
        if type(layer) is nn.Conv2d and layer.groups == 1:
            return _unless(layer.in_channels, ctx.spec.channels, "channels")
        if type(layer) is nn.Linear:
            return _unless(layer.in_features, math.prod(ctx.spec.shape), "features")
        return True, f"D's first layer with weights is a {type(layer).__name__}"

    def transform_discriminator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        images: int = self.parameters.images
        if images == 1:
            return net
        name, layer = first_weighted(net)
        inputs = layer.in_channels if isinstance(layer, nn.Conv2d) else layer.in_features
        replace_layer(net, name, with_inputs(layer, images * int(inputs)))  # type: ignore[arg-type]
        return net

    def transform_discriminator_input(self, x: Tensor, is_real: bool, buf: Buffers) -> Tensor:
        images: int = self.parameters.images
        return x if images == 1 else pack(x, images)

    def transform_targets(self, t: Tensor, is_real: bool, role: Half, buf: Buffers) -> Tensor:
        return t[:: self.parameters.images]


def _unless(found: int, expected: int, what: str) -> tuple[bool, str]:
    text = f"D's first layer takes {found} {what}, and an image has {expected}"
    return found != expected, text
