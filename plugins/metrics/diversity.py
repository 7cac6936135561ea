"""How varied the samples are, beside the data.

How to use: ``metrics: [diversity]``.

Parameters: none.

Details and trade-offs: mean pairwise distance in the extractor's features, over a fixed
number of samples, divided by the same of as many data items. 1: as varied as the data;
0: one point. Above 1 is possible and no praise: noise is varied too. A generator with one
style a class hides in the mean over all pairs, since classes lie far apart; the mean over
pairs of one mode, given for labelled data and mixtures, shows it. Neither sees a generator that
makes the same fifty different images again and again, as one that has memorised a few does; the
share of near copies does. At the 500 samples that it is taken over, M images that are equally
likely give 1 - exp(-500 / M): most samples have a copy up to about 700 images.
"""

from ganbench.plugin import Metric, MetricContext


class Diversity(Metric):
    """Mean pairwise feature distance as a ratio to the data's: 1 as varied, 0 one point."""

    name = "diversity"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "diversity": "mean pairwise feature distance of the samples over the data's; "
        "1: as varied as the data, 0: one point",
        "diversity_within": "the same over pairs of one mode: 0 is one style a class; left out "
        "without modes, or with too few pairs of one",
        "near_copies": "share of samples with another one as near as 1% of data have a neighbour; "
        "0 to 1, about 0.01 is best",
    }

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the ratios that are defined."""
        figures: dict[str, float] = {}
        for key, within in (("diversity", False), ("diversity_within", True)):
            samples, data = ctx.sample_spread(within), ctx.reference_spread(within)
            if samples is not None and data:
                figures[key] = samples / data
        figures["near_copies"] = ctx.near_copies()
        return figures
