"""What a number of seeds can show: against scipy, and against arithmetic."""

from math import inf, log

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from ganbench.study.paired import sign_flip_test, smallest_p
from ganbench.study.planning import (
    detectable_effect,
    plan,
    seeds_for_margin,
    seeds_for_power,
    seeds_to_conclude,
)
from ganbench.study.power import power, t_power


def test_five_pairs_can_never_reach_p_of_005():
    assert smallest_p(5) == 0.0625
    text = plan(5, 1, 0.05).text
    assert "0.0625" in text
    assert "no arm can ever be called" in text


def test_holm_over_ten_arms_needs_nine_seeds():
    assert seeds_to_conclude(10, 0.05) == 9
    short = plan(6, 10, 0.05)
    assert not short.can_conclude
    assert "Holm over 10 arms needs at least 9 seeds, you have 6" in short.text
    assert plan(9, 10, 0.05).can_conclude
    assert not plan(8, 10, 0.05).can_conclude


def test_power_of_many_pairs_equals_the_noncentral_ts():
    # G*Power's textbook case: d = 0.5, n = 34, alpha = .05, two-sided: 0.8078.
    assert power(34, 0.5, 0.05) == pytest.approx(0.8078, abs=2e-4)
    threshold = stats.t.ppf(1 - 0.01 / 2, 9)
    reference = stats.nct.sf(threshold, 9, 1.2 * 10**0.5)
    assert t_power(10, 1.2, 0.01) == pytest.approx(reference, abs=2e-4)
    assert t_power(10, 1.2, 0.01) == pytest.approx(TTestPower().power(1.2, 10, 0.01), abs=2e-4)


@pytest.mark.parametrize(("pairs", "effect"), [(6, 1.0), (9, 2.0)])
def test_power_at_the_smallest_p_is_the_chance_that_all_signs_agree(pairs, effect):
    # Just above the smallest p only the observed assignment, and its mirror image, may count.
    alpha = 1.01 * smallest_p(pairs)
    reference = stats.norm.cdf(effect) ** pairs + stats.norm.cdf(-effect) ** pairs
    assert power(pairs, effect, alpha) == pytest.approx(reference, abs=0.015)
    assert power(pairs, inf, alpha) == 1
    assert power(pairs, inf, 0.99 * smallest_p(pairs)) == 0


def test_power_of_no_effect_is_the_tests_size():
    # At .05 the test of 8 pairs rejects 6 of its 128 outcomes: .0469.
    assert power(8, 0.0, 0.05) == pytest.approx(6 / 128, abs=0.01)


def test_detectable_effect_is_found_eight_times_in_ten():
    effect = detectable_effect(10, 0.05 / 6)
    values = np.random.default_rng(0).normal(effect, 1, (400, 10))
    found = np.mean([sign_flip_test(row)[0] < 0.05 / 6 for row in values])
    assert found == pytest.approx(0.8, abs=0.08)
    assert detectable_effect(5, 0.05) is None


def test_seeds_for_power_and_margin_are_the_fewest():
    needed = seeds_for_power(0.5, 0.05)
    assert power(needed, 0.5, 0.05) >= 0.8 > power(needed - 1, 0.5, 0.05)
    assert needed == 34
    assert seeds_for_power(0.01, 0.05) is None
    assert seeds_for_power(inf, 0.05) == 6

    fitting = seeds_for_margin(0.0, 0.1, 0.05, 0.05)
    half = [stats.t.ppf(0.975, n - 1) * 0.1 / n**0.5 for n in (fitting - 1, fitting)]
    assert half[1] < log(1.05) <= half[0]
    assert seeds_for_margin(0.2, 0.1, 0.05, 0.05) is None


def test_where_no_number_of_seeds_will_do_the_plan_says_so():
    # The smallest p of all is that of 20 pairs, 2 / 2^20 = 1.9e-6.
    assert seeds_to_conclude(1, 1e-6) is None
    never = plan(10, 6, 1e-5)
    assert (never.seeds_needed, never.can_conclude, never.detectable) == (None, False, None)
    assert "No number of seeds can tell 6 arms" in never.text


def test_between_the_exact_and_the_drawn_tests_smallest_p_only_twenty_seeds_will_do():
    # 2 / 2^20 < 3e-6 < 1 / 200,000
    assert seeds_to_conclude(1, 3e-6) == 20
    assert seeds_for_power(inf, 3e-6) == 20
    assert "20 seeds can give" in plan(30, 1, 3e-6).text


def test_a_plan_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match="-1"):
        plan(-1, 3, 0.05)
    with pytest.raises(ValueError, match="alpha"):
        plan(5, 3, 1.5)
