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
    draws: n/a there. In G's half D sees fakes alone, with statistics of their own.
Attribution
    F. Chollet, *Deep Learning with Python*, 2017, section 8.5.2; the advice against it:
    S. Chintala et al., *How to Train a GAN?*, 2016, item 4.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganbench.plugin import (
    Buffers,
    BuildContext,
    Discriminator,
    Judge,
    Stage,
    Trick,
    TrickParameters,
)


def judge_together(judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return D's logits of real and fake inputs, from one pass over both.

    Parameters
    ----------
    judge : callable (inputs) -> logits, shape (batch, 1)
    real, fake : Tensor, shape (batch, *shape)
    """
    logits = judge(torch.cat([real, fake]))
    return logits[: len(real)], logits[len(real) :]


def judges_alone(net: nn.Module) -> bool:
    """Say whether a network surely judges each item of a batch without regard to the others.

    Of PyTorch's layers only BatchNorm looks at them; of any other layer one cannot know.
    """
    return all(
        isinstance(layer, Discriminator)
        or (type(layer).__module__.startswith("torch.nn.") and not isinstance(layer, _BatchNorm))
        for layer in net.modules()
    )


class MixedBatches(Trick):
    """Show D real and fake images in one batch."""

    name = "mixed_batches"
    stage = Stage.LAST  # behind whatever puts layers into D
    after = ("spectral_norm",)

    class Parameters(TrickParameters):
        mode: Literal["mixed", "separate"] = "mixed"
        """One batch of both kinds, or one of each."""

    neutral = Parameters(mode="separate")

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        if self.parameters.mode == "separate" or ctx.discriminator is None:
            return False, ""
        reason = "D has no layer that looks across the batch, so it judges alike in any batch"
        return judges_alone(ctx.discriminator), reason

    def judge_batches(
        self, judge: Judge, real: Tensor, fake: Tensor, buf: Buffers
    ) -> tuple[Tensor, Tensor]:
        if self.parameters.mode == "separate":
            return judge(real), judge(fake)
        return judge_together(judge, real, fake)
