"""One sentence: which networks (Author et al., year, section).

How to use
    ``architecture: my-architecture``, or ``{name: my-architecture, hidden: 64}``.
Suggested hyperparameters
    ``hidden`` 128. Say where the number comes from.
Technical details and trade-offs
    What is different about these networks, and what it costs. As it stands: one hidden layer
    in each of them.
Attribution
    A. Author, B. Author, *Title*, venue and year, section or table.
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


class MyArchitecture(Architecture):
    """One line, as `ganbench plugins` shows it."""

    name = "my-architecture"

    class Parameters(ArchitectureParameters):
        """One declaration: type, range, the range worth searching, default, meaning."""

        hidden: Annotated[int, Field(ge=2, le=8192), Search(32, 512, log=True)] = 128
        """Width of the hidden layers."""

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        """Take images and points of any size; else return False, and why."""
        return True, ""

    # Name every layer: initial weights are drawn from a stream of the layer's name, so that
    # two arms of a seed start alike.
    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        """Return G, from latents to images in [-1, 1] (points: unbounded)."""
        hidden = self.parameters.hidden
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            hidden=nn.Sequential(
                OrderedDict(linear=nn.Linear(spec.latent.dimension, hidden), activation=nn.ReLU())
            )
        )
        output: OrderedDict[str, nn.Module] = OrderedDict(
            linear=nn.Linear(hidden, math.prod(spec.shape))
        )
        if spec.is_image:
            output["activation"] = nn.Tanh()
        output["shape"] = nn.Unflatten(1, spec.shape)
        layers["output"] = nn.Sequential(output)
        return nn.Sequential(layers)

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        """Return D: named blocks, whose outputs are its features, and a head."""
        hidden = self.parameters.hidden
        block: OrderedDict[str, nn.Module] = OrderedDict(
            flatten=nn.Flatten(),
            linear=nn.Linear(math.prod(spec.shape), hidden),
            activation=nn.LeakyReLU(0.2),
        )
        blocks: OrderedDict[str, nn.Module] = OrderedDict(hidden=nn.Sequential(block))
        return Discriminator(nn.Sequential(blocks), nn.Linear(hidden, 1))
