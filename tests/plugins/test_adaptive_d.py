"""Adaptive D: which updates take effect, and what remains of those that do not."""

import pytest
import torch
from ganbench_plugins.tricks.adaptive_d import AdaptiveD, is_above

from ganbench.plugin import Host
from ganbench.testing import TrickContract, differing, tiny_config, tiny_data, weights
from ganbench.training import NotApplicableError, Trial


class TestAdaptiveD(TrickContract):
    trick = AdaptiveD
    parameters = {"discriminator": 1.39}  # of losses from 1.38 to 1.40


class TestAdaptiveDAndG(TrickContract):
    trick = AdaptiveD
    parameters = {"discriminator": 1.39, "generator": 0.6933}


def trial(objective="non-saturating", **parameters):
    tricks = {"adaptive_d": {"discriminator": 0.0, **parameters}}
    config = tiny_config(tricks, "mlp", objective=objective)
    return Trial(config, 0, tiny_data(), Host(classes=[AdaptiveD]), torch.device("cpu"))


@pytest.mark.parametrize(
    ("loss", "threshold", "expected"),
    [(0.6, 0.5, True), (0.5, 0.5, False), (0.4, 0.5, False), (0.0, 0.0, True)],
)
def test_a_loss_above_the_threshold_calls_for_an_update(loss, threshold, expected):
    assert is_above(torch.tensor(loss), threshold).item() is expected


def test_updates_below_the_threshold_leave_weights_and_moments_alone():
    # D's loss begins near 2 ln 2, G's near ln 2: a threshold of 5 stops the one for good.
    made = trial(discriminator=5.0)
    before = weights(made)
    made.advance(4)
    changed = differing(before, weights(made))
    assert any("generator" in name for name in changed)
    assert not [name for name in changed if ".discriminator." in name]
    state = made.optimizers[0]["discriminator"].state.values()
    assert all(not tensor.any() for kept in state for tensor in kept.values())


def test_the_generator_has_a_threshold_of_its_own():
    made = trial(generator=5.0)
    before = weights(made)
    made.advance(4)
    changed = differing(before, weights(made))
    assert any(".discriminator." in name for name in changed)
    assert not [name for name in changed if "main.generator." in name]


def test_the_share_reported_is_that_of_the_losses_above_the_threshold():
    made = trial(discriminator=1.41)  # its losses are from 1.407 to 1.414
    made.advance(made.steps)
    losses = made.loss_log[:, 0, 1]
    expected = (losses > 1.41).double().mean().item()
    assert 0 < expected < 1
    figures = made.extra_figures()
    assert figures == {
        "adaptive_d.discriminator_updates": pytest.approx(expected),
        "adaptive_d.generator_updates": 1.0,
    }
    assert {name.partition(".")[2] for name in figures} == set(AdaptiveD.figures)


def test_before_the_first_step_there_is_nothing_to_report():
    assert trial(discriminator=0.5).extra_figures() == {}


@pytest.mark.parametrize("objective", ["hinge", "wasserstein"])
def test_without_a_cross_entropy_it_is_not_applicable(objective):
    with pytest.raises(NotApplicableError, match="cross-entropies"):
        trial(objective, discriminator=0.5)


@pytest.mark.parametrize("other", ["feature_matching", "unrolled"])
def test_a_threshold_for_g_is_about_the_objectives_loss(other):
    def made(**parameters):
        tricks = {"adaptive_d": parameters, other: {}}
        return Trial(tiny_config(tricks), 0, tiny_data(), Host(), torch.device("cpu"))

    with pytest.raises(NotApplicableError, match=f"{other} gives G another loss"):
        made(generator=0.5)
    made(discriminator=0.5).advance(1)


def test_a_saturating_loss_cannot_be_above_a_threshold():
    with pytest.raises(NotApplicableError, match="never above 0"):
        trial("saturating", generator=0.5)
    trial("saturating", discriminator=0.5)
