"""Fréchet distance between samples and data, in the features of the study's extractor.

How to use: ``metrics: [fid]``; ``extractor`` says in which features.

Parameters: none.

Details and trade-offs: biased upward, about linearly in 1/N: compare only at one N. It
compares two Gaussians, so it is blind to whatever leaves mean and covariance alone. Only
with the extractor ``inception`` is it what papers call FID.

Attribution: Heusel et al., 2017, equation 6.
"""

from ganbench.plugin import Metric, MetricContext


class FrechetInceptionDistance(Metric):
    """Fréchet distance of feature Gaussians; lower is better."""

    name = "fid"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "fid": "Fréchet distance between Gaussians fitted to the features of samples and data; "
        "0 is best, lower is better; depends on extractor and sample count"
    }
    lower_is_better = ("fid",)

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the distance."""
        return {"fid": ctx.frechet_distance()}
