"""Features as the metrics compute with them."""

from collections.abc import Iterator

import torch
from torch import Tensor

BLOCK = 2**22
"""Entries of a matrix between items and items that are held at once: 32 MB in float64."""
TIE = 1e-13
"""Squared distances closer than this, over the squared lengths, are equal.

Ten times what rounding in float64 makes of them, and far less than float32 features can tell:
it keeps copies at distance 0 and ties tied, whatever the order of summation.
"""


def in_double(features: Tensor) -> Tensor:
    """Return features as float64, where they are, or on the CPU if the device has no float64."""
    return (features.cpu() if features.device.type == "mps" else features).double()


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Yield slices of the rows of a matrix, each of at most ``BLOCK`` entries, or of one row."""
    height = max(1, BLOCK // columns)
    for start in range(0, rows, height):
        yield slice(start, min(start + height, rows))


def squared_distances(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return the squared Euclidean distances between rows, and within what they are equal.

    Parameters
    ----------
    first, second : Tensor, shapes (n, width) and (m, width), float64

    Returns
    -------
    tuple of Tensor, both of shape (n, m)
    """
    lengths = first.square().sum(dim=1)[:, None] + second.square().sum(dim=1)[None]
    squares = torch.addmm(lengths, first, second.T, alpha=-2)
    tie = lengths.mul_(TIE)
    return squares.masked_fill_(squares <= tie, 0), tie


def nearest(queries: Tensor, items: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the squared distances to the nearest items, in order, and which they are.

    Parameters
    ----------
    queries, items : Tensor, shapes (n, width) and (m, width), float64
    count : int
        At most m.

    Returns
    -------
    tuple of Tensor, both of shape (n, count)
    """
    distances = queries.new_empty(len(queries), count)
    which = torch.empty(len(queries), count, dtype=torch.int64, device=queries.device)
    for rows in blocks(len(queries), len(items)):
        squares, _ = squared_distances(queries[rows], items)
        distances[rows], which[rows] = squares.topk(count, largest=False, sorted=True)
    return distances, which
