"""LAPGAN: a Laplacian pyramid of GANs, sampled coarse to fine (Denton et al., 2015).

How to use
    ``architecture: lapgan``, or ``{name: lapgan, levels: 2, width: 16}``.
Suggested hyperparameters
    The source's, for CIFAR-10: the defaults; SGD with learning rate 0.02 and momentum 0.5 for
    every network, batch 128, latent U(-1, 1) of 100. For 8×8 digits ``width`` 16 and hidden
    layers of 128 to 256 are enough, and Adam is quicker.
Technical details and trade-offs
    One adversarial pair for each level, named by its size; all levels are trained side by side
    and independently. At the coarsest, G makes a whole image from the trial's latent. At each
    finer one it makes the difference between the image and its blurred self, given the blurred
    one and one plane of noise, U(-1, 1), whatever the trial's latent is. A sample is the
    coarsest image, doubled and corrected level by level: ``I = u(I') + G(z, u(I'))``.
    *Networks.* Finer levels: G has three convolutions without BatchNorm, kernels 7, 7, 5; D
    two with kernel 5 and no padding, the second with stride 2, then dropout and a linear
    layer, and it sees the difference *added* to the blurred image, so that it judges whole
    images, and a blurred one with it for free. Coarsest: two hidden layers each, dropout in D,
    weights from N(0, 0.05²) in G and N(0, 0.005²) in D. ReLU everywhere. No output activation:
    differences lie in [-2, 2], and the sum of levels is clamped when it is saved.
    *Sizes.* The default halves until the image is at most 8 wide, at least once: 32, 16, 8.
    Odd sizes are rounded up, so 28 gives 28, 14, 7. The paper cut CIFAR-10 to 28 and used
    28, 14, 8; its code has 32 and 16. On maps below 14 pixels a kernel is the largest odd one
    that is at most half as wide as the map, and at least 3: 8×8 gets 3, 3, 3 and 3, 3.
    *Operators.* As the code's ``image.scale``: d averages 2×2 pixels, u interpolates
    bilinearly with the corners kept in place. The residue makes the pyramid exact whatever d
    and u are. The code scaled pixels to mean 0 and variance 1; here they are in [-1, 1].
    *Not here*: the label conditions of the class-conditional variant, the random crops, and the
    code's slow schedule of momentum and learning rate. In D's and G's updates the fakes get
    the blurred images of the real batch, where the code draws others.
    A level never sees what the coarser one generates, only what it should: errors of the
    coarse image are handed on, and a level can do no better than the one below.
Attribution
    E. Denton, S. Chintala, A. Szlam, R. Fergus, *Deep Generative Image Models using a Laplacian
    Pyramid of Adversarial Networks*, NeurIPS 2015, sections 2.2, 2.3 and 3; and the authors'
    code, ``eyescream``, ``cifar/scripts/train_cifar_coarse_to_fine.lua``.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench.plugin import (
    Annotated,
    Architecture,
    ArchitectureParameters,
    Discriminator,
    Field,
    LatentSpec,
    Pair,
    Picture,
    Sampler,
    Search,
    TrainingSpec,
)

from .dcgan import block

COARSEST = 8
"""Widest image that is made at once, unless ``levels`` says otherwise."""
SMALLEST = 4
"""Narrowest image that is worth a level of its own."""
ROWS = 8
"""Samples in the picture of the levels."""
DEVIATION = "_lapgan_deviation"
"""The mark of a layer whose weights have a standard deviation of their own."""


def level_sizes(size: int, levels: int | None) -> list[int]:
    """Return the widths of the pyramid's images, finest first: 32 gives [32, 16, 8].

    Parameters
    ----------
    size : int
        Of the data.
    levels : int or None
        How many; with None as many as bring the last to at most 8, and at least two.
    """
    sizes = [size]
    while len(sizes) < (levels or 2) or (levels is None and sizes[-1] > COARSEST):
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def shrink(images: Tensor, size: int) -> Tensor:
    """Average neighbouring pixels: the paper's d, which blurs and decimates.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
    size : int
        Of the result.
    """
    return F.adaptive_avg_pool2d(images, size)


def expand(images: Tensor, size: int) -> Tensor:
    """Interpolate bilinearly, corners in place: the paper's u, which expands and smooths.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
    size : int
        Of the result.
    """
    return F.interpolate(images, size=(size, size), mode="bilinear", align_corners=True)


def image_at(images: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return images shrunk from ``sizes[0]`` to the last of ``sizes``, one after the other."""
    for size in sizes[1:]:
        images = shrink(images, size)
    return images


