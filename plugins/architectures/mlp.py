"""MLP GAN: both networks fully connected (Goodfellow et al., 2014).

How to use
    ``architecture: mlp``, or ``{name: mlp, hidden: 512, layers: 3}``. It is the only
    built-in architecture for points (``ring``, ``grid``).
Suggested hyperparameters
    ``hidden`` 256 for 8×8 digits and 2-D mixtures, 512 to 1,024 for 28×28.
Technical details and trade-offs
    No notion of neighbouring pixels, so samples are noisier than a convolutional network's
    at equal steps, and each step is several times cheaper. ReLU in G, LeakyReLU(0.2) in D,
    no BatchNorm unless the trick ``batch_norm`` places it, PyTorch's own initialisation.
    The paper used maxout and dropout in D, which this network does not.
Attribution
    I. Goodfellow et al., *Generative Adversarial Nets*, NeurIPS 2014, section 5.
"""

import math
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


class MLP(Architecture):
    """Fully connected generator and discriminator."""

    name = "mlp"

    class Parameters(ArchitectureParameters):
        hidden: Annotated[int, Field(ge=2, le=8192), Search(64, 1024, log=True)] = 256
        """Width of each hidden layer."""
        layers: Annotated[int, Field(ge=1, le=16), Search(1, 4)] = 2
        """Hidden layers of each network."""

    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        hidden, size = self.parameters.hidden, math.prod(spec.shape)
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        features = spec.latent.dimension
        for level in range(1, self.parameters.layers + 1):
            blocks[f"hidden{level}"] = nn.Sequential(
                OrderedDict(linear=nn.Linear(features, hidden), activation=nn.ReLU())
            )
            features = hidden
        output: OrderedDict[str, nn.Module] = OrderedDict(linear=nn.Linear(features, size))
        if spec.is_image:
            output["activation"] = nn.Tanh()
        output["shape"] = nn.Unflatten(1, spec.shape)
        blocks["output"] = nn.Sequential(output)
        return nn.Sequential(blocks)

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        hidden, features = self.parameters.hidden, math.prod(spec.shape)
        blocks: OrderedDict[str, nn.Module] = OrderedDict()
        for level in range(1, self.parameters.layers + 1):
            layers: OrderedDict[str, nn.Module] = OrderedDict()
            if level == 1:
                layers["flatten"] = nn.Flatten()
            layers["linear"] = nn.Linear(features, hidden)
            layers["activation"] = nn.LeakyReLU(0.2)
            blocks[f"hidden{level}"] = nn.Sequential(layers)
            features = hidden
        return Discriminator(nn.Sequential(blocks), nn.Linear(features, 1))
