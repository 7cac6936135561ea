"""dense-conv: a dense generator against a convolutional discriminator (Arjovsky et al., 2017).

How to use
    ``architecture: dense-conv``, or ``{name: dense-conv, generator_width: 256}``; the whole
    system: ``extends: presets/dense-conv``.
Suggested hyperparameters
    ``generator_width`` 512, ``width`` 64, as in the source; latent N(0, 1) of 100, batch 64.
Technical details and trade-offs
    The hybrid with which the WGAN paper shows that a standard GAN needs a generator that
    suits images: G has three hidden layers of 512 rectified units and knows nothing of
    neighbouring pixels, D is a DCGAN's. The paper reports collapse for it, and none for WGAN
    with the same networks (figure 7). D: 4×4 convolutions with stride 2 down to a 4×4 map,
    channels doubling from ``width``, BatchNorm but in the first, LeakyReLU(0.2), no biases,
    weights from N(0, 0.02²), and a logit from the whole last map. G keeps PyTorch's own
    initialisation, as in the source's code, which leaves linear layers alone. That code ends
    G without an activation (``output: linear``); ``tanh``, the default, keeps images within
    their range. Sizes are powers of two from 16 on.
Attribution
    M. Arjovsky, S. Chintala, L. Bottou, *Wasserstein GAN*, ICML 2017, section 4.3 and figure 7;
    the authors' code, ``models/mlp.py`` (``--mlp_G``) and ``models/dcgan.py``.
"""

import math
from collections import OrderedDict
from typing import Literal

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

from .dcgan import block

SMALLEST_MAP = 4


class DenseConv(Architecture):
    """A fully connected generator against a DCGAN's discriminator."""

    name = "dense-conv"

    class Parameters(ArchitectureParameters):
        generator_width: Annotated[int, Field(ge=2, le=8192), Search(64, 1024, log=True)] = 512
        """Width of each of G's three hidden layers."""
        width: Annotated[int, Field(ge=4, le=1024), Search(16, 128, log=True)] = 64
        """Channels of D's first layer; they double with every halving of the map."""
        output: Literal["tanh", "linear"] = "tanh"
        """What G ends in."""

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        square = spec.is_image and spec.shape[1] == spec.shape[2]
        if square and spec.shape[1] >= 16 and spec.shape[1].bit_count() == 1:
            return True, ""
        needs = "square images whose size is a power of two, 16 or more"
        return False, f"needs {needs}, and the data have shape {spec.shape}"

    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        width, features = self.parameters.generator_width, spec.latent.dimension
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for level in range(1, 4):
            blocks[f"hidden{level}"] = block(
                linear=nn.Linear(features, width), activation=nn.ReLU()
            )
            features = width
        output: dict[str, nn.Module] = {"linear": nn.Linear(width, math.prod(spec.shape))}
        if self.parameters.output == "tanh":
            output["activation"] = nn.Tanh()
        blocks["output"] = block(**output, shape=nn.Unflatten(1, spec.shape))
        return nn.Sequential(blocks)

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        channels, features, size = spec.channels, self.parameters.width, spec.shape[1]
        while size > SMALLEST_MAP:
            layers: dict[str, nn.Module] = {
                "conv": nn.Conv2d(channels, features, 4, stride=2, padding=1, bias=False)
            }
            if blocks:
                layers["norm"] = nn.BatchNorm2d(features)
            blocks[f"down{len(blocks) + 1}"] = block(**layers, activation=nn.LeakyReLU(0.2))
            channels, features, size = features, 2 * features, size // 2
        # The source's last 4×4 convolution to one channel, as the linear layer that it is.
        head = nn.Linear(channels * size * size, 1, bias=False)
        return Discriminator(nn.Sequential(blocks), head)

    def initialise(self, module: nn.Module) -> None:
        # D's layers have no biases, G's have: only the source's convolutions are drawn so.
        if isinstance(module, nn.Conv2d) or (isinstance(module, nn.Linear) and module.bias is None):
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            nn.init.normal_(module.weight, 1.0, 0.02)
            nn.init.zeros_(module.bias)
        else:
            super().initialise(module)
