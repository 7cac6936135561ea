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
    In a D without such layers nothing changes but rounding, and what dropout draws: the D of
    the source is one. In G's half D sees fakes alone, with statistics of their own.
Attribution
    F. Chollet, *Deep Learning with Python*, 2017, section 8.5.2; the advice against it:
    S. Chintala et al., *How to Train a GAN?*, 2016, item 4.
"""

from typing import Literal

import torch
from torch import Tensor

from ganbench.plugin import Buffers, Judge, Trick, TrickParameters


def judge_together(judge: Judge, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Return D's logits of real and fake inputs, from one pass over both.

    Parameters
    ----------
    judge : callable (inputs) -> logits, shape (batch, 1)
    real, fake : Tensor, shape (batch, *shape)
    """
    logits = judge(torch.cat([real, fake]))
    return logits[: len(real)], logits[len(real) :]


class MixedBatches(Trick):
    """Show D real and fake images in one batch."""

    name = "mixed_batches"

    class Parameters(TrickParameters):
        mode: Literal["mixed", "separate"] = "mixed"
        """One batch of both kinds, or one of each."""

    neutral = Parameters(mode="separate")

    def judge_batches(
        self, judge: Judge, real: Tensor, fake: Tensor, buf: Buffers
    ) -> tuple[Tensor, Tensor]:
        if self.parameters.mode == "separate":
            return judge(real), judge(fake)
        return judge_together(judge, real, fake)
