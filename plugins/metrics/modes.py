"""Modes covered, and how evenly.

How to use: ``metrics: [modes]``, on labelled images and on mixtures of Gaussians.

Parameters: ``threshold`` (images): share of a class's share of the data that the samples
must reach for the class to count as covered.

Details and trade-offs: images are sorted into classes by the study's classifier, which
errs: a threshold of 0.1 keeps its errors from counting as modes, where a bare hit would
not. On mixtures a mode is captured when it is nearest to at least one sample within three
standard deviations of it. KL is of the samples' histogram over modes against the data's,
in nats: at least ln(modes / modes hit) on uniform data, and at most ln(modes); a perfect
generator scores about (modes - 1) / (2 samples) by chance.

Attribution: Srivastava et al., 2017 (VEEGAN), section 4; Lin et al., 2018 (PacGAN),
section 4; the threshold is ours.
"""

import math

import torch
from torch import Tensor

from ganbench.plugin import Annotated, Data, Field, Metric, MetricContext, MetricParameters


def kl_divergence(histogram: Tensor, reference: Tensor) -> float:
    """Return KL(histogram || reference) in nats, with 0 log 0 = 0.

    Parameters
    ----------
    histogram : Tensor, shape (modes,)
        Counts or shares. All zero, the result is NaN.
    reference : Tensor, shape (modes,)
        Counts or shares. Where it is 0 and the histogram is not, the result is infinite.
    """
    given = histogram.double() / histogram.double().sum()
    expected = reference.double() / reference.double().sum()
    return float((torch.xlogy(given, given) - torch.xlogy(given, expected)).sum())


def covered_modes(histogram: Tensor, reference: Tensor, threshold: float) -> int:
    """Count the modes whose share of the samples is a good part of their share of the data.

    Parameters
    ----------
    histogram, reference : Tensor, shape (modes,)
        Counts or shares.
    threshold : float
        The part; with 0, one sample is enough.
    """
    given = histogram.double() / histogram.double().sum()
    expected = reference.double() / reference.double().sum()
    return int(((given >= threshold * expected) & (given > 0)).sum())


class Modes(Metric):
    """Modes covered, their share, KL against the data's histogram, high-quality share."""

    name = "modes"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "modes": "modes covered: on images, classes whose share of the samples, by the "
        "classifier, is at least `threshold` (0.1 unless set) of their share of the data; on "
        "mixtures, centres nearest to at least one high-quality sample",
        "modes_share": "modes covered over all modes; 1 is best",
        "kl": "KL divergence of the samples' histogram over modes from the data's, in nats; 0 is "
        "best; on mixtures, of high-quality samples; left out where undefined",
        "high_quality": "mixtures only: share of samples within three standard deviations of the "
        "nearest centre (98.9% of perfect samples in two dimensions)",
    }
    lower_is_better = ("kl",)

    class Parameters(MetricParameters):
        """Parameters of `Modes`."""

        threshold: Annotated[float, Field(ge=0, le=1)] = 0.1
        """Share of a class's share of the data at which it counts as covered (images)."""

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need modes: labelled images, or a mixture's centres."""
        if data.labels is None or len(data.classes) < 2:
            return False, "it counts classes or modes, and these data have no labels of two or more"
        if not data.is_image and data.centres is None:
            return False, "it counts a mixture's modes by their centres, and these points have none"
        return True, ""

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the figures that are defined."""
        modes, reference = ctx.sample_modes(), ctx.reference_modes()
        if modes is None or reference is None:
            raise ValueError("modes were asked of data that have none")
        histogram = torch.bincount(modes[modes >= 0], minlength=len(reference))
        mixture = ctx.data.centres is not None
        covered = covered_modes(histogram, reference, 0 if mixture else self.parameters.threshold)
        figures = {"modes": float(covered), "modes_share": covered / len(reference)}
        divergence = kl_divergence(histogram, reference)
        if math.isfinite(divergence):
            figures["kl"] = divergence
        if mixture:
            figures["high_quality"] = float((modes >= 0).double().mean())
        return figures
