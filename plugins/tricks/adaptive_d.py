"""Adaptive D: no update of D while it wins (ganhacks, item 11).

How to use
    ``adaptive_d: on``, or ``{discriminator: 0.8}``, ``{discriminator: 0.5, generator: 0.7}``.
Suggested hyperparameters
    The source gives none. D's loss is the sum of two cross-entropies: 2 ln 2 = 1.386 when it
    cannot tell at all, 0.5 when it gives the right answer a probability of 0.78 in the
    (geometric) mean. G's is ln 2 = 0.693 when D cannot tell.
Technical details and trade-offs
    The source's rule is "while lossD > A: train D; while lossG > B: train G", offered as an
    example of a principle where one must balance the two at all; its first advice is not to.
    Here an update takes effect if its own batch's loss is above the threshold, and otherwise
    nothing of it remains but its part in BatchNorm's running statistics. So a step never
    has more than one update of each, and all arms draw alike. The loss is the objective's,
    without the penalties that tricks add. Label smoothing raises D's least loss above 0: a
    threshold below it never stops D. Wu et al. (2016) stop D by its accuracy, above 80 %.
    ``discriminator_updates`` tells the share of D's updates that the threshold let through.
    The forward and backward passes are done in any case, so no time is saved.
    Losses of objectives without targets have no natural scale: n/a there. So is a threshold
    for G beside a trick that gives G another loss (feature matching, unrolling).
Attribution
    S. Chintala, E. Denton, M. Arjovsky, M. Mathieu, *How to Train a GAN?*, 2016, item 11;
    J. Wu et al., *Learning a Probabilistic Latent Space of Object Shapes via 3D
    Generative-Adversarial Modeling*, NeurIPS 2016, section 3.2.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ganbench.plugin import (
    HALVES,
    Annotated,
    Buffers,
    BuildContext,
    Field,
    Half,
    Search,
    Trick,
    TrickParameters,
)

REPLACING = ("feature_matching", "unrolled")
"""Tricks that replace G's loss, in whole or in part."""


def is_above(loss: Tensor, threshold: float) -> Tensor:
    """Say, as a 0-d bool tensor, whether a loss calls for an update.

    Parameters
    ----------
    loss : Tensor, 0-d
    threshold : float, at least 0
        At 0 every loss does, even one that was rounded to 0.
    """
    return loss > threshold if threshold > 0 else torch.ones_like(loss, dtype=torch.bool)


class AdaptiveD(Trick):
    """Let an update of D take effect only while D's loss is above a threshold."""

    name = "adaptive_d"
    figures: ClassVar[Mapping[str, str]] = {
        "discriminator_updates": "share of D's updates so far that took effect, 0 to 1",
        "generator_updates": "share of G's updates so far that took effect, 0 to 1",
    }

    class Parameters(TrickParameters):
        discriminator: Annotated[float, Field(ge=0, le=10), Search(0.1, 1.3)] = 0.5
        """D's loss, in nats, up to which it is not updated; 0 to update it always."""
        generator: Annotated[float, Field(ge=0, le=10), Search(0.1, 0.7)] = 0.0
        """G's loss, in nats, up to which it is not updated; 0 to update it always."""

    neutral = Parameters(discriminator=0.0, generator=0.0)

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        if not any(self._threshold(half) for half in HALVES):
            return False, ""
        if not ctx.uses_targets:
            return True, (
                f"its thresholds are cross-entropies, and the objective {ctx.objective} has no "
                "targets to take one to"
            )
        if self.parameters.generator == 0:
            return False, ""
        for trick in REPLACING:
            if trick in ctx.tricks:
                return True, f"G's threshold is a cross-entropy, and {trick} gives G another loss"
        reason = "G's saturating loss is never above 0, so G would never be trained"
        return ctx.objective == "saturating", reason

    def make_buffers(self, ctx: BuildContext) -> Mapping[str, Tensor]:
        counts = ("updates", "effective")
        zero = torch.zeros((), dtype=torch.int64, device=ctx.device)
        return {f"{half}/{count}": zero.clone() for half in HALVES for count in counts}

    def gate_update(self, half: Half, loss: Tensor, buf: Buffers) -> Tensor:
        effective = is_above(loss, self._threshold(half))
        buf[f"{half}/updates"].add_(1)
        buf[f"{half}/effective"].add_(effective)
        return effective

    def on_evaluate(self, ctx: BuildContext, buf: Buffers) -> Mapping[str, float]:
        counts = {half: buf[f"{half}/updates"].item() for half in HALVES}
        return {
            f"{half}_updates": buf[f"{half}/effective"].item() / count
            for half, count in counts.items()
            if count
        }

    def _threshold(self, half: Half) -> float:
        threshold: float = getattr(self.parameters, half)
        return threshold
