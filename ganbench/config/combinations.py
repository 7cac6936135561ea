"""Which combinations of levels a design consists of: places in the factors' lists, no more."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import combinations, product
from math import prod

Places = tuple[int, ...]
"""For each factor the place of its level: 0 is the baseline's."""

RESOLUTIONS = {"III": 3, "IV": 4, "V": 5}
"""The length of the shortest product of factors that is constant over the runs, at least."""
MOST_FRACTIONED = 20
"""Factors of a fraction: of more, the search for one may take too long."""


class NoFractionError(ValueError):
    """There is no proper fraction of that resolution; the message says why."""


def places_of(kind: str, levels: Sequence[int], resolution: str | None = None) -> Iterator[Places]:
    """Yield the cells of a design, the one that all others are compared with first.

    Parameters
    ----------
    kind : str
        Of a design that is made of factors; ``ganbench.config.model.Design`` says of each.
    levels : sequence of int, each at least 2
        How many levels each factor has.
    resolution : str, optional
        Of a fraction, one of `RESOLUTIONS`.

    Raises
    ------
    NoFractionError
        As ``fraction`` does.
    """
    nothing = (0,) * len(levels)
    if kind == "leave-one-out":
        everything = (1,) * len(levels)
        yield everything
        yield from (_with(everything, {index: 0}) for index in range(len(levels)))
    elif kind == "factorial":
        # In the order of `all two-level runs`: the first factor changes fastest.
        yield from (places[::-1] for places in product(*map(range, reversed(levels))))
    elif kind == "fractional":
        yield from fraction(len(levels), str(resolution))
    else:
        yield nothing
        for index, count in enumerate(levels):
            yield from (_with(nothing, {index: place}) for place in range(1, count))
        if kind == "pairs":
            for one, other in combinations(range(len(levels)), 2):
                for first, second in product(range(1, levels[one]), range(1, levels[other])):
                    yield _with(nothing, {one: first, other: second})


def count_places(kind: str, levels: Sequence[int], resolution: str | None = None) -> int:
    """Return how many cells ``places_of`` yields, without making them.

    Raises
    ------
    NoFractionError
        As ``fraction`` does.
    """
    others = [count - 1 for count in levels]
    if kind == "leave-one-out":
        return len(levels) + 1
    if kind == "factorial":
        return prod(levels)
    if kind == "fractional":
        return len(fraction(len(levels), str(resolution)))
    pairs = sum(a * b for a, b in combinations(others, 2)) if kind == "pairs" else 0
    return 1 + sum(others) + pairs


@cache
def fraction(factors: int, resolution: str) -> tuple[Places, ...]:
    """Return the runs of a two-level fractional factorial design, the baseline's first.

    The fewest runs, a ``2^(k-p)`` of pydoe's, with which that resolution can be had; of those
    the best resolution that so many runs can have. Of the fractions of one family, which differ
    only in the signs of their generators, the one that the baseline belongs to.

    Parameters
    ----------
    factors : int, at least 1
    resolution : str
        One of `RESOLUTIONS`.

    Raises
    ------
    NoFractionError
        If no fraction has that resolution, or there are too many factors.
    """
    if factors > MOST_FRACTIONED:
        raise NoFractionError(f"got {factors} factors, expected at most {MOST_FRACTIONED}")
    # Late: it takes a second, and few studies need it.
    from pydoe import fracfact_by_res

    asked = RESOLUTIONS[resolution]
    runs = fracfact_by_res(factors, asked) if factors > 1 else [(-1.0,), (1.0,)]
    if len(runs) == 2**factors:
        raise NoFractionError(
            f"{factors} factors have no fraction of resolution {resolution}: it takes all "
            f"{2**factors} combinations, which are `kind: factorial`"
        )
    for better in range(asked + 1, factors + 1):
        others = fracfact_by_res(factors, better)
        if len(others) > len(runs):
            break
        runs = others
    first = runs[0]
    return tuple(tuple(int(run[f] != first[f]) for f in range(factors)) for run in runs)


def _with(places: Places, changed: dict[int, int]) -> Places:
    return tuple(changed.get(index, place) for index, place in enumerate(places))
