"""The exploratory figures: against scipy, and against arithmetic; divergence ranks last in all."""

from math import exp, inf, log

import numpy as np
import pytest
from made_up_results import BASE, from_finals, scaled, study_of, trial
from scipy import stats

from ganbench.study.exploratory import (
    bca_interval,
    explore,
    improvement,
    interquartile_mean,
    pairing,
)
from ganbench.study.paired import wilson_interval
from ganbench.study.statistics import compare


def explored(results):
    return explore(results, compare(results))


def test_bca_interval_equals_scipys():
    values = np.random.default_rng(0).normal(0.3, 1, 12)
    expected = stats.bootstrap(
        (values,), np.mean, method="BCa", confidence_level=0.9, n_resamples=100_000,
        rng=np.random.default_rng(5),
    ).confidence_interval  # fmt: skip
    found = bca_interval(values, 0.1)
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02)
    assert bca_interval(values, 0.1) == found


def test_bca_interval_of_equal_differences_is_a_point():
    assert bca_interval([0.1, 0.1, 0.1], 0.05).high == pytest.approx(0.1)
    assert bca_interval([0.0, 0.0], 0.05).low == 0


def test_interquartile_mean_leaves_out_a_quarter_at_each_end():
    # Of ten, two at each end.
    found = interquartile_mean([1, 2, 3, 4, 5, 6, 7, 8, 9, 100], 0.05)
    assert found.value == pytest.approx((3 + 4 + 5 + 6 + 7 + 8) / 6)


def test_interquartile_means_interval_equals_scipys_percentile_bootstrap():
    values = np.random.default_rng(1).normal(20, 3, 11)
    expected = stats.bootstrap(
        (values,), lambda x, axis: stats.trim_mean(x, 0.25, axis=axis), method="percentile",
        n_resamples=50_000, rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    found = interquartile_mean(values, 0.05)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.15)


def test_interquartile_mean_of_some_that_rank_last_is_last_only_where_they_reach_the_middle():
    two = interquartile_mean([1, 2, 3, 4, 5, 6, 7, 8, inf, inf], 0.05)
    assert (two.value, two.high) == (pytest.approx((3 + 4 + 5 + 6 + 7 + 8) / 6), inf)
    three = interquartile_mean([1, 2, 3, 4, 5, 6, 7, inf, inf, inf], 0.05)
    assert three.value == inf
    assert three.low < inf
    assert interquartile_mean([5.0], 0.05).low == -inf


def test_improvement_is_the_share_of_seeds_with_ties_as_a_half():
    found = improvement([1, 2, 3, inf, inf], [2, 1, 3, 4, inf], 0.05)
    # Better, worse, a tie, worse since it ranks last, a tie of two that do.
    assert found.value == 2 / 5
    assert (found.low, found.high) == wilson_interval(2, 5, 0.05)


def test_pairing_tells_pearsons_correlation_of_logarithms_and_the_ratio_of_variances():
    rng = np.random.default_rng(3)
    shared = rng.normal(0, 1, 9)
    ours, theirs = shared + rng.normal(0, 0.5, 9), shared + rng.normal(0, 0.5, 9)
    found = pairing(ours, theirs)
    assert found.correlation == pytest.approx(stats.pearsonr(ours, theirs).statistic)
    # An unpaired t interval's squared width is (s1^2 + s2^2) / n, a paired one's s_d^2 / n.
    variances = [np.var(x, ddof=1) for x in (ours, theirs, ours - theirs)]
    assert found.gain == pytest.approx((variances[0] + variances[1]) / variances[2])
    assert (found.seeds, found.ranked) == (9, False)


def test_pairing_is_of_ranks_where_a_trial_ranks_last():
    ours, theirs = [0.1, 0.4, 0.2, inf, inf], [0.0, 0.3, inf, 0.2, inf]
    found = pairing(ours, theirs)
    assert found.correlation == pytest.approx(
        stats.spearmanr([1, 3, 2, 9, 9], [0, 3, 9, 2, 9]).statistic
    )
    assert (found.ranked, found.gain) == (True, None)


def test_pairing_with_arms_that_do_not_move_or_move_as_one():
    assert pairing([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]) is None
    assert pairing([1.5, 2.5, 3.5], [1.0, 2.0, 3.0]).gain == inf


def test_every_arm_is_explored_over_the_figures_that_its_verdict_is_about():
    first, arm = explored(from_finals(baseline=BASE, arm=scaled(0.7)))
    assert (first.change, first.improvement, first.pairing) == (None, None, None)
    assert first.iqm.value == pytest.approx(stats.trim_mean(BASE, 0.25))
    assert exp(arm.change.value) == pytest.approx(0.7, abs=0.01)
    assert arm.improvement.value == 1
    expected = stats.pearsonr([log(x) for x in BASE], [log(x) for x in scaled(0.7)]).statistic
    assert arm.pairing.correlation == pytest.approx(expected)


def test_a_diverged_trial_is_left_out_of_no_figure_and_a_failed_one_of_all():
    base = [trial("baseline", s, BASE[s]) for s in range(6)]
    arm = [trial("arm", s, 0.5 * BASE[s]) for s in range(4)]
    diverged = study_of(
        {"baseline": base, "arm": [*arm, *(trial("arm", s, outcome="diverged") for s in (4, 5))]},
        range(6),
    )
    row = explored(diverged)[1]
    assert row.change is None
    assert row.improvement.value == pytest.approx(4 / 6)
    assert row.pairing.ranked
    assert row.pairing.seeds == 6
    # One of six is cut from each end: of the middle four the largest ranks last.
    assert row.iqm.value == inf
    failed = study_of(
        {"baseline": base, "arm": [*arm, *(trial("arm", s, outcome="failed") for s in (4, 5))]},
        range(6),
    )
    row = explored(failed)[1]
    assert (row.improvement.value, row.pairing.seeds) == (1, 4)
    assert row.iqm.value == pytest.approx(0.5 * np.mean(sorted(BASE[:4])[1:3]))


def test_an_arm_without_a_trial_has_no_figure():
    base = [trial("baseline", s, BASE[s]) for s in range(3)]
    row = explored(study_of({"baseline": base, "arm": [], "odd": []}, range(3), skipped=("odd",)))
    assert all(
        (item.change, item.improvement, item.iqm, item.pairing) == (None,) * 4 for item in row[1:]
    )
