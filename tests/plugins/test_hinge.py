"""Hinge: the formulas of Miyato et al. (2018), and the optimum of Lim and Ye (2017)."""

import numpy as np
import pytest
import torch

from ganbench.plugin import Host


def column(values):
    return torch.as_tensor(np.asarray(values, dtype=np.float64).reshape(-1, 1))


@pytest.fixture
def objective():
    return Host().create("objective", "hinge")


def test_the_losses_are_equations_16_and_17(objective):
    real, fake = np.random.default_rng(0).normal(size=(2, 16)) * 2
    value = np.minimum(0, -1 + real).mean() + np.minimum(0, -1 - fake).mean()
    got = objective.discriminator_loss(column(real), column(fake), None, None).item()
    assert got == pytest.approx(-value)
    assert objective.generator_loss(column(fake), None, None).item() == pytest.approx(-fake.mean())


def test_only_samples_within_the_margin_or_misjudged_train_the_discriminator(objective):
    real, fake = (column([-2, 0.5, 1.5]).requires_grad_() for _ in range(2))
    objective.discriminator_loss(real, -fake, None, None).backward()
    for outputs in (real, fake):
        assert outputs.grad.flatten().tolist() == pytest.approx([-1 / 3, -1 / 3, 0])


def test_the_least_loss_says_how_much_the_distributions_overlap(objective):
    # Lim and Ye, section 3: the best D is sign(p_data - p_g), with 2 sum min(p_data, p_g),
    # which is 2 where the two are equal. Here by how often each of four points comes in 10.
    data, fakes = np.array([5, 3, 1, 1]), np.array([1, 1, 3, 5])

    def loss(outputs):
        return objective.discriminator_loss(
            column(outputs.repeat(data)), column(outputs.repeat(fakes)), None, None
        ).item()

    best = np.sign(data - fakes).astype(float)
    assert loss(best) == pytest.approx(2 * np.minimum(data, fakes).sum() / 10)
    steps = np.random.default_rng(0).normal(size=(200, 4))
    assert min(loss(best + step) for step in steps) >= loss(best)
    assert objective.discriminator_loss(
        column(best.repeat(data)), column(best.repeat(data)), None, None
    ).item() == pytest.approx(2)