def low_pass(images: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return l of section 2.3: the image of the last level but one, blurred by the last.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, sizes[0], sizes[0])
    sizes : sequence of int
        At least two, finest first.

    Returns
    -------
    Tensor, shape (batch, channels, sizes[-2], sizes[-2])
    """
    return expand(image_at(images, sizes), sizes[-2])


def band_pass(images: Tensor, sizes: Sequence[int]) -> Tensor:
    """Return h of equation 3: what ``low_pass`` lacks, in [-2, 2] for images in [-1, 1]."""
    return image_at(images, sizes[:-1]) - low_pass(images, sizes)


def limited_kernel(kernel: int, size: int) -> int:
    """Return the largest odd kernel up to ``kernel`` and half a map's width, at least 3."""
    half = size // 2
    return min(kernel, max(3, half - 1 + half % 2))


def marked_linear(inputs: int, outputs: int, deviation: float) -> nn.Linear:
    """Return a linear layer marked to get weights from N(0, deviation²).

    The mark is an attribute, which a trick that widens the layer copies.
    """
    layer = nn.Linear(inputs, outputs)
    object.__setattr__(layer, DEVIATION, deviation)  # no tensor, as nn.Module's types want
    return layer


class LevelGenerator(nn.Module):
    """From a plane of noise and a blurred image to what the image lacks.

    Parameters
    ----------
    layers : Sequential
        From the image's channels and one of noise to the image's channels.
    """

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, z: Tensor, condition: Tensor) -> Tensor:
        """Return differences like ``condition`` for noise of shape (batch, height * width)."""
        plane = z.reshape(-1, 1, *condition.shape[2:])
        made: Tensor = self.layers(torch.cat([plane, condition], 1))
        return made


