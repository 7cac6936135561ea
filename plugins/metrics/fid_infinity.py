"""FID without its bias: the Fréchet distance extrapolated to infinitely many samples.

How to use: ``metrics: [fid, fid_infinity]``; ``extractor`` says in which features. It needs
four samples for each feature: 256 with ``classifier``, 8,192 with ``inception``.

Parameters: ``points``: numbers of samples that the line is fitted through.

Details and trade-offs: FID is biased upward, about linearly in 1/N, by an amount that differs
from generator to generator. So it is measured at numbers of samples from a tenth (and at least
two for each feature) to all, each of a random part, and a line in 1/N is fitted; where it ends
at 1/N = 0 is the figure, 0 if it ends below. The data's own number is as it is, so a little
bias remains. The interval is the fit's, as if the points were apart: they share samples, so
another set of samples differs by more. Cost: one Fréchet distance a point; with ``classifier``
a fraction of a second, with ``inception`` a minute or more on a core.

Attribution: Chong and Forsyth, 2020, section 3; their program has 15 points and begins at a
tenth of 50,000. Random parts of one set of samples stand for their Sobol latents.
"""

from collections.abc import Sequence

import torch

from ganbench.plugin import Annotated, Field, Metric, MetricContext, MetricParameters

LEVEL = 0.95
FEWEST = 64
"""Samples under which 15 numbers of them are hardly different ones."""


def extrapolate(counts: Sequence[int], distances: Sequence[float]) -> tuple[float, float, float]:
    """Return the intercept of a line in 1/N by least squares, and its interval at 95 %.

    Parameters
    ----------
    counts : sequence of int
        N, three different ones or more.
    distances : sequence of float
        At each.

    Returns
    -------
    tuple of float
        Intercept, and the ends of Student's t interval of it.
    """
    from scipy import stats  # takes long to import, and few studies need it here

    line = stats.linregress([1 / count for count in counts], distances)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, len(counts) - 2) * line.intercept_stderr)
    middle = float(line.intercept)
    return middle, middle - reach, middle + reach


class FrechetDistanceAtInfinity(Metric):
    """Fréchet distance at infinitely many samples, with the fit's interval; lower is better."""

    name = "fid_infinity"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "fid_infinity": "Fréchet distance extrapolated to infinitely many samples, along a line "
        "in 1/N; 0 is best, lower is better; depends on the extractor, hardly on the sample count",
        "fid_infinity_low": "lower end of the 95% interval of the fit; below 0 is possible, and "
        "means that the line cannot be told from one that ends at 0",
        "fid_infinity_high": "upper end of the 95% interval of the fit",
    }
    lower_is_better = ("fid_infinity",)

    class Parameters(MetricParameters):
        """Parameters of `FrechetDistanceAtInfinity`."""

        points: Annotated[int, Field(ge=4, le=30)] = 15
        """Numbers of samples that the line is fitted through."""

    def least_samples(self, width: int) -> int:
        """Need numbers of samples a factor of two apart, all well above the width."""
        return max(4 * width, FEWEST)

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the intercept and its interval."""
        whole, width = ctx.features.shape
        smallest = max(whole // 10, self.least_samples(width) // 2)
        counts = torch.linspace(smallest, whole, self.parameters.points).int().tolist()
        draws = torch.Generator().manual_seed(0)
        distances = [
            ctx.frechet_distance(torch.randperm(whole, generator=draws)[:count]) for count in counts
        ]
        middle, low, high = extrapolate(counts, distances)
        return {
            "fid_infinity": max(0.0, middle),
            "fid_infinity_low": low,
            "fid_infinity_high": high,
        }
