"""goodfellow-mlp: the first GAN's networks for MNIST (Goodfellow et al., 2014).

How to use
    ``architecture: goodfellow-mlp``; the whole system: ``extends: presets/goodfellow-mlp``.
Suggested hyperparameters
    The source's: latent N(0, 1) of 100, SGD with learning rate 0.1 and momentum 0.5, batch 100.
Technical details and trade-offs
    G: two layers of 1,200 rectified units and one sigmoid unit a pixel. D: two layers of 240
    maxout units, each the greatest of 5 linear pieces, and a logit; dropout of 0.2 on the
    pixels and of 0.5 on both hidden layers, in D's and in G's half of the step. Weights are
    drawn from U(-0.05, 0.05) in G and from U(-0.005, 0.005) in D, biases are 0. The source
    works on grey levels from 0 to 1, all else here from -1 to 1: G's output is stretched, and
    D's input shrunk again, so both networks see what the source's saw. The source starts G's
    output biases at the log odds of the data's mean grey levels; here they start at 0.
    Images of any shape fit: there is no notion of neighbouring pixels.
Attribution
    I. Goodfellow et al., *Generative Adversarial Nets*, NeurIPS 2014, section 5; the authors'
    code, ``mnist.yaml``; maxout: I. Goodfellow et al., *Maxout Networks*, ICML 2013.
"""

import math
from collections import OrderedDict

from torch import Tensor, nn

from ganbench.plugin import Architecture, Discriminator, TrainingSpec

from .dcgan import block

REACH = "_goodfellow_reach"
"""The mark of a layer whose weights have a range of their own.

An attribute of the layer, so that a trick that widens one can hand it on.
"""


class Maxout(nn.Module):
    """The greatest of every ``pieces`` neighbouring features (Goodfellow et al., 2013)."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """From (batch, units · pieces) to (batch, units)."""
        return x.reshape(len(x), -1, self.pieces).amax(2)


class Affine(nn.Module):
    """``scale · x + shift``: from one range of grey levels to another."""

    def __init__(self, scale: float, shift: float) -> None:
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the same shape."""
        return x * self.scale + self.shift


def linear(inputs: int, outputs: int, reach: float) -> nn.Linear:
    """Return a linear layer marked to get weights from U(-reach, reach).

    A plain ``nn.Linear``, and no class of its own, so that tricks know it for one.
    """
    layer = nn.Linear(inputs, outputs)
    object.__setattr__(layer, REACH, reach)  # a number, where nn.Module's types want a tensor
    return layer


class GoodfellowMLP(Architecture):
    """The maxout and rectifier networks of the first GAN."""

    name = "goodfellow-mlp"

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        reason = f"needs images, whose grey levels are bounded; the data have shape {spec.shape}"
        return spec.is_image, reason

    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        return nn.Sequential(
            OrderedDict(
                hidden1=block(
                    linear=linear(spec.latent.dimension, 1200, 0.05), activation=nn.ReLU()
                ),
                hidden2=block(linear=linear(1200, 1200, 0.05), activation=nn.ReLU()),
                output=block(
                    linear=linear(1200, math.prod(spec.shape), 0.05),
                    activation=nn.Sigmoid(),
                    range=Affine(2.0, -1.0),
                    shape=nn.Unflatten(1, spec.shape),
                ),
            )
        )

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        blocks: OrderedDict[str, nn.Module] = OrderedDict(
            hidden1=block(
                flatten=nn.Flatten(),
                range=Affine(0.5, 0.5),
                dropout=nn.Dropout(0.2),
                linear=linear(math.prod(spec.shape), 240 * 5, 0.005),
                activation=Maxout(5),
            ),
            hidden2=block(
                dropout=nn.Dropout(0.5),
                linear=linear(240, 240 * 5, 0.005),
                activation=Maxout(5),
                last_dropout=nn.Dropout(0.5),
            ),
        )
        return Discriminator(nn.Sequential(blocks), linear(240, 1, 0.005))

    def initialise(self, module: nn.Module) -> None:
        reach: float | None = getattr(module, REACH, None)
        if isinstance(module, nn.Linear) and reach is not None:
            nn.init.uniform_(module.weight, -reach, reach)
            nn.init.zeros_(module.bias)
        else:
            super().initialise(module)
