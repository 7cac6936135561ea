"""The rules by their figures: what is judged how, and what the words say of it."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganbench.evaluation.collapse import SIGNS, CollapseRules, Measurement, Spread, moved
from ganbench.evaluation.modes import attainable_modes, attainable_spread

TEN = Spread(10.0, 0.0)
DRAWS = {
    "diversity": Spread(1.0, 0.01),
    "diversity_within": Spread(1.0, 0.02),
    "near_copies": Spread(0.0, 0.001),
}
RULES = CollapseRules(TEN, DRAWS)


def judged(*history, rules=RULES):
    """Judge evaluations that are given as figures, or as counts of each mode."""
    seen = [
        Measurement(entry)
        if isinstance(entry, dict)
        else Measurement({"modes": float(sum(map(bool, entry)))}, tuple(entry))
        for entry in history
    ]
    return rules.judge(seen)


@pytest.mark.parametrize(
    ("modes", "diversity", "within", "copies", "expected", "signs"),
    [
        (10, 1.0, 1.0, 0.0, "healthy", []),
        (8, 0.8, 0.7, 0.4, "healthy", []),
        (7, 0.9, 0.9, 0.0, "partial collapse", ["missing modes"]),
        (10, 0.95, 0.1, 0.0, "partial collapse", ["low diversity within modes"]),
        (10, 0.4, 0.9, 0.0, "partial collapse", ["low diversity"]),
        (10, 0.9, 0.9, 0.5, "partial collapse", ["near copies"]),
        (3, 0.4, 0.9, 0.0, "partial collapse", ["missing modes", "low diversity"]),
        (1, 0.4, 1.0, 0.0, "total collapse", ["missing modes", "low diversity"]),
        (0, 1.0, 1.0, 0.0, "total collapse", ["missing modes"]),
        (10, 0.1, 0.9, 0.0, "total collapse", ["low diversity"]),
        (10, math.nan, 1.0, 0.0, "diverged", []),
        (10, math.inf, 1.0, 0.0, "diverged", []),
    ],
)
def test_states_and_their_signs(modes, diversity, within, copies, expected, signs):
    finding = judged(
        {
            "modes": modes,
            "diversity": diversity,
            "diversity_within": within,
            "near_copies": copies,
        }
    )
    assert (finding.health, list(finding.signs)) == (expected, signs)


@pytest.mark.parametrize(
    ("diversity", "expected"),
    [(0.9, "healthy"), (0.4, "partial collapse"), (0.05, "total collapse")],
)
def test_diversity_alone_decides_without_labels(diversity, expected):
    assert judged({"fid": 3.0, "diversity": diversity}, rules=CollapseRules(None, {})).health == (
        expected
    )


def test_modes_say_nothing_of_data_with_one_class():
    rules = CollapseRules(Spread(1.0, 0.0), DRAWS)
    assert judged({"modes": 1, "diversity": 0.9}, rules=rules).health == "healthy"


def test_one_of_two_classes_is_a_total_collapse_however_rare_the_other_is():
    # A perfect generator's 256 samples miss the rarer one with a chance of 0.9^256 = 2e-12: so
    # attainable are a little fewer than 2.
    rules = CollapseRules(attainable_spread(torch.tensor([0.9, 0.1]), 256), DRAWS)
    assert judged({"modes": 1}, rules=rules).health == "total collapse"
    assert judged({"modes": 2}, rules=rules).health == "healthy"


def test_so_few_samples_that_chance_may_show_one_mode_say_nothing_of_modes():
    # Three samples of ten classes are of one class in a hundredth of draws; of two classes,
    # 256 samples miss one of a hundredth in 0.99^256 = 8 % of draws.
    for share, samples in ((torch.full((10,), 0.1), 3), (torch.tensor([0.99, 0.01]), 256)):
        rules = CollapseRules(attainable_spread(share, samples), DRAWS)
        assert judged({"modes": 1}, rules=rules).health == "healthy"


def test_results_of_before_there_were_copies_and_histograms_are_judged_by_what_they_have():
    old = {"fid": 3.0, "modes": 10.0, "kl": 0.1, "diversity": 0.9, "diversity_within": 0.9}
    assert judged(old, old).health == "healthy"


@given(*[st.floats(0, 1)] * 3, *[st.floats(0, 1)] * 3)
def test_more_modes_and_more_diversity_are_never_worse(modes, diversity, within, m, d, w):
    order = ["total collapse", "partial collapse", "healthy"]
    worse = {"modes": 10 * modes, "diversity": diversity, "diversity_within": within}
    better = {
        "modes": 10 * (modes + m),
        "diversity": diversity + d,
        "diversity_within": within + w,
    }
    assert order.index(judged(better).health) >= order.index(judged(worse).health)


def test_limits_keep_six_deviations_from_what_draws_of_the_data_show():
    # A figure that scatters by a tenth: draws reach 1 - 6 · 0.1 = 0.4, and copies 0.2 + 0.6.
    rough = {"diversity": Spread(1.0, 0.1), "near_copies": Spread(0.2, 0.1)}
    rules = CollapseRules(Spread(100.0, 5.0), rough)
    assert judged({"diversity": 0.41}, rules=rules).health == "healthy"
    assert judged({"diversity": 0.39}, rules=rules).signs == ("low diversity",)
    assert judged({"near_copies": 0.79}, rules=rules).health == "healthy"
    assert judged({"near_copies": 0.81}, rules=rules).signs == ("near copies",)
    assert judged({"modes": 71}, rules=rules).health == "healthy"
    assert judged({"modes": 69}, rules=rules).signs == ("missing modes",)
    text = rules.describe(frozenset({"modes", "diversity", "near_copies"}))
    assert "fewer than 70% of those modes" in text
    assert "Low diversity: below 0.4 of the data's" in text
    assert "Near copies: at least 80% of the samples" in text
    assert "diversity 1.00 ± 0.1" in text


def drifting(*values):
    return judged(*({"diversity": value} for value in values))


def test_diversity_that_shrinks_is_seen_before_it_is_low():
    falling = [1.0, 0.9, 0.8, 0.74, 0.7]
    assert drifting(*falling).signs == ("shrinking diversity",)
    assert drifting(*falling).health == "partial collapse"
    # Four evaluations are no trend; a fall by less than a quarter is none that matters.
    assert drifting(*falling[:4]).health == "healthy"
    assert drifting(1.0, 0.95, 0.9, 0.85, 0.8).health == "healthy"
    # One pair of ten may rise, two may not: 0.74 and 0.72 after 0.7.
    assert drifting(1.0, 0.9, 0.8, 0.7, 0.72).signs == ("shrinking diversity",)
    assert drifting(1.0, 0.9, 0.7, 0.71, 0.72).health == "healthy"


def test_what_has_shrunk_stays_a_collapse_until_it_has_come_back():
    shrunk = [1.0, 0.9, 0.8, 0.74, 0.7]
    assert drifting(*shrunk, 0.72, 0.71).signs == ("shrinking diversity",)
    assert drifting(*shrunk, 0.8).health == "healthy"
    assert drifting(*shrunk, 0.8, 0.72).health == "healthy"


def test_to_come_down_to_the_data_from_noise_is_no_loss():
    assert drifting(1.8, 1.5, 1.2, 1.0, 0.9).health == "healthy"
    assert drifting(1.8, 1.5, 1.2, 1.0, 0.9, 0.8, 0.7).signs == ("shrinking diversity",)


A, B, C = [40, 30, 30, 0, 0, 0], [0, 1, 0, 40, 30, 29], [0, 0, 50, 0, 50, 0]
SIX = CollapseRules(Spread(6.0, 0.0), {})


def test_what_moves_is_the_smaller_of_what_left_and_what_came():
    assert moved(A, B) == pytest.approx(0.99)  # of B all but the one in mode 1
    assert moved(A, A) == 0
    # Half of A's... 70 of 100 leave modes 0 and 1, 50 of 100 come to mode 4.
    assert moved(A, C) == pytest.approx(0.5)
    assert moved(A, [0] * 6) == 0
    # Learning adds modes and keeps those it has; losing modes adds none.
    assert moved([100, 0, 0], [34, 33, 33]) == 0
    assert moved([34, 33, 33], [100, 0, 0]) == 0


def test_a_generator_that_swings_between_modes_oscillates():
    assert judged(A, B, A, rules=SIX).signs == ("missing modes", "oscillation")
    assert judged(A, A, B, B, A, rules=SIX).signs == ("missing modes", "oscillation")
    # One swing is a change of mind.
    assert judged(A, A, A, B, rules=SIX).signs == ("missing modes",)
    assert judged(A, B, B, B, B, B, rules=SIX).signs == ("missing modes",)


def test_swings_without_missing_modes_are_no_collapse():
    whole = [20] * 6
    assert judged(A, B, A, whole, rules=SIX).health == "healthy"


def test_learning_one_mode_after_another_is_no_oscillation():
    history = [[90, 0, 0, 0, 0, 0], [45, 45, 0, 0, 0, 0], [30, 30, 30, 0, 0, 0]]
    assert judged(*history, rules=SIX).signs == ("missing modes",)


def test_the_words_carry_the_constants():
    text = RULES.describe(frozenset({"modes", "diversity", "diversity_within", "near_copies"}))
    assert "at most 10% of the 10 modes" in text
    assert "fewer than 80%" in text
    assert "below 0.2" in text
    assert "below 0.5" in text
    assert "below 75% of the trial's best" in text
    lines = text.splitlines()
    assert all(any(line.startswith(f"{sign.capitalize()}: ") for line in lines) for sign in SIGNS)


def test_the_words_leave_out_what_is_not_measured():
    assert "modes" not in CollapseRules(None, DRAWS).describe(frozenset({"diversity"}))
    assert "no collapse can be seen" in RULES.describe(frozenset({"fid"}))


def test_attainable_modes_are_those_a_fair_draw_hits():
    # Coupon collecting: K (1 - (1 - 1/K)^N).
    uniform = torch.full((1000,), 1e-3)
    assert attainable_modes(uniform, 26000) == pytest.approx(1000, abs=1e-3)
    assert attainable_modes(uniform, 1) == pytest.approx(1)
    assert attainable_modes(uniform, 1000) == pytest.approx(632.3, abs=0.1)
    assert attainable_modes(torch.tensor([0.5, 0.5, 0.0]), 1000) == pytest.approx(2)


def test_the_deviation_of_attainable_modes_is_not_below_that_of_draws():
    share = torch.full((200,), 1 / 200)
    draws = torch.Generator().manual_seed(0)
    hit = [float(torch.randint(200, (300,), generator=draws).unique().numel()) for _ in range(2000)]
    found = attainable_spread(share, 300)
    assert sum(hit) / len(hit) == pytest.approx(found.mean, abs=0.3)
    assert torch.tensor(hit).std() <= found.deviation
