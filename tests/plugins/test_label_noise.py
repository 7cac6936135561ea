"""D's targets are shifted and flipped at random; G's are not touched."""

import numpy as np
import pytest
import torch
from ganbench_plugins.tricks.label_noise import LabelNoise, flip_targets, shift_targets
from pydantic import ValidationError

from ganbench.plugin import Buffers, Host
from ganbench.testing import TrickContract, tiny_config, tiny_data
from ganbench.training import Trial


class TestLabelNoise(TrickContract):
    trick = LabelNoise
    parameters = {}


class TestFlips(TrickContract):
    trick = LabelNoise
    parameters = {"real_low": 0.0, "fake_low": 0.0, "flip": 0.5}


class Draws:
    """The numbers that a stream with this seed gives, one batch after the other."""

    def __init__(self, seed):
        self.stream = torch.Generator().manual_seed(seed)

    def next(self, shape):
        return torch.rand(shape, generator=self.stream)


def noisy(targets, is_real, seed=5, role="discriminator", **parameters):
    trick = LabelNoise(LabelNoise.Parameters(**parameters))
    buf = Buffers(torch.Generator().manual_seed(seed))
    return trick.transform_targets(targets, is_real, role, buf)


def test_smoothing_takes_labels_as_the_noise_leaves_them():
    # A flipped real image says "fake", with the target 0, which one-sided smoothing keeps.
    tricks = {"label_smoothing": {"real": 0.9}, "label_noise": {"real_low": 0.0, "flip": 0.5}}
    made = Trial(tiny_config(tricks), 0, tiny_data(), Host(), torch.device("cpu"))
    assert made.order["transform_targets"] == ["label_noise", "label_smoothing"]
    targets = torch.ones(64, 1)
    for trick in made.tricks:
        buffers = made.pairs[0].buffers[trick.name]
        targets = trick.transform_targets(targets, True, "discriminator", buffers)
    assert sorted(set(targets.flatten().tolist())) == pytest.approx([0.0, 0.9])


def test_the_defaults_are_chollets_in_our_sign():
    """His D estimates P(generated) from labels y; ours P(real): p = 1 - q, logit x = -l.

    So -(y log q + (1 - y) log(1 - q)) is our cross-entropy with the target 1 - y.
    """
    u = 1 - Draws(5).next((6, 1)).numpy()  # as much U(0, 1) as the draws themselves
    logits = np.linspace(-3, 3, 6)[:, None]
    for is_real, his_label in ((True, 0.0), (False, 1.0)):
        y = his_label + 0.05 * u
        q = 1 / (1 + np.exp(logits))  # P(generated) of the D whose P(real) has these logits
        his = -(y * np.log(q) + (1 - y) * np.log(1 - q)).mean()
        target = noisy(torch.full((6, 1), 1.0 - his_label), is_real)
        ours = torch.nn.functional.binary_cross_entropy_with_logits(
            torch.tensor(logits).float(), target
        )
        assert ours.item() == pytest.approx(his, rel=1e-5)


def test_soft_labels_are_ganhacks():
    real = noisy(torch.ones(4000, 1), True, real_low=-0.3, real_high=0.2, fake_low=0, fake_high=0.3)
    fake = noisy(
        torch.zeros(4000, 1), False, real_low=-0.3, real_high=0.2, fake_low=0, fake_high=0.3
    )
    for targets, low, high in ((real, 0.7, 1.2), (fake, 0.0, 0.3)):
        assert low <= targets.min() < low + 0.01
        assert high - 0.01 < targets.max() <= high
        assert targets.mean().item() == pytest.approx((low + high) / 2, abs=0.01)


def test_a_shift_is_low_plus_a_share_of_the_range():
    u = Draws(5).next((6, 1)).numpy()
    shifted = shift_targets(torch.ones(6, 1), -0.5, 0.25, torch.Generator().manual_seed(5))
    np.testing.assert_allclose(shifted.numpy(), 1 - 0.5 + 0.75 * u, rtol=1e-6)


def test_a_flip_is_one_minus_the_target_where_the_draw_is_low():
    draws = Draws(5).next((50, 1)).numpy()
    targets = torch.full((50, 1), 0.9)
    flipped = flip_targets(targets, 0.3, torch.Generator().manual_seed(5))
    np.testing.assert_allclose(flipped.numpy(), np.where(draws < 0.3, 0.1, 0.9), rtol=1e-6)
    assert 0 < (draws < 0.3).sum() < 50


def test_gs_targets_are_left_alone():
    targets = torch.ones(4, 1)
    assert noisy(targets, False, role="generator", flip=0.5) is targets


def test_a_range_upside_down_is_told():
    with pytest.raises(ValidationError, match=r"real_low 0.0 is above real_high -0.1"):
        LabelNoise.Parameters(real_low=0.0, real_high=-0.1)


def test_it_is_not_for_objectives_without_targets():
    assert Host().find("trick", "label_noise").cls.needs_targets
