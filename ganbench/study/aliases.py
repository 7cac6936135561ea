"""What a fraction of a factorial design cannot tell apart: arithmetic with signs, no torch here."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

Term = tuple[int, ...]
"""One factor, or two that work together, by their places among the factors."""
Signs = tuple[int, ...]


@dataclass(frozen=True)
class Alias:
    """A term that the arms cannot tell from another.

    Attributes
    ----------
    term : tuple of int
    sign : {1, -1}
        What is estimated is the one term plus the other, or less it.
    """

    term: Term
    sign: Literal[1, -1]


def signs(term: Term, cells: Sequence[Sequence[int]]) -> Signs:
    """Return a term's contrast: +1 or -1 for each cell, -1 at a factor's first level.

    Parameters
    ----------
    term : tuple of int
    cells : sequence of places, each 0 or 1
    """
    column = [1] * len(cells)
    for factor in term:
        column = [sign * (2 * cell[factor] - 1) for sign, cell in zip(column, cells, strict=True)]
    return tuple(column)


def alias_groups(cells: Sequence[Sequence[int]]) -> dict[Term, tuple[Alias, ...]]:
    """Return every term of one factor or two, each group of aliases under its first.

    Interactions of three and more are not among them.

    Parameters
    ----------
    cells : sequence of places, each 0 or 1
        All arms of the design.
    """
    factors = range(len(cells[0]))
    groups: dict[Signs, tuple[Term, list[Alias]]] = {}
    for term in [*combinations(factors, 1), *combinations(factors, 2)]:
        column = signs(term, cells)
        turned = tuple(-sign for sign in column)
        if column in groups:
            groups[column][1].append(Alias(term, 1))
        elif turned in groups:
            groups[turned][1].append(Alias(term, -1))
        else:
            groups[column] = (term, [])
    return {term: tuple(others) for term, others in groups.values()}


def resolution_of(cells: Sequence[Sequence[int]]) -> str:
    """Return III, IV or V, the last also for anything better: by what is aliased with what."""
    aliased = {len(term) for term, others in alias_groups(cells).items() if others}
    return "III" if 1 in aliased else "IV" if 2 in aliased else "V"
