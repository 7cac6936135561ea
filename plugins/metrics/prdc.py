"""Precision and recall, density and coverage, by nearest neighbours in feature space.

How to use: ``metrics: [fid, prdc]``; ``extractor`` says in which features.

Parameters: ``neighbours``, of precision and recall; ``density_neighbours``, of density and
coverage. Their defaults, 3 and 5, are the papers'.

Details and trade-offs: each item has a ball, up to its k-th nearest neighbour of its own kind.
Precision is the share of samples in a data item's ball, recall the share of data items in a
sample's; density counts the balls over a sample instead of asking for one, so that an outlier
among the data lifts it less; coverage is the share of data items with a sample in their ball.
The data are a fixed draw of as many items as there are samples, since all four depend on both
numbers: compare at one. The ball is closed in precision and recall, as Kynkäänniemi et al.
write it, and open in density and coverage, as in their authors' program; it matters for
copies alone. Memory does not grow with the pairs, time does: 2,000 samples take a fraction of
a second, with 2,048 features a second or two, and 50,000 of those a quarter of an hour on a core.

Attribution: Kynkäänniemi et al., 2019, section 2, equations 1 and 2; Naeem et al., 2020,
section 3, where density and coverage are defined.
"""

import torch
from torch import Tensor

from ganbench.plugin import Annotated, Field, Metric, MetricContext, MetricParameters

from ._features import blocks, in_double, squared_distances


def squared_radii(items: Tensor, neighbours: int) -> Tensor:
    """Return the squared distances of each item to its nearest others, in order.

    Parameters
    ----------
    items : Tensor, shape (n, width), float64
    neighbours : int
        Less than n.

    Returns
    -------
    Tensor, shape (n, neighbours)
        Copies of an item are neighbours at distance 0.
    """
    # Made at once: small results kept between large blocks would keep the allocator from using
    # the blocks' memory again.
    nearest = items.new_empty(len(items), neighbours)
    for rows in blocks(len(items), len(items)):
        distances, _ = squared_distances(items[rows], items)
        nearest[rows] = distances.topk(neighbours + 1, largest=False, sorted=True).values[:, 1:]
    return nearest


def precision_recall_density_coverage(
    samples: Tensor, data: Tensor, neighbours: int, density_neighbours: int
) -> dict[str, float]:
    """Return the four figures, under their names.

    Parameters
    ----------
    samples, data : Tensor, shapes (n, width) and (m, width)
        More of each than of either number of neighbours.
    neighbours : int
        Of precision and recall.
    density_neighbours : int
        Of density and coverage.
    """
    mine, theirs = in_double(samples), in_double(data)
    # Distances stay as they are, and lose fewer digits nearer to the origin.
    centre = theirs.mean(dim=0)
    mine, theirs = mine - centre, theirs - centre
    my_radii = squared_radii(mine, neighbours)[:, -1:]
    radii = squared_radii(theirs, max(neighbours, density_neighbours))
    wide, close = radii[:, neighbours - 1], radii[:, density_neighbours - 1]
    precise = balls = 0
    recalled, covered = (torch.zeros(len(theirs)).to(theirs).bool() for _ in range(2))
    for rows in blocks(len(mine), len(theirs)):
        distances, tie = squared_distances(mine[rows], theirs)
        precise += int((distances <= wide + tie).any(dim=1).sum())
        recalled |= (distances <= my_radii[rows] + tie).any(dim=0)
        inside = distances < close - tie
        balls += int(inside.sum())
        covered |= inside.any(dim=0)
    return {
        "precision": precise / len(mine),
        "recall": float(recalled.double().mean()),
        "density": balls / (density_neighbours * len(mine)),
        "coverage": float(covered.double().mean()),
    }


class PrecisionRecallDensityCoverage(Metric):
    """Fidelity as precision and density, diversity as recall and coverage; higher is better."""

    name = "prdc"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "precision": "share of samples within a data item's ball, which reaches to its k-th "
        "neighbour; 0 to 1, higher is better: samples like data",
        "recall": "share of data items within a sample's ball; 0 to 1, higher is better: data "
        "that the generator could make",
        "density": "balls of data items over a sample, on average, over k; 0 or more, about 1 "
        "for a perfect generator, more where samples crowd where the data are densest",
        "coverage": "share of data items with a sample in their ball; 0 to 1, higher is better",
    }

    class Parameters(MetricParameters):
        """Parameters of `PrecisionRecallDensityCoverage`."""

        neighbours: Annotated[int, Field(ge=1, le=100)] = 3
        """k of precision and recall."""
        density_neighbours: Annotated[int, Field(ge=1, le=100)] = 5
        """k of density and coverage."""

    def least_samples(self, width: int) -> int:
        """Need more items than neighbours."""
        return 1 + int(max(self.parameters.neighbours, self.parameters.density_neighbours))

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the four figures."""
        return precision_recall_density_coverage(
            ctx.features,
            ctx.reference_features(),
            self.parameters.neighbours,
            self.parameters.density_neighbours,
        )
