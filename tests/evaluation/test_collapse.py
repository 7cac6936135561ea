import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ganbench.evaluation.collapse import describe, judge
from ganbench.evaluation.modes import attainable_modes


@pytest.mark.parametrize(
    ("modes", "diversity", "within", "expected"),
    [
        (10, 1.0, 1.0, "healthy"),
        (8, 0.8, 0.7, "healthy"),
        (7, 0.9, 0.9, "partial collapse"),
        (3, 0.8, 0.9, "partial collapse"),
        (10, 0.95, 0.1, "partial collapse"),
        (10, 0.4, 0.9, "partial collapse"),
        (1, 0.4, 1.0, "total collapse"),
        (0, 1.0, 1.0, "total collapse"),
        (10, 0.1, 0.1, "total collapse"),
        (10, math.nan, 1.0, "diverged"),
        (10, math.inf, 1.0, "diverged"),
    ],
)
def test_states(modes, diversity, within, expected):
    figures = {"modes": modes, "diversity": diversity, "diversity_within": within}
    assert judge(figures, 10.0) == expected


@pytest.mark.parametrize(
    ("diversity", "expected"),
    [(0.9, "healthy"), (0.4, "partial collapse"), (0.05, "total collapse")],
)
def test_diversity_alone_decides_without_labels(diversity, expected):
    assert judge({"fid": 3.0, "diversity": diversity}, None) == expected


def test_modes_say_nothing_of_data_with_one_class():
    assert judge({"modes": 1, "diversity": 0.9}, 1.0) == "healthy"


def test_a_figure_that_is_not_finite_is_divergence_whatever_its_name():
    assert judge({"fid": math.nan, "diversity": 1.0}, None) == "diverged"


@given(
    st.floats(0, 100),
    st.floats(0, 1.5),
    st.floats(0, 1.5),
    st.floats(0, 20),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_more_modes_and_more_diversity_are_never_worse(modes, diversity, within, m, d, w):
    order = ["total collapse", "partial collapse", "healthy"]
    worse = {"modes": modes, "diversity": diversity, "diversity_within": within}
    better = {"modes": modes + m, "diversity": diversity + d, "diversity_within": within + w}
    assert order.index(judge(better, 100.0)) >= order.index(judge(worse, 100.0))


def test_the_words_carry_the_constants():
    text = describe(10.0, frozenset({"modes", "diversity", "diversity_within"}))
    assert "at most 10% of the 10 modes" in text
    assert "fewer than 80%" in text
    assert "below 0.2" in text
    assert "below 0.5" in text


def test_the_words_leave_out_what_is_not_measured():
    assert "modes" not in describe(None, frozenset({"diversity"}))
    assert "no collapse can be seen" in describe(10.0, frozenset({"fid"}))


def test_attainable_modes_are_those_a_fair_draw_hits():
    # Coupon collecting: K (1 - (1 - 1/K)^N).
    uniform = torch.full((1000,), 1e-3)
    assert attainable_modes(uniform, 26000) == pytest.approx(1000, abs=1e-3)
    assert attainable_modes(uniform, 1) == pytest.approx(1)
    assert attainable_modes(uniform, 1000) == pytest.approx(632.3, abs=0.1)
    assert attainable_modes(torch.tensor([0.5, 0.5, 0.0]), 1000) == pytest.approx(2)


def test_real_digits_are_never_flagged(evaluator, digits):
    # The figures are recomputed here from the features of all digits, for speed.
    study = evaluator._study
    with torch.no_grad():
        features = study.classifier_features(digits.items).double()
        modes = study.modes_of([digits.items])
    study.forget()
    distances = torch.cdist(features, features)
    same = modes[:, None] == modes[None, :]
    reference = distances.sum() / (len(modes) * (len(modes) - 1))
    within = (distances * same).sum() / (same.sum() - len(modes))
    draws = torch.Generator().manual_seed(0)
    share = torch.bincount(digits.labels, minlength=10) / len(modes)
    states = set()
    for _ in range(1000):
        drawn = torch.randint(len(modes), (250,), generator=draws)
        block = distances[drawn][:, drawn]
        pairs = same[drawn][:, drawn]
        histogram = torch.bincount(modes[drawn], minlength=10) / 250
        figures = {
            "modes": float((histogram >= 0.1 * share).sum()),
            "diversity": float(block.sum() / (250 * 249) / reference),
            "diversity_within": float((block * pairs).sum() / (pairs.sum() - 250) / within),
        }
        states.add(evaluator.health(figures))
    assert states == {"healthy"}
