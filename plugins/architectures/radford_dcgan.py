"""radford-dcgan: the networks of the DCGAN paper's own code (Radford et al., 2016).

How to use
    ``architecture: radford-dcgan``, or ``{name: radford-dcgan, width: 64}``; the whole
    system: ``extends: presets/radford-dcgan``.
Suggested hyperparameters
    The source's, for 64×64×3: latent U(-1, 1) of 100, ``width`` 128, Adam with learning rate
    2e-4, β1 0.5 and an L2 penalty of 1e-5 for both networks, batch 128.
Technical details and trade-offs
    G: a projection to 4·4·1,024, normalised feature by feature before it becomes a map; four
    5×5 transposed convolutions with stride 2 to 512, 256, 128 and the image's channels; ReLU,
    tanh. D: its mirror image, LeakyReLU(0.2), and a linear logit. No bias anywhere: BatchNorm
    has one, and neither G's output, nor D's input, nor the logit is normalised. Weights from
    N(0, 0.02²), BatchNorm's scale from N(1, 0.02²). ``dcgan-transpose`` is this with kernels
    of 4, which avoid checkerboards, with biases, and with odd sizes. Sizes are powers of two
    from 8 on, halved to 4×4, whatever the depth that makes. The source's BatchNorm keeps no
    running statistics: it samples with each batch's own (``evaluation.batch_norm: batch``).
Attribution
    A. Radford, L. Metz, S. Chintala, *Unsupervised Representation Learning with Deep
    Convolutional Generative Adversarial Networks*, ICLR 2016, sections 3 and 4, figure 1; and
    the authors' code, ``faces/train_uncond_dcgan.py``.
"""

from collections import OrderedDict
from itertools import pairwise
from typing import Any

from torch import nn

from ganbench.plugin import (
    Annotated,
    ArchitectureParameters,
    Discriminator,
    Field,
    Search,
    TrainingSpec,
)

from .dcgan import _DCGAN, block

SMALLEST_MAP = 4
KERNEL: dict[str, Any] = {"kernel_size": 5, "stride": 2, "padding": 2, "bias": False}


class RadfordDCGAN(_DCGAN):
    """The DCGAN of the paper's own code."""

    name = "radford-dcgan"

    class Parameters(ArchitectureParameters):
        width: Annotated[int, Field(ge=4, le=1024), Search(16, 128, log=True)] = 128
        """Channels next to the image; they double with every halving of the map."""

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        square = spec.is_image and spec.shape[1] == spec.shape[2]
        if square and spec.shape[1] >= 2 * SMALLEST_MAP and spec.shape[1].bit_count() == 1:
            return True, ""
        needs = "square images whose size is a power of two, 8 or more"
        return False, f"needs {needs}, and the data have shape {spec.shape}"

    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        widths = self._widths(spec)[::-1]
        first, features = SMALLEST_MAP, widths[0] * SMALLEST_MAP**2
        blocks: OrderedDict[str, nn.Module] = OrderedDict(
            project=block(
                linear=nn.Linear(spec.latent.dimension, features, bias=False),
                norm=nn.BatchNorm1d(features, eps=1e-8),
                activation=nn.ReLU(),
                shape=nn.Unflatten(1, (widths[0], first, first)),
            )
        )
        for level, (channels, narrower) in enumerate(pairwise(widths), 1):
            blocks[f"up{level}"] = block(
                conv=nn.ConvTranspose2d(channels, narrower, output_padding=1, **KERNEL),
                norm=nn.BatchNorm2d(narrower, eps=1e-8),
                activation=nn.ReLU(),
            )
        blocks["output"] = block(
            conv=nn.ConvTranspose2d(widths[-1], spec.channels, output_padding=1, **KERNEL),
            activation=nn.Tanh(),
        )
        return nn.Sequential(blocks)

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        channels = spec.channels
        for level, features in enumerate(self._widths(spec), 1):
            layers: dict[str, nn.Module] = {"conv": nn.Conv2d(channels, features, **KERNEL)}
            if level > 1:
                layers["norm"] = nn.BatchNorm2d(features, eps=1e-8)
            blocks[f"down{level}"] = block(**layers, activation=nn.LeakyReLU(0.2))
            channels = features
        head = nn.Linear(channels * SMALLEST_MAP**2, 1, bias=False)
        return Discriminator(nn.Sequential(blocks), head)

    def _widths(self, spec: TrainingSpec) -> list[int]:
        """Return the channels of the maps between the image and 4×4, from the image down."""
        levels = (spec.shape[1] // SMALLEST_MAP).bit_length() - 1
        return [self.parameters.width * 2**level for level in range(levels)]
