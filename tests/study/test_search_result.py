"""What a budget can be expected to buy."""

from itertools import product
from statistics import fmean

import pytest

from ganbench.study.search_result import (
    SearchResult,
    SearchTrial,
    best_so_far,
    budget_curve,
    expected_best,
    worst_value,
)


def search(*trials, budget=None):
    made = tuple(
        SearchTrial(index, {}, state, value, None, 10)
        for index, (state, value) in enumerate(trials)
    )
    return SearchResult(
        name="s", arm="a", budget=budget or len(made), seeds=(9,), sampler="random", pruner="none",
        parallel=1, objectives=("primary",), space={}, steps=10, trials=made, winner=None,
        front=(), importances=None, unimportant="",
    )  # fmt: skip


def test_the_expected_best_is_the_mean_of_the_lowest_over_all_ways_to_draw():
    values = [3.0, 1.0, 4.0, 1.5]
    for n, found in enumerate(expected_best(values), 1):
        assert found == pytest.approx(fmean(min(draw) for draw in product(values, repeat=n)))


def test_one_draw_is_expected_to_come_to_the_mean_and_many_to_the_best():
    curve = expected_best([2.0, 4.0, 6.0], most=200)
    assert curve[0] == pytest.approx(4)
    assert curve[-1] == pytest.approx(2)
    assert curve == sorted(curve, reverse=True)


def test_one_that_diverged_counts_with_the_worst_of_all_searches():
    ours = search(("complete", 1.0), ("diverged", float("inf")))
    theirs = search(("complete", 8.0), ("complete", 2.0))
    worst = worst_value([ours, theirs])
    assert worst == 8
    assert budget_curve(ours, worst) == pytest.approx([4.5, 0.75 * 1 + 0.25 * 8])


def test_what_has_not_ended_counts_for_nothing_yet():
    assert budget_curve(search(("complete", 1.0), ("open", None), budget=5), 1.0) == [1.0]
    assert budget_curve(search(("open", None)), 1.0) == []
    assert worst_value([search(("failed", None))]) is None


def test_the_best_so_far_is_of_complete_configurations():
    found = search(("complete", 3.0), ("pruned", 1.0), ("complete", 4.0), ("complete", 2.0))
    assert best_so_far(found) == [(0, 3.0), (3, 2.0)]
    assert found.ended
    assert found.count("pruned") == 1
