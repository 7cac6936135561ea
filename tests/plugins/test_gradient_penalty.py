"""Gradient penalties: contract, formulas against plain arithmetic, and what is not moved."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ganbench_plugins.tricks.gradient_penalty import (
    GradientPenalty,
    between,
    distance_from_unit_norm,
    input_gradients,
    neighbours,
    squared_norms,
)
from torch import nn

from ganbench.plugin import Host, Trick, TrickParameters
from ganbench.testing import TrickContract, tiny_config, tiny_data
from ganbench.training import Trial

KINDS = ["wgan-gp", "dragan", "r1", "r2"]


class TestWGANGP(TrickContract):
    trick = GradientPenalty
    objective = "wasserstein"


class TestDRAGAN(TrickContract):
    trick = GradientPenalty
    parameters = {"kind": "dragan"}


class TestR1(TrickContract):
    trick = GradientPenalty
    parameters = {"kind": "r1"}


class TestR2WithSpectralNorm(TrickContract):
    trick = GradientPenalty
    parameters = {"kind": "r2", "weight": 1.0}
    with_tricks = {"spectral_norm": {}}


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def cubic(x):
    """A D with a known gradient: 3 x² by each element."""
    return x.flatten(1).pow(3).sum(1, keepdim=True)


def test_norms_are_over_all_of_an_input_and_means_over_the_batch():
    x = np.random.default_rng(0).normal(size=(5, 2, 3, 3))
    norms = np.linalg.norm((3 * x**2).reshape(5, -1), axis=1)
    gradients = input_gradients(cubic, torch.from_numpy(x))
    assert squared_norms(gradients).item() == pytest.approx((norms**2).mean())
    assert distance_from_unit_norm(gradients).item() == pytest.approx(((norms - 1) ** 2).mean())


def test_the_penalty_trains_the_discriminators_weights():
    # D(x) = w x has the gradient w: equation 3 is (|w| - 1)², of derivative 2 (w - 1) for w > 0.
    linear = nn.Linear(1, 1).double()
    with torch.no_grad():
        linear.weight.fill_(3.0)
    distance_from_unit_norm(input_gradients(linear, torch.randn(4, 1).double())).backward()
    assert linear.weight.grad.item() == pytest.approx(4.0)


def test_a_dead_discriminator_gives_finite_gradients():
    weight = torch.zeros(1, 3, requires_grad=True)
    loss = distance_from_unit_norm(input_gradients(lambda x: x @ weight.T, torch.randn(4, 3)))
    loss.backward()
    assert loss.item() == pytest.approx(1.0)
    assert torch.isfinite(weight.grad).all()


def test_interpolates_lie_uniformly_between_a_real_image_and_a_fake():
    # Algorithm 1: one epsilon an image, not one an element.
    ones = torch.ones(20_000, 2, 2)
    points = between(ones, torch.zeros_like(ones), stream())
    assert torch.equal(points, points[:, :1, :1].expand_as(points))
    drawn = points[:, 0, 0].sort().values
    uniform = (torch.arange(20_000) + 0.5) / 20_000
    assert (drawn - uniform).abs().max().item() < 1.63 / math.sqrt(20_000)  # Kolmogorov, 1 %


def test_neighbours_are_up_to_half_the_batchs_deviation_above():
    x = np.random.default_rng(0).normal(size=(50, 1, 8, 8)) * 3
    shift = (neighbours(torch.from_numpy(x), stream()) - torch.from_numpy(x)).numpy()
    assert shift.min() >= 0
    assert shift.max() <= 0.5 * x.std()
    assert shift.mean() == pytest.approx(0.25 * x.std(), rel=0.02)


def step_of(judge, real, fake):
    logits = torch.zeros(len(real), 1)
    return SimpleNamespace(
        generator=nn.Identity(),
        discriminator=nn.Identity(),
        latent=torch.zeros(len(real), 1),
        condition=None,
        real_images=real,
        fake_images=fake,
        real=real,
        fake=fake,
        real_logits=logits,
        fake_logits=logits,
        discriminate=None,
        judge=judge,
    )


def penalty(kind, judge, real, fake, weight=10.0):
    trick = GradientPenalty(GradientPenalty.Parameters(kind=kind, weight=weight))
    buffers = type("Buf", (), {"generator": stream()})()
    return trick.discriminator_penalty(step_of(judge, real, fake), buffers)


@pytest.mark.parametrize(
    ("kind", "x"), [("r1", "real"), ("r2", "fake")], ids=["equation 9", "equation 10"]
)
def test_r1_is_at_real_images_and_r2_at_fakes_with_half_the_weight(kind, x):
    real, fake = np.random.default_rng(0).normal(size=(2, 6, 3))
    batches = {"real": real, "fake": fake}
    expected = 7 / 2 * ((3 * batches[x] ** 2) ** 2).sum(1).mean()
    got = penalty(kind, cubic, *map(torch.from_numpy, batches.values()), weight=7.0)
    assert got.item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["wgan-gp", "dragan"])
def test_a_discriminator_of_slope_1_costs_nothing_and_one_of_slope_3_four_times_the_weight(kind):
    real, fake = torch.randn(2, 6, 3)
    for slope, expected in ((1.0, 0.0), (3.0, 10.0 * 4)):
        got = penalty(kind, lambda x, s=slope: s * x[:, :1], real, fake).item()
        assert got == pytest.approx(expected)


def test_dragan_leaves_fakes_alone():
    real = torch.randn(6, 3)
    got = [penalty("dragan", cubic, real, fake).item() for fake in (real, real + 100)]
    assert got[0] == got[1]


class PackPairs(Trick):
    """Shows D two images at once: another batch, another shape."""

    name = "pack_pairs"
    neutral = TrickParameters()

    def transform_discriminator(self, net, ctx):
        first = net.blocks.hidden1
        first.linear = nn.Linear(2 * first.linear.in_features, first.linear.out_features)
        return net

    def transform_discriminator_input(self, x, is_real, buf):
        return torch.cat([x[0::2], x[1::2]], 1)


@pytest.mark.parametrize("shape", [(2,), (3, 8, 8)])
@pytest.mark.parametrize("kind", KINDS)
def test_it_takes_what_the_discriminator_takes(kind, shape):
    tricks = {"gradient_penalty": {"kind": kind}, "pack_pairs": {}, "instance_noise": {}}
    host = Host(classes=[PackPairs])
    config = tiny_config(tricks, "mlp", objective="hinge")
    trial = Trial(config, 0, tiny_data(shape), host, torch.device("cpu"))
    trial.advance(3)
    assert torch.isfinite(trial.loss_log[:3]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_it_flattens_the_discriminator_where_it_should(kind):
    # Trained long on one thing only, the penalty gets it: the slope is near 1, or near 0.
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    real, fake = torch.randn(64, 2), torch.randn(64, 2) + 2
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    trick = GradientPenalty(GradientPenalty.Parameters(kind=kind))
    buffers = type("Buf", (), {"generator": stream()})()
    for _ in range(150):
        optimizer.zero_grad()
        trick.discriminator_penalty(step_of(net, real, fake), buffers).backward()
        optimizer.step()
    slopes = input_gradients(net, fake if kind == "r2" else real).norm(dim=1).detach()
    wanted = 0.0 if kind in ("r1", "r2") else 1.0
    assert (slopes - wanted).abs().mean().item() < 0.1
