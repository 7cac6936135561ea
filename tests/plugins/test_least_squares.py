"""Least squares: the formulas of Mao et al. (2017), and the optimum that they prove."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from ganbench.plugin import Host


def make(**parameters):
    return Host().create("objective", "least-squares", parameters)


def column(values):
    return torch.as_tensor(np.asarray(values, dtype=np.float64).reshape(-1, 1))


def test_the_losses_are_equation_2():
    real, fake = np.random.default_rng(0).normal(size=(2, 8)) * 3
    objective = make(a=-1.5, b=2, c=0.5)
    d_loss = objective.discriminator_loss(column(real), column(fake), None, None)
    g_loss = objective.generator_loss(column(fake), None, None)
    assert d_loss.item() == pytest.approx(
        ((real - 2) ** 2).mean() / 2 + ((fake + 1.5) ** 2).mean() / 2
    )
    assert g_loss.item() == pytest.approx(((fake - 0.5) ** 2).mean() / 2)


def test_the_levels_are_those_the_paper_trained_with():
    # Equation 9: 1 for real images and 0 for fakes, and G wants 1.
    assert make().parameters.model_dump() == {"a": 0.0, "b": 1.0, "c": 1.0}


# Two distributions over five points, by how often each point comes in 20 draws.
DATA, FAKES = np.array([8, 5, 4, 2, 1]), np.array([1, 2, 4, 5, 8])


def losses(objective, outputs):
    """D's loss, and G's on the fakes and on the data, of a D with these outputs at the points."""
    real = outputs.repeat_interleave(torch.as_tensor(DATA), 0)
    fake = outputs.repeat_interleave(torch.as_tensor(FAKES), 0)
    on_fakes, on_data = (objective.generator_loss(x, None, None) for x in (fake, real))
    return objective.discriminator_loss(real, fake, None, None), on_fakes, on_data


def test_the_best_discriminator_is_equation_4():
    # D* = (b p_data + a p_g) / (p_data + p_g): there D's gradient is 0.
    best = column((2 * DATA - 1 * FAKES) / (DATA + FAKES)).requires_grad_()
    losses(make(a=-1, b=2, c=0), best)[0].backward()
    assert best.grad.abs().max().item() < 1e-12


def test_against_the_best_discriminator_the_generators_loss_is_a_pearson_divergence():
    # Equations 5 to 7, with b - c = 1 and b - a = 2: twice the loss on fakes, and on data,
    # on which G has no influence, is the chi-square of p_data + p_g and 2 p_g.
    best = column((DATA - FAKES) / (DATA + FAKES))
    _, on_fakes, on_data = losses(make(a=-1, b=1, c=0), best)
    p, q = DATA / 20, FAKES / 20
    expected = ((2 * q - (p + q)) ** 2 / (p + q)).sum()
    assert 2 * (on_fakes + on_data).item() == pytest.approx(expected)


@pytest.mark.parametrize("levels", [{"a": 1}, {"a": -1, "c": -1}])
def test_levels_without_a_game_are_refused(levels):
    with pytest.raises(ValidationError, match=r"a=-?1.0 must differ from b=1.0 and from c="):
        make(**levels)
