"""Which options of how steps are computed change nothing in a trial, and why."""

from collections.abc import Sequence

from ganbench.config.model import Execution
from ganbench.training.hooks import overrides
from ganbench.training.resizing import DoublingConv2d
from ganbench.training.step import PairStep


def without_effect(settings: Execution, steps: Sequence[PairStep]) -> dict[str, str]:
    """Return the options that are on and have nothing to work on, each with the reason.

    Parameters
    ----------
    settings : Execution
    steps : sequence of PairStep
        Of all pairs, their networks arranged as ``settings`` say; what changes one of them has
        an effect.
    """
    nets = [net for one in steps for net in (one.pair.generator, one.pair.discriminator)]
    found = {}
    if settings.channels_last and all(p.ndim != 4 for net in nets for p in net.parameters()):
        found["channels_last"] = "no convolutions"
    if settings.merge_upsampling and not any(
        isinstance(module, DoublingConv2d) for net in nets for module in net.modules()
    ):
        found["merge_upsampling"] = "no doubling with a plain 3×3 convolution behind it"
    if settings.join_batches:
        mixing = [t.name for t in steps[0].parts.tricks if overrides(t, "judge_batches")]
        if mixing:
            found["join_batches"] = f"{mixing[0]} mixes the batches itself"
        elif not any(one.parts.join for one in steps):
            found["join_batches"] = "D is not known to judge each image by itself"
    return found
