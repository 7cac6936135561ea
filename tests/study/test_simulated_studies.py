"""What verdicts and plans promise, held against simulated studies by the thousand."""

from math import inf

import numpy as np
import pytest

from ganbench.study.exploratory import bca_interval, interquartile_mean
from ganbench.study.paired import holm, sign_flip_test, t_interval
from ganbench.study.planning import detectable_effect, seeds_for_power
from ganbench.study.power import power
from ganbench.study.verdicts import decide, effect_of

STUDIES = 2000
ALPHA, MARGIN = 0.05, 0.05


def verdicts(rows):
    """Judge a family of arms as ``compare`` does, a row of differences each."""
    effects = [effect_of(dict(enumerate(row)), ALPHA) for row in rows]
    adjusted = holm([effect.p for effect in effects])
    return [decide(effect, p, ALPHA, MARGIN) for effect, p in zip(effects, adjusted, strict=True)]


def normal(rng, shape):
    return rng.normal(0, 0.2, shape)


def skewed(rng, shape):
    return rng.exponential(0.3, shape)


def sometimes_diverging(rng, shape):
    return np.where(rng.random(shape) < 0.1, inf, rng.normal(0, 0.2, shape))


@pytest.mark.parametrize("figures", [normal, skewed, sometimes_diverging])
def test_at_most_one_null_study_in_twenty_calls_any_of_its_arms(figures):
    # Five arms that are the baseline in truth, correlated since they share its trials.
    rng, called = np.random.default_rng(1), 0
    for _ in range(STUDIES):
        baseline, arms = figures(rng, 10), figures(rng, (5, 10))
        with np.errstate(invalid="ignore"):
            differences = arms - baseline
        rows = [row[~np.isnan(row)] for row in differences]
        called += bool({"helps", "hurts"} & set(verdicts(rows)))
    assert 0.01 <= called / STUDIES <= 0.05


def share_covering(intervals, truth):
    low, high = np.asarray(intervals).T
    return np.mean((low <= truth) & (truth <= high))


def ends(estimate):
    return estimate.low, estimate.high


def test_t_intervals_of_ten_normal_or_moderately_skewed_differences_cover_93_to_97_per_cent():
    rng = np.random.default_rng(2)
    shares = {
        "normal": share_covering(
            [t_interval(row, 0.05)[1:] for row in rng.normal(0.2, 1, (5000, 10))], 0.2
        ),
        # Skewness 2 / sqrt(4) = 1.
        "skewed": share_covering(
            [t_interval(row, 0.05)[1:] for row in rng.gamma(4, 1, (5000, 10))], 4
        ),
        # Two exponential figures, skewness 2 each: their difference has none.
        "paired": share_covering(
            [
                t_interval(row, 0.05)[1:]
                for row in np.diff(rng.exponential(1, (5000, 2, 10)), axis=1)[:, 0]
            ],
            0,
        ),
    }
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares


def test_bca_intervals_of_ten_cover_less_than_they_say_and_that_is_why_no_verdict_uses_them():
    values = np.random.default_rng(3).normal(0.2, 1, (500, 10))
    bca = share_covering([ends(bca_interval(row, 0.05)) for row in values], 0.2)
    assert 0.87 <= bca <= 0.93
    assert bca < share_covering([t_interval(row, 0.05)[1:] for row in values], 0.2)


def test_interquartile_means_intervals_of_ten_cover_about_their_share():
    values = np.random.default_rng(4).normal(0.2, 1, (300, 10))
    assert 0.91 <= share_covering([ends(interquartile_mean(r, 0.05)) for r in values], 0.2) <= 0.97


def found_by_the_test(rng, pairs, effect, alpha):
    values = rng.normal(effect, 1, (5000, pairs))
    return np.mean([sign_flip_test(row)[0] < alpha for row in values])


@pytest.mark.parametrize(
    ("pairs", "arms"), [(6, 1), (7, 1), (9, 10), (10, 6), (11, 1), (12, 20), (15, 10), (20, 30)]
)
def test_a_plans_detectable_effect_is_found_eight_times_in_ten(pairs, arms):
    effect = detectable_effect(pairs, ALPHA / arms)
    found = found_by_the_test(np.random.default_rng(pairs), pairs, effect, ALPHA / arms)
    assert found == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(("effect", "arms"), [(0.8, 1), (1.0, 6), (1.5, 3), (2.0, 10)])
def test_so_many_seeds_find_the_effect_that_they_were_named_for(effect, arms):
    pairs = seeds_for_power(effect, ALPHA / arms)
    promised = power(pairs, effect, ALPHA / arms)
    found = found_by_the_test(np.random.default_rng(7), pairs, effect, ALPHA / arms)
    assert promised >= 0.8
    assert found == pytest.approx(promised, abs=0.03)


def test_verdicts_of_help_come_as_often_as_planned():
    # One arm of six has an effect; the others have none. Differences of 0.25 a deviation.
    effect, rng, found = detectable_effect(10, ALPHA / 6), np.random.default_rng(8), 0
    for _ in range(STUDIES):
        rows = rng.normal(0, 0.25, (6, 10))
        rows[0] -= 0.25 * effect
        found += verdicts(rows)[0] == "helps"
    assert found / STUDIES == pytest.approx(0.8, abs=0.03)


def test_exact_equivalence_calls_no_change_that_matters_oftener_than_it_says():
    # The true change stands on the margin's edge.
    values = np.random.default_rng(9).normal(np.log(1 + MARGIN), 0.02, (STUDIES, 10))
    called = np.mean([verdicts([row])[0] == "no effect" for row in values])
    assert called <= ALPHA
