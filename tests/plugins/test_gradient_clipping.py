"""Gradients are bounded by value or by norm, each network's by its own limit."""

import numpy as np
import pytest
import torch
from ganbench_plugins.tricks.gradient_clipping import GradientClipping, clip_norm, clip_values

from ganbench.plugin import Buffers
from ganbench.testing import TrickContract


class TestGradientClipping(TrickContract):
    trick = GradientClipping
    parameters = {"generator": 1e-3, "discriminator": 1e-3}


class TestByNorm(TrickContract):
    trick = GradientClipping
    parameters = {"kind": "norm", "generator": 1e-3, "discriminator": 1e-3}


GRADS = [torch.tensor([[3.0, -4.0], [0.5, 0.0]]), torch.tensor([12.0, -0.25])]


def test_by_value_each_component_is_cut():
    expected = [np.clip(grad.numpy(), -1.5, 1.5) for grad in GRADS]
    for ours, theirs in zip(clip_values(GRADS, 1.5), expected, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs)


@pytest.mark.parametrize("limit", [0.1, 6.5, 1e3])
def test_by_norm_all_are_shortened_together(limit):
    # Pascanu et al., algorithm 1: g <- limit / |g| g where |g| is greater.
    whole = np.concatenate([grad.numpy().ravel() for grad in GRADS])
    scale = min(1.0, limit / np.linalg.norm(whole))
    clipped = clip_norm(GRADS, limit)
    ours = np.concatenate([grad.numpy().ravel() for grad in clipped])
    np.testing.assert_allclose(ours, whole * scale, rtol=1e-6)
    assert [grad.shape for grad in clipped] == [grad.shape for grad in GRADS]


def test_gradients_of_zero_stay_zero():
    assert all(grad.abs().max() == 0 for grad in clip_norm([torch.zeros(3)], 1.0))


@pytest.mark.parametrize(
    ("role", "greatest"), [("generator", 2.0), ("discriminator", 12.0), ("q", 12.0)]
)
def test_each_network_has_its_own_limit_and_a_tricks_own_role_has_none(role, greatest):
    trick = GradientClipping(GradientClipping.Parameters(generator=2.0, discriminator=None))
    clipped = trick.transform_gradients(role, GRADS, Buffers(torch.Generator()))
    assert max(grad.abs().max().item() for grad in clipped) == greatest
