"""Memorisation: whether samples are copies of training items, more than fresh data would be.

How to use: ``metrics: [fid, memorisation]``; ``extractor`` says in which features.

Parameters: ``rarity``: share of fresh data that may count as copied.

Details and trade-offs: three views of each sample's distance to the nearest training item, all
of them. A yardstick is needed, and few data sets have images held out; so a fixed draw of as many
training items as samples stand for fresh data, each compared with all the others: a fresh item from
the same source is exchangeable with them. They do not know that two writers share a hand: where
the training set has near duplicates within, less is called copied.

``authenticity``: a sample is authentic if it is farther from its nearest training item than that
item is from its own nearest other one. Copies have 0. Real data do not have 1 but, depending on
the features, from below a half to most of 1: ``authenticity_data`` is their value. ``copied``:
share of samples nearer to a training item than ``rarity`` of the fresh items are, which is what
fresh data would score too. ``copying``: the chance that a sample is nearer to the training items
than a fresh item is, ties half: 0.5 is right, 1 is copying, and towards 0 are samples far from
all data, which is bad for another reason. None sees the copy of a training item that was flipped
or shifted, if the features tell the two apart. Cost: the distances of samples to all training
items, and once a study those of as many training items; at 2,000 samples and MNIST's 60,000 seven
seconds on a core the first time and about half of that from then on, with ``inception`` minutes.
Memory grows with the training features, not with the pairs.

Attribution: authenticity: Alaa et al., 2022, *How faithful is your synthetic data?*, as the paper
defines it; its program looks the training items' distances up by the places of samples, and
gives another number. ``copying`` is the Mann-Whitney statistic of Meehan et al., 2020, *A
non-parametric test to detect data-copying in generative models*, over the whole space, as a
chance and not as a z-score, and with the training items themselves, left out one by one, for
held-out data.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ganbench.plugin import Annotated, Field, Metric, MetricContext, MetricParameters

from ._features import in_double, nearest
from ._once import OfData


def authentic(distances: Tensor, neighbours: Tensor, training: Tensor, own: Tensor) -> Tensor:
    """Say which items are farther from their nearest training item than it is from another.

    Parameters
    ----------
    distances : Tensor, shape (n,)
        Squared, to the nearest training item.
    neighbours : Tensor, shape (n,), int64
        Which that is.
    training : Tensor, shape (m, width), float64
        Three items or more.
    own : Tensor, shape (n,), int64
        The place of an item that is itself a training item, which is then taken away; -1 of a
        sample.

    Returns
    -------
    Tensor, shape (n,), bool
    """
    asked, place = torch.unique(neighbours, return_inverse=True)
    squares, which = nearest(training[asked], training, 3)
    squares, which = squares[place], which[place]
    absent = (which == neighbours[:, None]) | (which == own[:, None])
    return distances > squares.masked_fill(absent, torch.inf).amin(dim=1)


def chance_nearer(first: Tensor, second: Tensor) -> float:
    """Return the chance that one of the first is less than one of the second; ties are half.

    Parameters
    ----------
    first, second : Tensor, shapes (n,) and (m,)
    """
    ordered = second.sort().values
    above = len(second) - torch.searchsorted(ordered, first, right=True)
    equal = len(second) - torch.searchsorted(ordered, first) - above
    return float((above + equal / 2).double().mean()) / len(second)


class Fresh(NamedTuple):
    """What training items, each against all the others, show of fresh data."""

    distances: Tensor
    """Squared, to the nearest other one: shape (items,)."""
    authenticity: float


def fresh_data(ctx: MetricContext) -> Fresh:
    """Measure the fixed draw of training items that stands for fresh data."""
    training = in_double(ctx.training_features())
    # Distances stay as they are, and lose fewer digits nearer to the origin.
    centre = training.mean(dim=0)
    training, fresh = training - centre, in_double(ctx.reference_features()) - centre
    distances, known = nearest(fresh, training, 2)  # the first is the item itself
    own, others = known.unbind(dim=1)
    found = authentic(distances[:, 1], others, training, own)
    return Fresh(distances[:, 1], float(found.double().mean()))


class Memorisation(Metric):
    """Whether samples lie nearer to training items than fresh data would."""

    name = "memorisation"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "authenticity": "share of samples farther from their nearest training item than that item "
        "is from its nearest other one (Alaa et al.); 0: copies; best near authenticity_data",
        "authenticity_data": "the same of training items, each against all the others: a yardstick",
        "copied": "share of samples nearer to a training item than `rarity` (0.01 unless set) of "
        "fresh data are; 0 to 1, best near `rarity` or below",
        "copying": "chance that a sample is nearer to the training items than a fresh data item "
        "is; 0.5 is best, 1: copies, towards 0: far from all data",
    }

    class Parameters(MetricParameters):
        """Parameters of `Memorisation`."""

        rarity: Annotated[float, Field(gt=0, le=0.5)] = 0.01
        """Share of fresh data that counts as copied."""

    def __init__(self, parameters: MetricParameters) -> None:
        super().__init__(parameters)
        self._fresh = OfData(fresh_data)

    def least_samples(self, width: int) -> int:
        """Need an item, its nearest, and that one's nearest."""
        return 3

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the four figures."""
        fresh = self._fresh(ctx)
        training = in_double(ctx.training_features())
        centre = training.mean(dim=0)
        training, samples = training - centre, in_double(ctx.features) - centre
        squares, which = nearest(samples, training, 1)
        distances, neighbours = squares[:, 0], which[:, 0]
        ordered = fresh.distances.sort().values
        threshold = ordered[int(self.parameters.rarity * (len(ordered) - 1))]
        nobody = torch.full_like(neighbours, -1)
        found = authentic(distances, neighbours, training, nobody)
        return {
            "authenticity": float(found.double().mean()),
            "authenticity_data": fresh.authenticity,
            "copied": float((distances < threshold).double().mean()),
            "copying": chance_nearer(distances, fresh.distances),
        }
