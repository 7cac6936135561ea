"""tf-dcgan: the networks of TensorFlow's DCGAN tutorial, layer by layer (2019).

How to use
    ``architecture: tf-dcgan``; the whole system: ``extends: presets/tf-dcgan``.
Suggested hyperparameters
    The tutorial's: latent N(0, 1) of 100, Adam with learning rate 1e-4 and β1 0.9 for both
    networks, batch 256, 50 epochs of MNIST.
Technical details and trade-offs
    G: dense 100 → 7·7·256, then 5×5 transposed convolutions to 128 channels with stride 1, to
    64 with stride 2 and to the image with stride 2, tanh; no bias anywhere; BatchNorm and
    LeakyReLU(0.3) behind all but the last. D: 5×5 convolutions to 64 and 128 channels with
    stride 2, LeakyReLU(0.3), dropout 0.3, no BatchNorm; a dense logit. (The published totals
    at 28×28×1: G 2,330,944 with the running statistics, D 212,865.) A kernel of 5 is no
    multiple of the stride 2, so G's output pixels are reached by unequally many taps
    (Odena et al., 2016, on checkerboards). TensorFlow's conventions are kept: its asymmetric
    ``same`` padding, BatchNorm with momentum 0.99 (PyTorch's 0.01) and ε 1e-3, Glorot's
    uniform weights. The first maps are a quarter of the image wide, so any size that is a
    multiple of 4 fits; at 32×32×3 it starts from 8×8×256.
Attribution
    The TensorFlow authors, *Deep Convolutional Generative Adversarial Network*, TensorFlow Core
    tutorials, 2019.
"""

from collections import OrderedDict

from torch import nn

from ganbench.plugin import Architecture, Discriminator, TrainingSpec

from ._keras import crop_same, glorot, norm1d, norm2d, pad_same, square_multiple
from .dcgan import block

MOMENTUM = 0.99
"""Of BatchNorm, as Keras states it: the weight of the past."""


class TensorFlowDCGAN(Architecture):
    """The DCGAN of TensorFlow's tutorial."""

    name = "tf-dcgan"

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        return square_multiple(spec, 4, smallest=8)

    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        first = spec.shape[1] // 4
        features = 256 * first * first
        return nn.Sequential(
            OrderedDict(
                project=block(
                    linear=nn.Linear(spec.latent.dimension, features, bias=False),
                    norm=norm1d(features, MOMENTUM),
                    activation=nn.LeakyReLU(0.3),
                    shape=nn.Unflatten(1, (256, first, first)),
                ),
                same=block(
                    **_transpose(256, 128, first, stride=1),
                    norm=norm2d(128, MOMENTUM),
                    activation=nn.LeakyReLU(0.3),
                ),
                up1=block(
                    **_transpose(128, 64, first, stride=2),
                    norm=norm2d(64, MOMENTUM),
                    activation=nn.LeakyReLU(0.3),
                ),
                output=block(
                    **_transpose(64, spec.channels, 2 * first, stride=2), activation=nn.Tanh()
                ),
            )
        )

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        size = spec.shape[1]
        blocks: OrderedDict[str, nn.Module] = OrderedDict(
            down1=_shrink(spec.channels, 64, size), down2=_shrink(64, 128, size // 2)
        )
        return Discriminator(nn.Sequential(blocks), nn.Linear(128 * (size // 4) ** 2, 1))

    def initialise(self, module: nn.Module) -> None:
        if not glorot(module):
            super().initialise(module)


def _transpose(channels: int, features: int, size: int, stride: int) -> dict[str, nn.Module]:
    """Return a 5×5 transposed convolution of maps of ``size``, cut as TensorFlow cuts it."""
    conv = nn.ConvTranspose2d(channels, features, 5, stride=stride, bias=False)
    return {"conv": conv, "crop": crop_same(size, 5, stride)}


def _shrink(channels: int, features: int, size: int) -> nn.Sequential:
    """Return a block of D that halves maps of ``size``."""
    return block(
        pad=pad_same(size, 5, 2),
        conv=nn.Conv2d(channels, features, 5, stride=2),
        activation=nn.LeakyReLU(0.3),
        dropout=nn.Dropout(0.3),
    )
