"""keras-dcgan: the DCGAN of the collection Keras-GAN, layer by layer (Linder-Norén, 2017).

How to use
    ``architecture: keras-dcgan``; the whole system: ``extends: presets/keras-dcgan``.
Suggested hyperparameters
    The source's: latent N(0, 1) of 100, Adam with learning rate 2e-4 and β1 0.5 for both
    networks, batch 32, 4,000 steps.
Technical details and trade-offs
    G: dense 100 → 7·7·128, ReLU; twice nearest-neighbour upsampling, 3×3 convolution to 128
    and then 64 channels, BatchNorm, ReLU; 3×3 convolution to the image, tanh. D: 3×3
    convolutions to 32, 64, 128 channels with stride 2 and to 256 with stride 1, each with
    LeakyReLU(0.2) and dropout 0.25, BatchNorm in all but the first; a dense logit. Behind
    D's second convolution stands a row and a column of zeros, which makes 7×7 maps 8×8
    (published totals at 28×28×1: G 856,193, D 393,729 with the running statistics).
    Keras' conventions are kept: its asymmetric ``same`` padding, BatchNorm with momentum 0.8
    (PyTorch's 0.2) and ε 1e-3, Glorot's uniform weights. The first maps are a quarter of the
    image wide, so any size that is a multiple of 4 fits; the zeros stay. An early version of
    the source placed BatchNorm behind the activations; this is the later one.
Attribution
    E. Linder-Norén, *Keras-GAN*, 2017, ``dcgan/dcgan.py``; after A. Radford et al., *Unsupervised
    Representation Learning with Deep Convolutional Generative Adversarial Networks*, ICLR 2016.
"""

from collections import OrderedDict

from torch import nn

from ganbench.plugin import Architecture, Discriminator, TrainingSpec

from ._keras import glorot, norm2d, pad_same, square_multiple
from ._resize import NearestUpsample
from .dcgan import block

MOMENTUM = 0.8
"""Of BatchNorm, as Keras states it: the weight of the past."""


class KerasDCGAN(Architecture):
    """The DCGAN of the Keras-GAN collection."""

    name = "keras-dcgan"

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        return square_multiple(spec, 4, smallest=8)

    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        first = spec.shape[1] // 4
        return nn.Sequential(
            OrderedDict(
                project=block(
                    linear=nn.Linear(spec.latent.dimension, 128 * first * first),
                    activation=nn.ReLU(),
                    shape=nn.Unflatten(1, (128, first, first)),
                ),
                up1=_grow(128, 128),
                up2=_grow(128, 64),
                output=block(conv=nn.Conv2d(64, spec.channels, 3, padding=1), activation=nn.Tanh()),
            )
        )

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        half = spec.shape[1] // 2
        quarter = half // 2 + 1  # with the zeros
        size = -(-quarter // 2)
        blocks: OrderedDict[str, nn.Module] = OrderedDict(
            down1=block(
                pad=pad_same(spec.shape[1], 3, 2),
                conv=nn.Conv2d(spec.channels, 32, 3, stride=2),
                activation=nn.LeakyReLU(0.2),
                dropout=nn.Dropout(0.25),
            ),
            down2=_shrink(32, 64, half, stride=2, zeros=True),
            down3=_shrink(64, 128, quarter, stride=2),
            down4=_shrink(128, 256, size, stride=1),
        )
        return Discriminator(nn.Sequential(blocks), nn.Linear(256 * size * size, 1))

    def initialise(self, module: nn.Module) -> None:
        if not glorot(module):
            super().initialise(module)


def _grow(channels: int, features: int) -> nn.Sequential:
    """Return a block that doubles a map."""
    return block(
        resize=NearestUpsample(scale_factor=2, mode="nearest"),
        conv=nn.Conv2d(channels, features, 3, padding=1),
        norm=norm2d(features, MOMENTUM),
        activation=nn.ReLU(),
    )


def _shrink(
    channels: int, features: int, size: int, stride: int, zeros: bool = False
) -> nn.Sequential:
    """Return a normalised block of D for maps of ``size``, perhaps with the row of zeros."""
    return block(
        pad=pad_same(size, 3, stride),
        conv=nn.Conv2d(channels, features, 3, stride=stride),
        **({"zeros": nn.ZeroPad2d((0, 1, 0, 1))} if zeros else {}),
        norm=norm2d(features, MOMENTUM),
        activation=nn.LeakyReLU(0.2),
        dropout=nn.Dropout(0.25),
    )
