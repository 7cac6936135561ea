"""chollet-dcgan: the networks of *Deep Learning with Python*, section 8.5 (Chollet, 2017).

How to use
    ``architecture: chollet-dcgan``; the whole system: ``extends: presets/chollet-dcgan``.
Suggested hyperparameters
    The book's: latent N(0, 1) of 32, RMSprop with learning rate 4e-4 for G and 8e-4 for D,
    gradients clipped, noisy labels, batch 20, 10,000 steps.
Technical details and trade-offs
    G: dense 32 → 16·16·128; 5×5 convolution to 256 channels; 4×4 transposed convolution with
    stride 2; two 5×5 convolutions of 256 channels, LeakyReLU(0.3) behind each; 7×7 convolution
    to the image, tanh. D: 3×3 convolution to 128 channels, three 4×4 ones with stride 2, all
    without padding, LeakyReLU(0.3) behind each; one dropout of 0.4; a dense logit. There is
    no BatchNorm in either. (The book's totals at 32×32×3: G 6,264,579, D 790,913.) Three of
    G's layers work at full size with 256 channels, which makes it some ten times dearer than
    ``dcgan-transpose``. Weights are Glorot's uniform ones, as Keras draws them. Any even size
    fits from 24 pixels on, below which D's last map would be empty.
Attribution
    F. Chollet, *Deep Learning with Python*, Manning 2017, section 8.5, and its notebook.
"""

from collections import OrderedDict

from torch import nn

from ganbench.plugin import Architecture, Discriminator, TrainingSpec

from ._keras import glorot, square_multiple
from .dcgan import block


class CholletDCGAN(Architecture):
    """The DCGAN of Chollet's book."""

    name = "chollet-dcgan"

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        return square_multiple(spec, 2, smallest=24)

    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        half = spec.shape[1] // 2
        return nn.Sequential(
            OrderedDict(
                project=block(
                    linear=nn.Linear(spec.latent.dimension, 128 * half * half),
                    activation=nn.LeakyReLU(0.3),
                    shape=nn.Unflatten(1, (128, half, half)),
                ),
                conv1=_same(128),
                up1=block(
                    conv=nn.ConvTranspose2d(256, 256, 4, stride=2, padding=1),
                    activation=nn.LeakyReLU(0.3),
                ),
                conv2=_same(256),
                conv3=_same(256),
                output=block(
                    conv=nn.Conv2d(256, spec.channels, 7, padding=3), activation=nn.Tanh()
                ),
            )
        )

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        size = spec.shape[1] - 2
        blocks: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=block(conv=nn.Conv2d(spec.channels, 128, 3), activation=nn.LeakyReLU(0.3))
        )
        for level in range(1, 4):
            size = (size - 4) // 2 + 1
            blocks[f"down{level}"] = block(
                conv=nn.Conv2d(128, 128, 4, stride=2), activation=nn.LeakyReLU(0.3)
            )
        # The source flattens first, which changes nothing for a dropout of single values.
        blocks["down3"].add_module("dropout", nn.Dropout(0.4))
        return Discriminator(nn.Sequential(blocks), nn.Linear(128 * size * size, 1))

    def initialise(self, module: nn.Module) -> None:
        if not glorot(module):
            super().initialise(module)


def _same(channels: int) -> nn.Sequential:
    """Return a 5×5 convolution to 256 channels that keeps the size."""
    return block(conv=nn.Conv2d(channels, 256, 5, padding=2), activation=nn.LeakyReLU(0.3))
