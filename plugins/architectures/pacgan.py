"""pacgan-mlp and pacgan-dcgan: the networks of PacGAN's experiments (Lin et al., 2018).

How to use
    ``architecture: pacgan-mlp`` for points, ``architecture: pacgan-dcgan`` for images; the
    whole set-ups are the studies ``modes-2d``, ``modes-2d-grid`` and ``modes-stacked``.
Suggested hyperparameters
    The source's. Points: latent N(0, 1) of 2, Adam with learning rate 1e-4 and β1 0.8, batch
    100. Images: latent U(-1, 1) of 100, Adam with 2e-4 and β1 0.5, batch 64, G updated twice
    a step (``update_ratio: {discriminator: 1, generator: 2}``).
Technical details and trade-offs
    ``pacgan-mlp``, which PacGAN has from ALI. G: four layers of 400 ReLU behind BatchNorm
    (momentum 0.05, ε 1e-4), without biases, and a linear layer with one. D: three layers of 200
    maxout units of 5 linear pieces, and a logit; no BatchNorm. Weights from N(0, 0.02²), biases 0.
    ``pacgan-dcgan``, which PacGAN has from DCGAN-tensorflow. Four 5×5 convolutions with stride
    2 in either network, between the image and a map of a sixteenth of its size, rounded up: 28,
    14, 7, 4, 2. ``width`` channels next to the image, doubled at each; LeakyReLU(0.2) in D;
    BatchNorm everywhere but at G's output and D's input; TensorFlow's asymmetric padding. Weights
    from N(0, 0.02²), in D's convolutions cut off at two deviations, and biases 0. D has as many
    weights as G: what makes a D too small to hold 1,000 modes apart is another experiment of
    the paper.
Attribution
    Z. Lin, A. Khetan, G. Fanti, S. Oh, *PacGAN: The power of two samples in generative
    adversarial networks*, NeurIPS 2018, section 4; the authors' code,
    ``synthetic_data_experiments`` and ``stacked_MNIST_experiments/VEEGAN_experiment``.
    V. Dumoulin et al., *Adversarially Learned Inference*, ICLR 2017, for the networks for points.
"""

import math
from collections import OrderedDict
from itertools import pairwise

from torch import nn

from ganbench.plugin import (
    Annotated,
    Architecture,
    ArchitectureParameters,
    Discriminator,
    Field,
    Search,
    TrainingSpec,
)

from ._keras import pad_same, same_padding
from .dcgan import block
from .goodfellow_mlp import Maxout

PIECES = 5
"""Linear pieces of a maxout unit."""
HALVINGS = 4
SMALLEST = 2**HALVINGS
DEVIATION = 0.02


class PacGANMLP(Architecture):
    """PacGAN's networks for points: rectified units in G, maxout in D."""

    name = "pacgan-mlp"

    class Parameters(ArchitectureParameters):
        generator_width: Annotated[int, Field(ge=2, le=8192), Search(64, 1024, log=True)] = 400
        """Width of each of G's hidden layers."""
        width: Annotated[int, Field(ge=2, le=8192), Search(32, 512, log=True)] = 200
        """Maxout units in each of D's hidden layers."""

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        return not spec.is_image, f"needs points, and the data have shape {spec.shape}"

    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        features, wide = spec.latent.dimension, self.parameters.generator_width
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for level in range(1, 5):
            blocks[f"hidden{level}"] = block(
                linear=nn.Linear(features, wide, bias=False),
                norm=nn.BatchNorm1d(wide, eps=1e-4, momentum=0.05),
                activation=nn.ReLU(),
            )
            features = wide
        blocks["output"] = block(
            linear=nn.Linear(features, math.prod(spec.shape)), shape=nn.Unflatten(1, spec.shape)
        )
        return nn.Sequential(blocks)

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        features, wide = math.prod(spec.shape), self.parameters.width
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for level in range(1, 4):
            layers: dict[str, nn.Module] = {"flatten": nn.Flatten()} if level == 1 else {}
            blocks[f"hidden{level}"] = block(
                **layers, linear=nn.Linear(features, wide * PIECES), activation=Maxout(PIECES)
            )
            features = wide
        return Discriminator(nn.Sequential(blocks), nn.Linear(features, 1))

    def initialise(self, module: nn.Module) -> None:
        if not _draw(module):
            super().initialise(module)


