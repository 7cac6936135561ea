"""Duplicates among the samples, and from them the number of things the generator can make.

How to use: ``metrics: [fid, duplicates]``; ``extractor`` says in which features "alike" is meant.

Parameters: ``rarity``: share of the data items that may have a near duplicate among as many.

Details and trade-offs: two samples are near duplicates if they lie within a threshold in
feature space: the distance to the nearest other of a fixed draw of as many data items as
samples, of which ``rarity`` of the items have no more (the quantile, the lower of two). Where
there are fewer data than samples, ``duplicates`` is the share among as many of these. Of a
generator that makes N things equally often, two samples are the same with a chance of 1/N: so
``support`` is the pairs of samples over the near duplicate pairs, an effective number where
they are not equally often, as 1 / sum p² it is. It is the birthday test with all pairs in place
of one batch: a batch of about 1.2 sqrt(N) has a duplicate with a chance of one half.
``support_least`` is what the number is not below, at 95 %, for pairs counted as Poisson; it
stands alone where there are no pairs. Beside it ``support_data``: the data have more than can be
counted, and score what the threshold leaves them, so a support near that means "not counted".
The authors looked at each pair with their own eyes; a threshold does not, and features that
tell classes apart find alike what differs within a class. ``exact_duplicates`` looks at no
features. Cost: distances of all pairs of samples at each evaluation, and of data items once.

Attribution: Arora and Zhang, 2018, *Do GANs learn the distribution? Some theory and empirics*;
the calibrated threshold and the estimate over all pairs are ours.
"""

import hashlib
from typing import NamedTuple

from torch import Tensor

from ganbench.plugin import Annotated, Field, Metric, MetricContext, MetricParameters

from ._features import blocks, in_double, squared_distances
from ._once import OfData
from .prdc import squared_radii

LEVEL = 0.95
"""Of ``support_least``."""


def rarity_threshold(items: Tensor, rarity: float) -> float:
    """Return the squared distance within which a share of the items have another.

    Parameters
    ----------
    items : Tensor, shape (n, width), float64
        Two or more.
    rarity : float
        The share; of two neighbouring items in order, the nearer one counts.
    """
    nearest = squared_radii(items, 1)[:, 0]
    return float(nearest.sort().values[int(rarity * (len(nearest) - 1))])


def close_pairs(items: Tensor, threshold: float) -> tuple[int, int]:
    """Count the pairs of items within a squared distance, and the items that are in one.

    Parameters
    ----------
    items : Tensor, shape (n, width), float64
    threshold : float
    """
    twice = members = 0
    for rows in blocks(len(items), len(items)):
        distances, tie = squared_distances(items[rows], items)
        close = distances <= threshold + tie
        others = close.sum(dim=1) - 1  # each is within any distance of itself
        twice += int(others.sum())
        members += int((others > 0).sum())
    return twice // 2, members


def support_size(pairs: int, items: int) -> float | None:
    """Return the support size that a number of equal pairs speaks for; None without any.

    The chance that two draws are equal is the sum of p², 1/N for N equally likely things.

    Parameters
    ----------
    pairs : int
        Equal ones, among all pairs of the items.
    items : int
    """
    return items * (items - 1) / 2 / pairs if pairs else None


def least_support(pairs: int, items: int) -> float:
    """Return the size that the support is not below, at 95 %.

    From the upper limit of a Poisson mean: chi² with 2 (pairs + 1) degrees, halved. Without any
    pairs that is 3.0, the rule of three.

    Parameters
    ----------
    pairs, items : int
        As for `support_size`.
    """
    from scipy.special import gammaincinv  # takes time to import, and few studies need it

    return items * (items - 1) / 2 / float(gammaincinv(pairs + 1, LEVEL))


def repeated_share(samples: Tensor) -> float:
    """Return the share of items that repeat an earlier one, bit for bit."""
    rows = samples.cpu().contiguous().numpy()
    return 1 - len({hashlib.sha256(row).digest() for row in rows}) / len(rows)


class DataSide(NamedTuple):
    """What samples are compared with."""

    centre: Tensor
    """Mean of the data items' features: shape (width,)."""
    items: int
    threshold: float
    """Squared distance of near duplicates."""
    support: float | None


class Duplicates(Metric):
    """Near and exact duplicates, and the support size that they speak for."""

    name = "duplicates"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "duplicates": "share of samples with a near duplicate among the samples: another within "
        "the distance that `rarity` (0.01 unless set) of as many data items have another within; "
        "0 to 1, best near `rarity`",
        "exact_duplicates": "share of samples that repeat an earlier one bit for bit, as saved; "
        "0 to 1, lower is better",
        "support": "how many different things the generator makes, in effect: pairs of samples "
        "over near duplicate pairs; higher is better, up to support_data, beyond which nothing can "
        "be counted; left out without any such pair",
        "support_least": "what the support size is not below, at 95%",
        "support_data": "support of a fixed draw of as many data items: a yardstick",
    }

    class Parameters(MetricParameters):
        """Parameters of `Duplicates`."""

        rarity: Annotated[float, Field(gt=0, le=0.5)] = 0.01
        """Share of data items that have a near duplicate among as many: sets the threshold."""

    def __init__(self, parameters: MetricParameters) -> None:
        super().__init__(parameters)
        self._of_data = OfData(self._measure_data)

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the figures that are defined."""
        data = self._of_data(ctx)
        mine = in_double(ctx.features) - data.centre
        pairs, members = close_pairs(mine, data.threshold)
        # Of more samples than data items more would have a neighbour, by their number alone.
        as_many = mine[: data.items]
        if len(as_many) < len(mine):
            members = close_pairs(as_many, data.threshold)[1]
        supports = {"support": support_size(pairs, len(mine)), "support_data": data.support}
        return {
            "duplicates": members / len(as_many),
            "exact_duplicates": repeated_share(ctx.samples),
            "support_least": least_support(pairs, len(mine)),
            **{key: size for key, size in supports.items() if size is not None},
        }

    def _measure_data(self, ctx: MetricContext) -> DataSide:
        items = in_double(ctx.reference_features())
        # Distances stay as they are, and lose fewer digits nearer to the origin.
        centre = items.mean(dim=0)
        items = items - centre
        threshold = rarity_threshold(items, self.parameters.rarity)
        support = support_size(close_pairs(items, threshold)[0], len(items))
        return DataSide(centre, len(items), threshold, support)
