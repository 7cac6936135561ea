"""Mixed batches: D judges real and fake images in one batch (Chollet, 2017).

How to use
    ``mixed_batches: on``.
Suggested hyperparameters
    None. The default elsewhere is separate batches, as item 4 of ganhacks asks.
Technical details and trade-offs
    In its own half D gets one batch with the real images before the fakes, twice as large,
    and its logits are taken apart again for the loss, which stays what it is (a mean over
    each kind; a framework's mean over the mixed batch is half of that). Only layers that look
    across the batch can tell the difference: BatchNorm then normalises real and fake with
    common statistics, so that a difference between their means stays visible, and its running
    statistics are of both; minibatch discrimination compares fakes with real images.
    In a D that has none, as the source's, nothing would change but rounding, and what dropout
    draws: n/a there. Which D that is, is tried out: other items beside one must change its
    logit (virtual BatchNorm, for one, looks at its reference and not at the batch). In G's
    half D sees fakes alone, with statistics of their own.
Attribution
    F. Chollet, *Deep Learning with Python*, 2017, section 8.5.2; the advice against it:
    S. Chintala et al., *How to Train a GAN?*, 2016, item 4.
"""

import copy
from typing import Literal

import torch
from torch import Tensor, nn

from ganbench.plugin import (
    Buffers,
    BuildContext,
    Judge,
    Stage,
    Trick,
    TrickParameters,
)

from ._networks import images_per_input

PROBED = 4
"""Items of the batch on which it is tried whether D looks across a batch."""


def judge_together(judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return D's logits of real and fake inputs, from one pass over both.

    Parameters
    ----------
    judge : callable (inputs) -> logits, shape (batch, 1)
    real, fake : Tensor, shape (batch, *shape)
    """
    logits = judge(torch.cat([real, fake]))
    return logits[: len(real)], logits[len(real) :]


def judges_alone(net: nn.Module, inputs: Tensor, condition: Tensor | None) -> bool:
    """Say whether a network judges the first item of a batch without regard to the others.

    It does if the first logit stays the same, bit for bit, with other items beside it. The
    passes are made in training mode by copies, whose weights are moved a little, so that a
    layer is not overlooked because a factor of it begins at 0. Both draw alike, so dropout
    makes no difference.

    Parameters
    ----------
    net : Module
        It is left as it is.
    inputs : Tensor, shape (batch, *shape)
        What D takes, of at least two items.
    condition : Tensor or None, shape (batch, ...)
    """
    stream = torch.Generator().manual_seed(0)
    others = torch.randn(inputs[1:].shape, generator=stream).to(inputs)
    moved = copy.deepcopy(net).to(inputs.device).train()
    logits = []
    cuda = [inputs.device] if inputs.device.type == "cuda" else []
    with torch.no_grad(), torch.random.fork_rng(cuda):
        for weight in moved.parameters():
            weight.add_(torch.randn(weight.shape, generator=stream).to(weight), alpha=0.05)
        for x in (inputs, torch.cat([inputs[:1], others])):
            torch.manual_seed(0)
            judge = copy.deepcopy(moved)  # a pass may change what the next one sees
            made = judge(x) if condition is None else judge(x, condition)
            logits.append(made[0])
    return torch.equal(*logits)


class MixedBatches(Trick):
    """Show D real and fake images in one batch."""

    name = "mixed_batches"
    stage = Stage.LAST  # behind whatever puts layers into D
    after = ("minibatch_discrimination", "minibatch_stddev", "packing", "spectral_norm")

    class Parameters(TrickParameters):
        mode: Literal["mixed", "separate"] = "mixed"
        """One batch of both kinds, or one of each."""

    neutral = Parameters(mode="separate")

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        net = ctx.discriminator
        if self.parameters.mode == "separate" or net is None:
            return False, ""
        packed = images_per_input(net, ctx)
        items = torch.arange(PROBED * packed, device=ctx.device) % len(ctx.real_images)
        images, condition = ctx.real_batch(items)
        inputs = images.reshape(PROBED, packed * images.shape[1], *images.shape[2:])
        reason = "D has no layer that looks across the batch, so it judges alike in any batch"
        return judges_alone(net, inputs, condition), reason

    def judge_batches(
        self, judge: Judge, real: Tensor, fake: Tensor, buf: Buffers
    ) -> tuple[Tensor, Tensor]:
        if self.parameters.mode == "separate":
            return judge(real), judge(fake)
        return judge_together(judge, real, fake)
