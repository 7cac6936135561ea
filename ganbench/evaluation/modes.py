"""Which mode a point belongs to, and how many modes a perfect generator would show."""

import torch
from torch import Tensor

from ganbench.plugin import Centres

HIGH_QUALITY = 3.0
"""Standard deviations from the nearest centre within which a point belongs to its mode."""


def nearest_mode(points: Tensor, centres: Centres) -> Tensor:
    """Return each point's mode, -1 where it is not of high quality.

    A point is of high quality within three standard deviations of the nearest centre
    (Srivastava et al., 2017, VEEGAN, section 4.1).

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
    return torch.where(nearest <= HIGH_QUALITY * centres.deviation, mode, -1)


def shares(labels: Tensor, count: int) -> Tensor:
    """Return each label's share, float64, shape (count,), summing to 1."""
    counts = torch.bincount(labels.cpu(), minlength=count).double()
    return counts / counts.sum()


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
