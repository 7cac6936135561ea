"""EMA: samples come from an exponential moving average of G's weights (Yazıcı et al., 2019).

How to use
    ``ema: on``, or ``{decay: 0.99, ramp: 0}``.
Suggested hyperparameters
    ``decay`` 0.999 for tens of thousands of steps (Karras et al., 2018), 0.9999 for more
    (Yazıcı et al., 2019), less for short trials, unless the ramp sees to that. The half-life
    is ln 2 / (1 - decay) steps: 69 at 0.99, 693 at 0.999, 6,931 at 0.9999. A search draws
    decays evenly from 0.99 to 0.9999, so half of what it draws is shorter than 140 steps.
Technical details and trade-offs
    After each of G's updates, average ← decay · average + (1 - decay) · weights. Training
    does not see the average; only sampling does. G and D circle around each other, and the
    average of a circle is nearer to its centre than any point on it.
    The average begins as a copy of G, and random first weights would haunt it for some
    1 / (1 - decay) steps. With ``ramp``, the half-life of the average is at most that
    share of the steps done so far, and ``decay`` is reached when it is longer: what
    StyleGAN2-ADA's code does, with 0.05. ``ramp: 0`` is the plain average of the papers.
    BatchNorm's running statistics are averaged with the same decay, since averaged weights
    call for averaged statistics. All other buffers are copied, as StyleGAN2's code does
    with every one: the vectors of spectral normalisation are of no use averaged.
    Costs a second G in memory, and one pass over the weights a step.
Attribution
    Y. Yazıcı et al., *The Unusual Effectiveness of Averaging in GAN Training*, ICLR 2019,
    section 3; T. Karras et al., *Progressive Growing of GANs*, ICLR 2018, appendix A.1; the
    ramp: T. Karras et al., *Training Generative Adversarial Networks with Limited Data*,
    NeurIPS 2020, in the code.
"""

import copy
import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganbench.plugin import (
    Annotated,
    Buffers,
    BuildContext,
    Field,
    Role,
    Search,
    Trick,
    TrickModule,
    TrickParameters,
    keep_weights,
)


def ramped_decay(step: int, decay: float, ramp: float) -> float:
    """Return the decay at a step, its half-life held to a share of the steps done.

    Parameters
    ----------
    step : int
        Steps done before.
    decay : float, in [0, 1)
        Of each step, in the long run.
    ramp : float, at least 0
        The share; 0 for no ramp.
    """
    if ramp == 0 or decay == 0:
        return decay
    half_life = min(math.log(0.5) / math.log(decay), ramp * step)
    return 0.5 ** (1 / half_life) if half_life > 0 else 0.0


def update_average(average: Sequence[Tensor], current: Sequence[Tensor], share: Tensor) -> None:
    """Move each average towards its current value by a share of the way, in place.

    Parameters
    ----------
    average, current : sequence of Tensor
    share : Tensor, 0-d, in [0, 1]
        One minus the decay; at 1 the average becomes the current value bit for bit.
    """
    for mean, value in zip(average, current, strict=True):
        mean.lerp_(value, share.to(mean.dtype))


def split_state(net: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Return what is averaged of a network, and what is copied.

    Returns
    -------
    averaged : list of Tensor
        Its parameters, and the running statistics of BatchNorm layers.
    copied : list of Tensor
        Its other buffers.
    """
    norms = [layer for layer in net.modules() if isinstance(layer, _BatchNorm)]
    statistics = [norm.running_mean for norm in norms] + [norm.running_var for norm in norms]
    averaged = {id(tensor) for tensor in statistics}
    buffers = list(net.buffers())
    return (
        [*net.parameters(), *(buffer for buffer in buffers if id(buffer) in averaged)],
        [buffer for buffer in buffers if id(buffer) not in averaged],
    )


class EMA(Trick):
    """Sample from an exponential moving average of G's weights."""

    name = "ema"

    class Parameters(TrickParameters):
        decay: Annotated[float, Field(ge=0, lt=1), Search(0.99, 0.9999)] = 0.999
        """What stays of the average at each update of G; at 0 it is G."""
        ramp: Annotated[float, Field(ge=0, le=1)] = 0.05
        """Longest half-life of the average, as a share of the steps done; 0 for no limit."""

    neutral = Parameters(decay=0.0, ramp=0.0)

    def __init__(self, parameters: TrickParameters) -> None:
        super().__init__(parameters)
        # By the average, which a hook is given, to the generator, which it is not.
        self._generators: dict[nn.Module, nn.Module] = {}

    def make_modules(self, ctx: BuildContext) -> Mapping[str, TrickModule]:
        if ctx.generator is None or self.parameters.decay == 0:
            return {}
        average = keep_weights(copy.deepcopy(ctx.generator)).requires_grad_(False)
        self._generators[average] = ctx.generator
        return {"average": TrickModule(average, role=None)}

    def make_buffers(self, ctx: BuildContext) -> Mapping[str, Tensor]:
        return {"share": torch.ones(())}

    def before_step(self, step: int, buf: Buffers) -> None:
        decay = ramped_decay(step, self.parameters.decay, self.parameters.ramp)
        buf["share"].fill_(1 - decay)

    def after_optimizer_step(self, role: Role, params: Sequence[Tensor], buf: Buffers) -> None:
        if role == "generator" and self.parameters.decay > 0:
            average = buf.modules["average"]
            means, copies = split_state(average)
            current, originals = split_state(self._generators[average])
            update_average(means, current, buf["share"])
            for copied, original in zip(copies, originals, strict=True):
                copied.copy_(original)

    def sampling_generator(self, ctx: BuildContext, buf: Buffers) -> nn.Module:
        if self.parameters.decay > 0:
            return buf.modules["average"]
        if ctx.generator is None:
            raise ValueError("there is no generator to sample from")
        return ctx.generator