class PacGANDCGAN(Architecture):
    """PacGAN's networks for images: the DCGAN of DCGAN-tensorflow."""

    name = "pacgan-dcgan"

    class Parameters(ArchitectureParameters):
        width: Annotated[int, Field(ge=4, le=1024), Search(16, 128, log=True)] = 64
        """Channels next to the image; they double with every halving of the map."""

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        if spec.is_image and spec.shape[1] == spec.shape[2] >= SMALLEST:
            return True, ""
        needs = f"square images of {SMALLEST} pixels or more"
        return False, f"needs {needs}, and the data have shape {spec.shape}"

    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        *sizes, first = _sizes(spec)
        widths = self._widths()[::-1]
        blocks: OrderedDict[str, nn.Module] = OrderedDict(
            project=block(
                linear=nn.Linear(spec.latent.dimension, widths[0] * first * first),
                shape=nn.Unflatten(1, (widths[0], first, first)),
                norm=nn.BatchNorm2d(widths[0]),
                activation=nn.ReLU(),
            )
        )
        for level, (channels, narrower) in enumerate(pairwise(widths), 1):
            blocks[f"up{level}"] = block(
                conv=nn.ConvTranspose2d(channels, narrower, 5, stride=2),
                crop=_crop(sizes[-level]),
                norm=nn.BatchNorm2d(narrower),
                activation=nn.ReLU(),
            )
        blocks["output"] = block(
            conv=nn.ConvTranspose2d(widths[-1], spec.channels, 5, stride=2),
            crop=_crop(sizes[0]),
            activation=nn.Tanh(),
        )
        return nn.Sequential(blocks)

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        channels, sizes = spec.channels, _sizes(spec)
        for level, features in enumerate(self._widths(), 1):
            layers: dict[str, nn.Module] = {
                "pad": pad_same(sizes[level - 1], 5, 2),
                "conv": nn.Conv2d(channels, features, 5, stride=2),
            }
            if level > 1:
                layers["norm"] = nn.BatchNorm2d(features)
            blocks[f"down{level}"] = block(**layers, activation=nn.LeakyReLU(0.2))
            channels = features
        return Discriminator(nn.Sequential(blocks), nn.Linear(channels * sizes[-1] ** 2, 1))

    def initialise(self, module: nn.Module) -> None:
        if not _draw(module):
            super().initialise(module)

    def _widths(self) -> list[int]:
        return [self.parameters.width * 2**level for level in range(HALVINGS)]


def _sizes(spec: TrainingSpec) -> list[int]:
    """Return the widths of the maps from the image down: 28 gives [28, 14, 7, 4, 2]."""
    sizes = [spec.shape[1]]
    for _ in range(HALVINGS):
        sizes.append(-(-sizes[-1] // 2))
    return sizes


def _crop(size: int) -> nn.ZeroPad2d:
    """Return what cuts an unpadded transposed convolution's map to ``size``, even or odd.

    It is the gradient of the convolution that halves a map of ``size``.
    """
    before, after = same_padding(size, 5, 2)
    return nn.ZeroPad2d((-before, -after, -before, -after))


def _draw(module: nn.Module) -> bool:
    """Draw a weighted layer, and say whether it was one."""
    if isinstance(module, nn.Conv2d):
        nn.init.trunc_normal_(module.weight, 0.0, DEVIATION, -2 * DEVIATION, 2 * DEVIATION)
    elif isinstance(module, nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, DEVIATION)
    else:
        return False
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return True
