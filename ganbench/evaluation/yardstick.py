"""What draws of the data themselves show: no limit of a rule may lie within their spread."""

import math

import torch
from torch import Tensor

from ganbench.evaluation.collapse import Spread
from ganbench.evaluation.context import Reference
from ganbench.evaluation.spread import MIN_PAIRS, distances

POOL = 2000
"""Data items that draws are taken from, at most."""
FEWEST = 4
"""Data items that two draws of two can be taken from."""
DRAWS = 50
RECIPE = 2
"""Raised when draws are taken or measured otherwise: part of their cache's key."""


def spreads_of_draws(
    features: Tensor, modes: Tensor | None, size: int, usual: Reference
) -> dict[str, Spread]:
    """Return the figures of the metric `diversity` over draws of data items.

    Draws are of at most half the pool. Their deviation is turned into that of ``size``
    independent items: it falls with the root of the items, and draws without replacement from
    a pool of P scatter less, by the root of 1 - drawn / P.

    Parameters
    ----------
    features : Tensor, shape (pool, width)
        Of data items, at least ``FEWEST``.
    modes : Tensor, shape (pool,), int64, or None
        Negative for none.
    size : int
        Items that an evaluation takes the figures over.
    usual : Reference
        What the figures are ratios to.

    Returns
    -------
    dict of str to Spread
        Of those figures that are defined on every draw.
    """
    apart = distances(features)
    pool, draws = len(features), torch.Generator().manual_seed(0)
    drawn = min(size, pool // 2)
    chosen = torch.stack([torch.randperm(pool, generator=draws)[:drawn] for _ in range(DRAWS)])
    taken = torch.zeros(DRAWS, pool, dtype=torch.float64).scatter_(1, chosen, 1)
    found = {"near_copies": _copies(apart, chosen, usual.closeness)}
    if usual.spread:
        # Over all pairs of a draw at once: its indicator on both sides of the matrix.
        total = (taken @ apart * taken).sum(dim=1)
        found["diversity"] = total / (drawn * (drawn - 1)) / usual.spread
    if modes is not None and usual.spread_within:
        same = ((modes[:, None] == modes[None]) & (modes >= 0)).double().fill_diagonal_(0)
        pairs = (taken @ same * taken).sum(dim=1)
        if bool((pairs >= 2 * MIN_PAIRS).all()):
            total = (taken @ (apart * same) * taken).sum(dim=1)
            found["diversity_within"] = total / pairs / usual.spread_within
    scale = math.sqrt(drawn / size / (1 - drawn / pool))
    return {
        key: Spread(float(values.mean()), scale * float(values.std()))
        for key, values in found.items()
    }


def _copies(apart: Tensor, chosen: Tensor, closeness: float) -> Tensor:
    """Return the share of near copies in each draw, float64, shape (draws,)."""
    shares = []
    for items in chosen:
        nearest = apart[items[:, None], items].fill_diagonal_(math.inf).min(dim=1).values
        shares.append((nearest <= closeness).double().mean())
    return torch.stack(shares)
