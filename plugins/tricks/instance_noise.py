"""Instance noise: Gaussian noise on everything that D sees (Sønderby et al., 2017).

How to use
    ``instance_noise: {start: 0.1}``; the noise falls linearly to ``end`` over the trial,
    or stays with ``anneal: constant``.
Suggested hyperparameters
    ``start`` 0.05 to 0.2, annealed to 0. In units of the images, which span [-1, 1].
Technical details and trade-offs
    Real and generated images lie on thin sets that rarely meet, so that a perfect D exists
    and G learns nothing from it. Noise of equal variance on both makes the supports
    overlap. G is trained through the noise, with fresh draws. Too much of it hides detail.
Attribution
    C. K. Sønderby et al., *Amortised MAP Inference for Image Super-resolution*, ICLR 2017,
    section 3.4 and appendix C; M. Arjovsky and L. Bottou, *Towards Principled Methods for
    Training Generative Adversarial Networks*, ICLR 2017, section 3.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from ganbench.plugin import (
    Annotated,
    Buffers,
    BuildContext,
    Field,
    Search,
    Trick,
    TrickParameters,
)


def noise_level(step: int, steps: int, start: float, end: float) -> float:
    """Return the standard deviation at a step: linear from ``start``, ``end`` at the last.

    Parameters
    ----------
    step : int, in [0, steps)
    steps : int
    start, end : float, at least 0
    """
    if steps == 1:
        return start
    return start + (end - start) * step / (steps - 1)


def add_noise(x: Tensor, deviation: Tensor, stream: torch.Generator) -> Tensor:
    """Add N(0, deviation²) to every element.

    Parameters
    ----------
    x : Tensor, shape (batch, *shape)
    deviation : Tensor, 0-d
    stream : torch.Generator
    """
    noise = torch.randn(x.shape, generator=stream, device=x.device, dtype=x.dtype)
    return x + noise * deviation


class InstanceNoise(Trick):
    """Add Gaussian noise to D's input, real and fake alike, annealed over the trial."""

    name = "instance_noise"

    class Parameters(TrickParameters):
        start: Annotated[float, Field(ge=0, le=2), Search(0.02, 0.5, log=True)] = 0.1
        """Standard deviation at the first step, in units of images in [-1, 1]."""
        end: Annotated[float, Field(ge=0, le=2)] = 0.0
        """Standard deviation at the last step; unused when constant."""
        anneal: Literal["linear", "constant"] = "linear"
        """How the noise goes from start to end."""

    neutral = Parameters(start=0.0, end=0.0)

    _steps: int

    def make_buffers(self, ctx: BuildContext) -> Mapping[str, Tensor]:
        self._steps = ctx.spec.steps
        return {"deviation": torch.tensor(self.parameters.start)}

    def before_step(self, step: int, buf: Buffers) -> None:
        if self.parameters.anneal == "linear":
            level = noise_level(step, self._steps, self.parameters.start, self.parameters.end)
            buf["deviation"].fill_(level)

    def transform_discriminator_input(self, x: Tensor, is_real: bool, buf: Buffers) -> Tensor:
        constant = self.parameters.anneal == "constant"
        if self.parameters.start == 0 and (constant or self.parameters.end == 0):
            return x
        return add_noise(x, buf["deviation"], buf.generator)
