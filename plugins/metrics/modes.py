"""Modes covered, and how evenly.

How to use: ``metrics: [modes]``, on labelled images and on mixtures of Gaussians.

Parameters: ``threshold`` (images): share of a class's share of the data that the samples
must reach for the class to count as covered. Where it is not set, 0.1 of labelled images; 0 of
stacked ones (``stacked_mnist``), where a triple counts if it is hit once, as published.

Details and trade-offs: images are sorted into classes by the study's classifier, which
errs: a threshold of 0.1 keeps its errors from counting as modes, where a bare hit would
not. On mixtures a sample is of high quality within three standard deviations of its nearest
centre (in another dimension than 2: within the radius that holds as much of a Gaussian,
98.89 %), and a mode is captured when it is nearest to at least one such sample.

Two divergences of the histogram over modes, in nats. ``kl`` is KL(samples || data), which
PacGAN's table calls *reverse KL* on mixtures and *KL* on stacked MNIST: at least ln(modes /
modes hit) on uniform data, and at most ln(modes); a perfect generator scores about
(modes - 1) / (2 samples) by chance. ``forward_kl`` is KL(data || samples): it weighs a mode
that is all but lost far more, and is infinite, so left out, as soon as one is lost. On
mixtures both count high-quality samples alone, as the authors' program does; ``kl_nearest``
is ``kl`` with every sample counted for its nearest centre, whatever its quality.

Attribution: Srivastava et al., 2017 (VEEGAN), section 4; Lin et al., 2018 (PacGAN),
section 4, and the program of its experiments; the threshold is ours.
"""

import math

import torch
from torch import Tensor

from ganbench.plugin import Annotated, Data, Field, Metric, MetricContext, MetricParameters

from ._features import blocks

THRESHOLD = 0.1
"""Share of a class's share of the data at which it counts as covered, of plain images."""


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


def nearest_centres(points: Tensor, centres: Tensor) -> Tensor:
    """Return the index of each point's nearest centre, however far.

    Parameters
    ----------
    points, centres : Tensor, shapes (items, dimensions) and (modes, dimensions)
    """
    return torch.cat(
        [
            torch.cdist(
                points[rows].cpu().double(),
                centres.cpu().double(),
                compute_mode="donot_use_mm_for_euclid_dist",
            ).argmin(dim=1)
            for rows in blocks(len(points), len(centres))
        ]
    )


class Modes(Metric):
    """Modes covered, their share, KL against the data's histogram, high-quality share."""

    name = "modes"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "modes": "modes covered: on images, classes whose share of the samples, by the "
        "classifier, is at least `threshold` (0.1 unless set) of their share of the data; of "
        "stacked images, tuples that at least one sample shows; on mixtures, centres nearest to at "
        "least one high-quality sample",
        "modes_share": "modes covered over all modes that the data have; 1 is best",
        "kl": "KL(samples || data) of the histograms over modes, in nats; 0 is best; PacGAN's "
        "'reverse KL' on mixtures and 'KL' on stacked MNIST; on mixtures, of high-quality samples; "
        "left out where undefined",
        "forward_kl": "KL(data || samples) of the same histograms, in nats; 0 is best; infinite, "
        "and left out, as soon as a mode is lost",
        "kl_nearest": "mixtures only: kl with every sample, whatever its quality, counted for its "
        "nearest centre",
        "high_quality": "mixtures only: share of samples within three standard deviations of the "
        "nearest centre, or in another dimension than 2 within the radius that holds as much of a "
        "mode (98.9% of perfect samples)",
    }
    lower_is_better = ("kl",)

    class Parameters(MetricParameters):
        """Parameters of `Modes`."""

        threshold: Annotated[float, Field(ge=0, le=1)] | None = None
        """Share of a class's share of the data at which it counts as covered (images); 0.1, or
        of stacked images 0, if not set."""

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need modes: labelled images, or a mixture's centres."""
        if data.labels is None or len(data.classes) < 2:
            return False, "it counts classes or modes, and these data have no labels of two or more"
        if not data.is_image and data.centres is None:
            return False, "it counts a mixture's modes by their centres, and these points have none"
        if data.centres is not None and self.parameters.threshold is not None:
            return False, "`threshold` is of images: of a mixture a mode counts if it is hit once"
        return True, ""

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the figures that are defined."""
        modes, reference = ctx.sample_modes(), ctx.reference_modes()
        if modes is None or reference is None:
            raise ValueError("modes were asked of data that have none")
        histogram = torch.bincount(modes[modes >= 0], minlength=len(reference))
        covered = covered_modes(histogram, reference, self._threshold(ctx.data))
        # A class without a single item is no mode: nobody could cover it.
        figures = {
            "modes": float(covered),
            "modes_share": covered / int((reference > 0).sum()),
        }
        divergences = {
            "kl": kl_divergence(histogram, reference),
            "forward_kl": kl_divergence(reference, histogram),
        }
        if ctx.data.centres is not None:
            nearest = nearest_centres(ctx.samples, ctx.data.centres.points)
            everyone = torch.bincount(nearest, minlength=len(reference))
            divergences["kl_nearest"] = kl_divergence(everyone, reference)
            figures["high_quality"] = float((modes >= 0).double().mean())
        return figures | {key: kl for key, kl in divergences.items() if math.isfinite(kl)}

    def _threshold(self, data: Data) -> float:
        if data.centres is not None:
            return 0.0
        chosen: float | None = self.parameters.threshold
        if chosen is None:
            return THRESHOLD if data.stacked_from is None else 0.0
        return chosen
