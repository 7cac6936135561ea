"""The rules of early warnings, by figures made up so that arithmetic decides."""

from dataclasses import dataclass, field

import pytest

from ganbench.evaluation.early import ROW, TREND, WARNINGS, rules, warnings_of


@dataclass
class Point:
    watched: dict = field(default_factory=dict)
    losses: dict = field(default_factory=dict)


def watched(key, *values):
    return warnings_of([Point({key: value}) for value in values])


def losses(discriminator, generator, pair=""):
    pairs = zip(discriminator, generator, strict=True)
    named = [{f"{pair}discriminator": d, f"{pair}generator": g} for d, g in pairs]
    return warnings_of([Point(losses=both) for both in named])


def test_d_is_always_right_at_two_evaluations_in_a_row():
    assert ROW == 2
    assert watched("accuracy", 0.8, 0.99, 1.0) == ("D always right",)
    assert watched("accuracy", 0.99, 0.98, 0.99) == ()
    assert watched("accuracy", 1.0, 1.0, 0.9) == ()
    assert watched("accuracy", 1.0) == ()


def test_gradients_vanish_beside_the_first_or_beside_adams_epsilon():
    assert watched("gradient", 1e-2, 1e-4, 1e-5) == ("vanishing gradients",)
    assert watched("gradient", 1e-2, 1.1e-4, 1e-4) == ()
    assert watched("gradient", 1e-7, 1e-8, 1e-9) == ("vanishing gradients",)
    # From the start there was none: no part of it is less, but Adam's epsilon is more.
    assert watched("gradient", 0.0, 0.0) == ("vanishing gradients",)


def test_d_overfits_where_held_out_items_are_nearer_to_fakes():
    assert watched("overfitting", 0.1, 0.5, 0.6) == ("D overfits",)
    assert watched("overfitting", 0.6, 0.4, 0.6) == ()


def test_losses_drift_apart_far_and_nearly_without_a_step_back():
    assert TREND == 5
    falls, climbs = [1.4, 1.0, 0.8, 0.6, 0.5], [0.7, 1.0, 1.5, 2.0, 2.5]
    assert losses(falls, climbs) == ("losses drift apart",)
    assert losses(falls, climbs, pair="level-1.") == ("losses drift apart",)
    # Wasserstein's losses are negative: the range is the measure, not the sign.
    assert losses([value - 5 for value in falls], [value - 9 for value in climbs])
    assert losses(falls, falls) == ()
    assert losses(falls[:4], climbs[:4]) == ()
    assert losses([1.4, 0.5, 0.6, 0.7, 0.4], climbs) == ()  # three of ten pairs rise
    # A tenth of what the loss has moved before is no running away.
    assert losses([6.4, *falls], [6.7, *climbs]) == ()


def test_nothing_that_was_not_watched_is_warned_of():
    assert warnings_of([Point(), Point()]) == ()
    assert warnings_of([Point(losses={"discriminator": 1.0})] * 6) == ()


@pytest.mark.parametrize("warning", WARNINGS)
def test_each_warning_has_its_rule_in_words(warning):
    assert any(rule.lower().startswith(warning.lower()) for rule in rules())
