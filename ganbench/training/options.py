"""Which options of how steps are computed change nothing in them, and why."""

from collections.abc import Sequence

from ganbench.config.model import TrialConfig
from ganbench.training.hooks import overrides
from ganbench.training.linear import AVAILABLE, has_large
from ganbench.training.resizing import DoublingConv2d
from ganbench.training.step import PairStep


def without_effect(config: TrialConfig, steps: Sequence[PairStep]) -> dict[str, str]:
    """Return the options that are on and have nothing to work on, each with the reason.

    Parameters
    ----------
    config : TrialConfig
    steps : sequence of PairStep
        Of all pairs, their networks arranged as ``config.execution`` says; what changes one of
        them has an effect.
    """
    settings = config.execution
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
    if settings.onednn_linear:
        if steps[0].parts.built.context.device.type != "cpu":
            found["onednn_linear"] = "not on a CPU"
        elif not AVAILABLE:
            found["onednn_linear"] = "PyTorch has no oneDNN here"
        elif settings.amp != "off":
            found["onednn_linear"] = f"products are computed in {settings.amp}"
        elif not any(_has_large(one, config.batch_size) for one in steps):
            found["onednn_linear"] = "no dense layer is large enough"
    return found


def _has_large(one: PairStep, batch: int) -> bool:
    """Say whether a pair has dense layers that are large in steps with batches of so many."""
    judged = 2 * batch if one.parts.join else batch
    return has_large(one.pair.discriminator, judged) or has_large(one.pair.generator, batch)
