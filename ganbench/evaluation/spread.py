"""How far apart items lie in feature space: mean pairwise distances."""

import math

import torch
from torch import Tensor

from ganbench.evaluation.collapse import NEAR

MIN_PAIRS = 50
"""Pairs of one mode under which their mean distance says too little."""
TIE = 1e-13
"""Squared distances up to this part of the squared lengths are 0: what rounding makes of copies."""


def mean_distance(features: Tensor) -> float:
    """Return the mean Euclidean distance over all pairs.

    Parameters
    ----------
    features : Tensor, shape (items, width)
        At least two items.
    """
    return float(torch.pdist(features.cpu().double()).mean())


def mean_distance_within(features: Tensor, modes: Tensor) -> float | None:
    """Return the mean Euclidean distance over the pairs of one mode.

    Parameters
    ----------
    features : Tensor, shape (items, width)
    modes : Tensor, shape (items,), int64
        Items of a negative mode belong to none.

    Returns
    -------
    float or None
        None with fewer than ``MIN_PAIRS`` such pairs.
    """
    distances = [
        torch.pdist(features[modes == mode].cpu().double())
        for mode in torch.unique(modes).tolist()
        if mode >= 0
    ]
    pairs = sum(len(each) for each in distances)
    if pairs < MIN_PAIRS:
        return None
    return float(torch.cat(distances).sum() / pairs)


def distances(features: Tensor) -> Tensor:
    """Return the Euclidean distances of all items, float64; copies are at 0 exactly.

    Parameters
    ----------
    features : Tensor, shape (items, width)

    Returns
    -------
    Tensor, shape (items, items)
    """
    wide = features.cpu().double()
    # Distances stay as they are, and lose fewer digits nearer to the origin.
    wide = wide - wide.mean(dim=0)
    lengths = wide.square().sum(dim=1)
    tie = (TIE * (lengths[:, None] + lengths[None])).sqrt()
    found = torch.cdist(wide, wide)
    return found.masked_fill_(found <= tie, 0)


def nearest_distances(features: Tensor) -> Tensor:
    """Return each item's distance to the nearest other one, float64, shape (items,).

    Parameters
    ----------
    features : Tensor, shape (items, width)
        At least two items.
    """
    return distances(features).fill_diagonal_(math.inf).min(dim=1).values


def closeness(features: Tensor) -> float:
    """Return the distance within which one of these items would be another's near copy.

    The 1% quantile of their distances to their nearest neighbours: so it shrinks with the
    dimension in which the data lie as their distances do.
    """
    return float(nearest_distances(features).quantile(NEAR))
