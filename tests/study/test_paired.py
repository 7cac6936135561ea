"""The paired tests and intervals: against scipy, and against arithmetic."""

from math import inf

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from ganbench.study.paired import (
    equivalence_test,
    holm,
    median_interval,
    sign_flip_test,
    signed_rank_interval,
    signed_ranks,
    smallest_p,
    t_interval,
    wilson_interval,
)


@pytest.mark.parametrize("pairs", [2, 5, 8, 11])
def test_sign_flip_test_equals_scipys_exact_permutation_test(pairs):
    values = np.random.default_rng(pairs).normal(0.4, 1, pairs)
    reference = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    p, exact = sign_flip_test(values)
    assert exact
    assert p == pytest.approx(reference.pvalue, rel=1e-12)


def test_sign_flip_test_counts_assignments_that_tie_with_the_observed_one():
    # Of the eight sums of ±0.1 ±0.2 ±0.3, those of size 0.6 are two, though in floating
    # point 0.1 + 0.2 + 0.3 differs from 0.3 + 0.2 + 0.1.
    assert sign_flip_test([0.1, 0.2, 0.3]) == (2 / 8, True)
    # |0.1 + 0.2 - 0.3| = 0: every assignment is at least as far from zero.
    assert sign_flip_test([0.1, 0.2, -0.3]) == (1.0, True)


def test_sign_flip_test_draws_at_random_beyond_twenty_pairs_and_says_so():
    values = np.random.default_rng(3).normal(0.45, 1, 24)
    p, exact = sign_flip_test(values)
    assert not exact
    assert p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=0.1)
    assert sign_flip_test(values) == (p, False)
    assert sign_flip_test(np.ones(30))[0] == smallest_p(30) > 0


@pytest.mark.parametrize("pairs", [4, 7])
def test_equivalence_test_is_two_of_scipys_one_sided_permutation_tests(pairs):
    values, margin = np.random.default_rng(pairs).normal(0.01, 0.03, pairs), 0.05
    expected = max(
        stats.permutation_test(
            (shifted,),
            np.mean,
            permutation_type="samples",
            alternative="greater",
            n_resamples=np.inf,
        ).pvalue
        for shifted in (values + margin, margin - values)
    )
    assert equivalence_test(values, -margin, margin) == pytest.approx(expected)


def test_equivalence_from_n_pairs_is_never_surer_than_one_in_two_to_the_n():
    for pairs in (1, 4, 5):
        assert equivalence_test([0.0] * pairs, -0.05, 0.05) == 2.0**-pairs


def test_equivalence_is_not_found_where_an_arm_diverged():
    assert equivalence_test([0.0] * 5 + [inf], -0.05, 0.05) > 0.05


def test_sign_flip_test_refuses_infinite_differences():
    with pytest.raises(ValueError, match="finite"):
        sign_flip_test([1.0, inf])


def test_the_ranked_test_equals_wilcoxons_exact_one():
    values = np.random.default_rng(5).normal(0.5, 1, 9)
    p, _ = sign_flip_test(signed_ranks(values))
    assert p == pytest.approx(stats.wilcoxon(values, method="exact").pvalue, rel=1e-12)


def test_infinite_differences_share_the_top_ranks_and_zeros_count_for_neither():
    assert signed_ranks([0.0, -1.0, 2.0, inf, inf]).tolist() == [0, -2, 3, 4.5, 4.5]
    assert signed_ranks([inf, -inf, 1.0]).tolist() == [2.5, -2.5, 1.0]


def test_t_interval_equals_scipys():
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 1, 7), rng.normal(0, 1, 7)
    expected = stats.ttest_rel(first, second).confidence_interval(0.9)
    mean, low, high = t_interval(first - second, 0.1)
    assert mean == pytest.approx(np.mean(first - second))
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_signed_rank_interval_inverts_the_signed_rank_test():
    values = np.random.default_rng(1).normal(0.3, 1, 10)
    _, low, high = signed_rank_interval(values, 0.05)
    inside = [low + 1e-6, high - 1e-6]
    outside = [low - 1e-6, high + 1e-6]
    assert all(stats.wilcoxon(values - x, method="exact").pvalue > 0.05 for x in inside)
    assert all(stats.wilcoxon(values - x, method="exact").pvalue <= 0.05 for x in outside)


def test_signed_rank_interval_of_six_spans_the_sample_and_of_five_everything():
    # 2/2^6 = .03125 <= .05 < 2/2^5: six pairs allow the outermost Walsh averages only.
    assert signed_rank_interval([1, 2, 3, 4, 5, 6], 0.05)[1:] == (1, 6)
    assert signed_rank_interval([1, 2, 3, 4, 5], 0.05)[1:] == (-inf, inf)


def test_signed_rank_interval_ends_at_infinity_where_divergence_leaves_it_open():
    estimate, low, high = signed_rank_interval([0.1, 0.2, 0.3, 0.4, 0.5, inf], 0.05)
    assert (low, high) == (0.1, inf)
    assert 0.2 < estimate < 0.5
    # Opposite infinities: their average could be anything.
    assert signed_rank_interval([-inf, inf], 0.9) == (0.0, -inf, inf)


def test_median_interval_is_of_the_order_statistics_that_the_binomial_distribution_says():
    # Of ten, P(B < 2) = 11/1024 <= .025 < 56/1024 = P(B < 3): the second and the ninth.
    assert median_interval([7, 3, 9, 1, 10, 5, 2, 8, 6, 4], 0.05) == (2, 9)
    # 2/2^6 = .03125 <= .05 < 2/2^5, as for signed ranks.
    assert median_interval([1, 2, 3, 4, 5, 6], 0.05) == (1, 6)
    assert median_interval([1, 2, 3, 4, 5], 0.05) is None


def test_holm_on_a_family_worked_by_hand():
    # Sorted .005 .01 .03 .04: times 4, 3, 2, 1 = .02 .03 .06 .04, then never decreasing.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.6]) == (1.0, 1.0)
    assert holm([]) == ()


def test_holm_equals_statsmodels():
    values = np.random.default_rng(4).random(9) ** 3
    assert holm(list(values)) == pytest.approx(multipletests(values, method="holm")[1])


@pytest.mark.parametrize(("count", "total"), [(0, 10), (3, 10), (10, 10), (1, 400)])
def test_wilson_interval_equals_scipys_and_statsmodels(count, total):
    reference = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    found = wilson_interval(count, total, 0.05)
    assert found == pytest.approx((reference.low, reference.high), abs=1e-12)
    other = proportion_confint(count, total, 0.05, method="wilson")
    assert found == pytest.approx(other, abs=1e-12)


def test_wilson_interval_of_nothing_is_everything():
    assert wilson_interval(0, 0, 0.05) == (0.0, 1.0)


def test_signed_rank_intervals_cover_at_least_their_share():
    rng = np.random.default_rng(12)
    intervals = [signed_rank_interval(rng.normal(0.5, 1, 9), 0.05)[1:] for _ in range(300)]
    assert np.mean([low <= 0.5 <= high for low, high in intervals]) >= 0.95 - 0.038
