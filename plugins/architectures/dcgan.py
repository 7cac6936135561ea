"""DCGAN: convolutional generator and discriminator (Radford et al., 2016).

How to use
    ``architecture: dcgan-upsample``, or ``{name: dcgan-transpose, width: 32}``.
Suggested hyperparameters
    ``width`` 16 for 8×8 digits, 64 for 32×32 and larger. Adam with learning rate 2e-4 and
    β1 0.5 for both networks (section 4 of the paper).
Technical details and trade-offs
    Both generators project the latent to a small map and double it until it has the size
    of the data; they differ in how they double. ``dcgan-upsample`` repeats each pixel and
    convolves with a 3×3 kernel; ``dcgan-transpose`` uses a transposed convolution whose
    kernel, 4×4, is divisible by its stride, 2, so that every output pixel is reached by
    equally many taps (Odena et al., 2016, on checkerboards). Sizes that are not a power of
    two are met exactly: odd maps come out of a narrower last row and column, nothing is
    cropped. The discriminator is the same for both: 4×4 convolutions with stride 2 and
    LeakyReLU(0.2), then one linear layer. BatchNorm after every layer but G's output and
    D's input, weights from N(0, 0.02²), BatchNorm's scale from N(1, 0.02²), as in the
    paper; there is no dense hidden layer.
Attribution
    A. Radford, L. Metz, S. Chintala, *Unsupervised Representation Learning with Deep
    Convolutional Generative Adversarial Networks*, ICLR 2016, sections 3 and 4.
    A. Odena, V. Dumoulin, C. Olah, *Deconvolution and Checkerboard Artifacts*, Distill 2016.
"""

from collections import OrderedDict

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

from ._resize import NearestUpsample

SMALLEST_MAP = 7
"""Maps are halved until they are at most this wide, and at least twice."""


def map_sizes(size: int) -> list[int]:
    """Return the widths of G's maps from the data's size down: 28 gives [28, 14, 7].

    At least two halvings give every network a hidden layer between its input and its
    output layer: 8 gives [8, 4, 2].

    Parameters
    ----------
    size : int, at least 8
    """
    sizes = [size]
    while sizes[-1] > SMALLEST_MAP or len(sizes) < 3:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def block(**layers: nn.Module) -> nn.Sequential:
    """Return a Sequential of named layers."""
    return nn.Sequential(OrderedDict(layers))


def upsample_layers(channels: int, features: int, size: int) -> dict[str, nn.Module]:
    """Return nearest-neighbour resizing to ``size``, then a 3×3 convolution."""
    return {
        "resize": NearestUpsample(size=(size, size), mode="nearest"),
        "conv": nn.Conv2d(channels, features, 3, padding=1),
    }


def transpose_layers(channels: int, features: int, size: int) -> dict[str, nn.Module]:
    """Return a transposed convolution from ``ceil(size / 2)`` to ``size`` exactly.

    With kernel 4 and stride 2 the output is ``2n - 2p + 2 + o`` wide: padding 1 doubles,
    padding 2 and output padding 1 give ``2n - 1``.
    """
    odd = size % 2
    conv = nn.ConvTranspose2d(channels, features, 4, stride=2, padding=1 + odd, output_padding=odd)
    return {"conv": conv}


class _DCGAN(Architecture):
    class Parameters(ArchitectureParameters):
        width: Annotated[int, Field(ge=4, le=1024), Search(16, 128, log=True)] = 64
        """Channels next to the image; they double with every halving of the map."""

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        if not spec.is_image:
            return False, f"needs images, and the data have shape {spec.shape}"
        return True, ""

    def grow(self, channels: int, features: int, size: int) -> dict[str, nn.Module]:
        """Return the layers that double a map to ``size``."""
        raise NotImplementedError

    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        sizes = map_sizes(spec.shape[1])[::-1]
        widths = [self.parameters.width * 2**level for level in range(len(sizes) - 1)][::-1]
        first = sizes[0]
        blocks: OrderedDict[str, nn.Module] = OrderedDict(
            project=block(
                linear=nn.Linear(spec.latent.dimension, widths[0] * first * first),
                shape=nn.Unflatten(1, (widths[0], first, first)),
                norm=nn.BatchNorm2d(widths[0]),
                activation=nn.ReLU(),
            )
        )
        for level, size in enumerate(sizes[1:-1], 1):
            blocks[f"up{level}"] = block(
                **self.grow(widths[level - 1], widths[level], size),
                norm=nn.BatchNorm2d(widths[level]),
                activation=nn.ReLU(),
            )
        blocks["output"] = block(
            **self.grow(widths[-1], spec.channels, sizes[-1]), activation=nn.Tanh()
        )
        return nn.Sequential(blocks)

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        channels, size = spec.channels, spec.shape[1]
        for level in range(len(map_sizes(size)) - 1):
            features = self.parameters.width * 2**level
            layers: dict[str, nn.Module] = {
                "conv": nn.Conv2d(channels, features, 4, stride=2, padding=1)
            }
            if level > 0:
                layers["norm"] = nn.BatchNorm2d(features)
            blocks[f"down{level + 1}"] = block(**layers, activation=nn.LeakyReLU(0.2))
            channels, size = features, size // 2
        return Discriminator(nn.Sequential(blocks), nn.Linear(channels * size * size, 1))

    def initialise(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
        else:
            super().initialise(module)


class DCGANUpsample(_DCGAN):
    """DCGAN that grows by nearest-neighbour upsampling and a 3×3 convolution."""

    name = "dcgan-upsample"

    def grow(self, channels: int, features: int, size: int) -> dict[str, nn.Module]:
        return upsample_layers(channels, features, size)


class DCGANTranspose(_DCGAN):
    """DCGAN that grows by 4×4 transposed convolutions with stride 2."""

    name = "dcgan-transpose"

    def grow(self, channels: int, features: int, size: int) -> dict[str, nn.Module]:
        return transpose_layers(channels, features, size)