class LevelDiscriminator(Discriminator):
    """Judges a difference together with the blurred image, as their sum."""

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:  # type: ignore[override]
        """Return logits of shape (batch, 1)."""
        return super().forward(x + condition)

    def forward_with_features(  # type: ignore[override]
        self, x: Tensor, condition: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits and each block's output, from one forward pass."""
        return super().forward_with_features(x + condition)


class LAPGAN(Architecture):
    """A conditional GAN for each level of a Laplacian pyramid."""

    name = "lapgan"

    class Parameters(ArchitectureParameters):
        levels: Annotated[int, Field(ge=2, le=5)] | None = None
        """Images in the pyramid; by default as many as end at 8 pixels or fewer."""
        width: Annotated[int, Field(ge=2, le=1024), Search(16, 128, log=True)] = 64
        """Channels of the convolutions, at every level but the coarsest."""
        generator_hidden: Annotated[int, Field(ge=2, le=8192), Search(64, 2048, log=True)] = 1200
        """Width of G's two hidden layers at the coarsest level."""
        discriminator_hidden: Annotated[int, Field(ge=2, le=8192), Search(64, 2048, log=True)] = 600
        """Width of D's two hidden layers at the coarsest level."""
        dropout: Annotated[float, Field(ge=0, lt=1), Search(0.0, 0.7)] = 0.5
        """Share of D's last features that are dropped in training, at every level."""

    _sizes: list[int]

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        if not spec.is_image:
            return False, f"needs images, and the data have shape {spec.shape}"
        sizes = level_sizes(spec.shape[1], self.parameters.levels)
        if sizes[-1] < SMALLEST:
            return (
                False,
                f"its {len(sizes)} levels would end at {sizes[-1]} pixels, under {SMALLEST}",
            )
        return True, ""

    def build_pairs(self, spec: TrainingSpec) -> Sequence[Pair]:
        self._sizes = level_sizes(spec.shape[1], self.parameters.levels)
        coarsest = (spec.channels, self._sizes[-1], self._sizes[-1])
        pairs = [
            Pair(
                _name(self._sizes[-1]),
                self._coarsest_generator(spec.latent.dimension, coarsest),
                self._coarsest_discriminator(coarsest),
                real_view=partial(image_at, sizes=self._sizes),
                shape=coarsest,
            )
        ]
        for level in range(len(self._sizes) - 2, -1, -1):
            size, upto = self._sizes[level], self._sizes[: level + 2]
            pairs.append(
                Pair(
                    _name(size),
                    self._generator(spec.channels, size),
                    self._discriminator(spec.channels, size),
                    real_view=partial(band_pass, sizes=upto),
                    condition=partial(low_pass, sizes=upto),
                    latent=LatentSpec(size * size, "uniform"),
                    shape=(spec.channels, size, size),
                )
            )
        return pairs

    def sample(self, generators: Mapping[str, nn.Module], latents: Mapping[str, Tensor]) -> Tensor:
        return self._levels(generators, latents)[-1]

    def draw_pictures(self, sampler: Sampler) -> Mapping[str, Picture]:
        levels = self._levels(sampler.generators, sampler.latents(ROWS))
        shown = [F.interpolate(x, size=self._sizes[0], mode="nearest") for x in levels]
        caption = (
            "Each row is one sample as it grows: the coarsest image, then after each finer "
            "level's difference is added. Pixels are enlarged to the same size."
        )
        labels = tuple(f"{size}×{size}" for size in self._sizes[::-1])
        images = torch.stack(shown, 1).clamp(-1, 1)
        return {"levels": Picture(images, caption, column_labels=labels)}

    def initialise(self, module: nn.Module) -> None:
        super().initialise(module)
        deviation: float | None = getattr(module, DEVIATION, None)
        if isinstance(module, nn.Linear) and deviation is not None:
            nn.init.normal_(module.weight, 0.0, deviation)
            nn.init.zeros_(module.bias)

    def _levels(
        self, generators: Mapping[str, nn.Module], latents: Mapping[str, Tensor]
    ) -> list[Tensor]:
        """Return samples of every level, coarsest first (section 2.3, equation 5)."""
        coarsest = _name(self._sizes[-1])
        found = [generators[coarsest](latents[coarsest])]
        for size in self._sizes[-2::-1]:
            blurred = expand(found[-1], size)
            found.append(blurred + generators[_name(size)](latents[_name(size)], blurred))
        return found

    def _coarsest_generator(self, latent: int, shape: tuple[int, int, int]) -> nn.Module:
        hidden, (channels, size, _) = self.parameters.generator_hidden, shape
        return nn.Sequential(
            OrderedDict(
                hidden1=block(linear=marked_linear(latent, hidden, 0.05), activation=nn.ReLU()),
                hidden2=block(linear=marked_linear(hidden, hidden, 0.05), activation=nn.ReLU()),
                output=block(
                    linear=marked_linear(hidden, channels * size * size, 0.05),
                    shape=nn.Unflatten(1, shape),
                ),
            )
        )

    def _coarsest_discriminator(self, shape: tuple[int, int, int]) -> nn.Module:
        hidden, dropout = self.parameters.discriminator_hidden, self.parameters.dropout
        channels, size, _ = shape
        blocks: OrderedDict[str, nn.Module] = OrderedDict(
            hidden1=block(
                flatten=nn.Flatten(),
                linear=marked_linear(channels * size * size, hidden, 0.005),
                activation=nn.ReLU(),
                dropout=nn.Dropout(dropout),
            ),
            hidden2=block(
                linear=marked_linear(hidden, hidden, 0.005),
                activation=nn.ReLU(),
                dropout=nn.Dropout(dropout),
            ),
        )
        return Discriminator(nn.Sequential(blocks), marked_linear(hidden, 1, 0.005))

    def _generator(self, channels: int, size: int) -> nn.Module:
        width: int = self.parameters.width
        wide, narrow = limited_kernel(7, size), limited_kernel(5, size)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=block(
                conv=nn.Conv2d(channels + 1, width, wide, padding=wide // 2), activation=nn.ReLU()
            ),
            conv2=block(
                conv=nn.Conv2d(width, width, wide, padding=wide // 2), activation=nn.ReLU()
            ),
            output=block(conv=nn.Conv2d(width, channels, narrow, padding=narrow // 2)),
        )
        return LevelGenerator(nn.Sequential(layers))

    def _discriminator(self, channels: int, size: int) -> nn.Module:
        width: int = self.parameters.width
        first = limited_kernel(5, size)
        second = limited_kernel(5, size - first + 1)
        last = (size - first + 1 - second) // 2 + 1
        blocks: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=block(conv=nn.Conv2d(channels, width, first), activation=nn.ReLU()),
            conv2=block(
                conv=nn.Conv2d(width, width, second, stride=2),
                activation=nn.ReLU(),
                dropout=nn.Dropout(self.parameters.dropout),
            ),
        )
        return LevelDiscriminator(nn.Sequential(blocks), nn.Linear(width * last * last, 1))


def _name(size: int) -> str:
    """Return a level's name."""
    return f"{size}x{size}"
