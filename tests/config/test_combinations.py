"""Designs as places in lists: counted, orthogonal, and of the resolution that they promise."""

from itertools import combinations
from math import prod

import pytest

from ganbench.config.combinations import (
    RESOLUTIONS,
    NoFractionError,
    count_places,
    fraction,
    places_of,
)


def resolution_by_counting(runs):
    """Return the size of the smallest set of factors whose product is constant over the runs."""
    signs = [[2 * place - 1 for place in run] for run in runs]
    factors = range(len(runs[0]))
    for size in range(1, len(runs[0]) + 1):
        for chosen in combinations(factors, size):
            if len({prod(run[f] for f in chosen) for run in signs}) == 1:
                return size
    return len(runs[0]) + 1


# Factors, resolution, runs: Montgomery (2012), table 8.14; of resolution V with 8 factors 64 runs.
SMALLEST = [
    (3, "III", 4), (4, "III", 8), (5, "III", 8), (6, "III", 8), (7, "III", 8), (8, "III", 16),
    (4, "IV", 8), (6, "IV", 16), (7, "IV", 16), (8, "IV", 16), (9, "IV", 32),
    (5, "V", 16), (6, "V", 32), (7, "V", 64), (8, "V", 64),
]  # fmt: skip


@pytest.mark.parametrize(("factors", "resolution", "runs"), SMALLEST)
def test_a_fraction_has_its_resolution_in_the_fewest_runs(factors, resolution, runs):
    found = fraction(factors, resolution)
    assert len(found) == len(set(found)) == runs
    assert resolution_by_counting(found) >= RESOLUTIONS[resolution]


def test_of_equally_many_runs_the_better_resolution_is_taken():
    # 8 runs are resolution IV for 4 factors, 16 runs V for 5: no reason to take less.
    assert resolution_by_counting(fraction(4, "III")) == 4
    assert resolution_by_counting(fraction(5, "IV")) == 5


@pytest.mark.parametrize(("factors", "resolution", "runs"), SMALLEST)
def test_a_fraction_holds_the_baseline_and_each_level_as_often_as_the_other(
    factors, resolution, runs
):
    found = fraction(factors, resolution)
    assert found[0] == (0,) * factors
    for column in zip(*found, strict=True):
        assert sum(column) == runs // 2
    for one, other in combinations(zip(*found, strict=True), 2):
        assert sum(a and b for a, b in zip(one, other, strict=True)) == runs // 4


@pytest.mark.parametrize(
    ("factors", "resolution", "reason"),
    [
        (2, "III", "takes all 4 combinations"),
        (3, "IV", "takes all 8 combinations, which are `kind: factorial`"),
        (4, "V", "takes all 16 combinations"),
        (1, "III", "takes all 2"),
        (21, "III", "got 21 factors, expected at most 20"),
    ],
)
def test_where_there_is_no_fraction_the_reason_is_told(factors, resolution, reason):
    with pytest.raises(NoFractionError, match=reason):
        fraction(factors, resolution)


@pytest.mark.parametrize(
    ("kind", "resolution", "cells"),
    [
        ("one-at-a-time", None, ["000", "100", "010", "020", "001"]),
        ("leave-one-out", None, ["111", "011", "101", "110"]),
        ("pairs", None,
            ["000", "100", "010", "020", "001", "110", "120", "101", "011", "021"]),
        ("factorial", None,
            ["000", "100", "010", "110", "020", "120", "001", "101", "011", "111", "021", "121"]),
        ("fractional", "III", ["000", "011", "101", "110"]),
    ],
)  # fmt: skip
def test_a_design_consists_of_these_cells(kind, resolution, cells):
    levels = (2, 2, 2) if kind == "fractional" else (2, 3, 2)
    found = ["".join(map(str, places)) for places in places_of(kind, levels, resolution)]
    assert found == cells
    assert count_places(kind, levels, resolution) == len(cells)


def test_a_huge_design_is_counted_without_being_made():
    assert count_places("factorial", [2] * 40) == 2**40
