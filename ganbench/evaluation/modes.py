"""Which mode a point belongs to, and how many modes a perfect generator would show."""

import math

import torch
from torch import Tensor

from ganbench.evaluation.collapse import Spread
from ganbench.plugin import Centres

HIGH_QUALITY = -math.expm1(-4.5)
"""Share of a mode within its radius: what three standard deviations hold in the plane."""


def mode_radius(dimensions: int) -> float:
    """Return the radius of a mode, in standard deviations: 3 in the plane.

    The published tests are of the plane, where a point is of high quality within three
    standard deviations of a centre (Srivastava et al., 2017, VEEGAN, section 4.1). In more
    dimensions a Gaussian has hardly a point as near as that: the distance of its points is
    chi distributed. So the radius is the quantile of that distribution which holds the same
    share, 1 - e^-4.5 = 98.89 %, in every dimension.
    """
    from scipy.special import gammaincinv  # only mixtures need it

    return math.sqrt(2 * float(gammaincinv(dimensions / 2, HIGH_QUALITY)))


def nearest_mode(points: Tensor, centres: Centres) -> Tensor:
    """Return each point's mode, -1 where it is not of high quality.

    A point is of high quality within `mode_radius` of the nearest centre.

    Parameters
    ----------
    points : Tensor, shape (items, dimensions)

    Returns
    -------
    Tensor, shape (items,), int64
    """
    distances = torch.cdist(
        points.cpu().double(),
        centres.points.cpu().double(),
        compute_mode="donot_use_mm_for_euclid_dist",
    )
    nearest, mode = distances.min(dim=1)
    radius = mode_radius(points.shape[1]) * centres.deviation
    return torch.where(nearest <= radius, mode, -1)


def shares(labels: Tensor, count: int) -> Tensor:
    """Return each label's share, float64, shape (count,), summing to 1."""
    counts = torch.bincount(labels.cpu(), minlength=count).double()
    return counts / counts.sum()


def tuple_index(labels: Tensor, kinds: int) -> Tensor:
    """Return the place of each tuple of labels, the last one running fastest.

    Parameters
    ----------
    labels : Tensor, shape (items, channels), int64, in [0, kinds)

    Returns
    -------
    Tensor, shape (items,), int64, in [0, kinds ** channels)
    """
    place = torch.zeros_like(labels[:, 0])
    for channel in labels.unbind(dim=1):
        place = place * kinds + channel
    return place


def tuple_logits(logits: Tensor) -> Tensor:
    """Return the log-probability of each tuple of labels, of independent channels.

    Parameters
    ----------
    logits : Tensor, shape (items, channels, kinds)

    Returns
    -------
    Tensor, shape (items, kinds ** channels), in the order of `tuple_index`
    """
    first, *others = logits.log_softmax(dim=2).unbind(dim=1)
    for channel in others:
        first = (first[:, :, None] + channel[:, None]).flatten(1)
    return first


def tuple_shares(single: Tensor, channels: int) -> Tensor:
    """Return the share of each tuple, of independent channels with the same shares.

    Parameters
    ----------
    single : Tensor, shape (kinds,)
    channels : int

    Returns
    -------
    Tensor, shape (kinds ** channels,), in the order of `tuple_index`
    """
    whole = single
    for _ in range(channels - 1):
        whole = torch.outer(whole, single).flatten()
    return whole


def attainable_modes(share: Tensor, samples: int) -> float:
    """Return how many modes ``samples`` independent draws hit on average.

    Rare modes are missed by chance alone: sum of 1 - (1 - p)^n over the modes.

    Parameters
    ----------
    share : Tensor, shape (modes,)
        Each mode's probability.
    samples : int
    """
    return float((1 - (1 - share.double()) ** samples).sum())


def attainable_spread(share: Tensor, samples: int) -> Spread:
    """Return how many modes independent draws of the data hit, as `attainable_modes`.

    Two modes are hit less often together than apart, so that the variances of the single
    modes, added up, are no less than the whole's.

    Parameters
    ----------
    share : Tensor, shape (modes,)
        Each mode's probability.
    samples : int
    """
    missed = (1 - share.double()) ** samples
    return Spread(attainable_modes(share, samples), float((missed * (1 - missed)).sum().sqrt()))
