"""The first objectives against the formulas of their paper; what holds for every objective."""

import numpy as np
import pytest
import torch

from ganbench.plugin import Host
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import Trial
from ganbench.training.errors import NotApplicableError


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(size=(2, 8, 1)) * 3


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("name", ["non-saturating", "saturating"])
def test_the_discriminator_maximises_equation_1(name, logits):
    objective = Host().create("objective", name)
    real, fake = logits
    expected = -np.log(sigmoid(real)).mean() - np.log(1 - sigmoid(fake)).mean()
    ones = torch.ones(8, 1, dtype=torch.float64)
    got = objective.discriminator_loss(
        torch.from_numpy(real), torch.from_numpy(fake), ones, torch.zeros_like(ones)
    )
    assert got.item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("non-saturating", lambda x: -np.log(sigmoid(x)).mean()),
        ("saturating", lambda x: np.log(1 - sigmoid(x)).mean()),
    ],
)
def test_the_generators_loss_is_its_formula(name, expected, logits):
    objective = Host().create("objective", name)
    fake = torch.from_numpy(logits[1])
    targets = torch.full_like(fake, objective.generator_target)
    assert objective.generator_loss(fake, targets, None).item() == pytest.approx(
        expected(logits[1])
    )


@pytest.mark.parametrize("parameters", [{}, {"average": False}])
@pytest.mark.parametrize(
    "name", sorted(found.name for found in Host().all("objective") if found.builtin)
)
def test_under_autocast_the_loss_is_that_of_the_same_outputs_in_single_precision(name, parameters):
    if parameters and name != "relativistic":
        pytest.skip("no such parameter")
    objective = Host().create("objective", name, parameters)
    stream = torch.Generator().manual_seed(0)
    real, fake = (3 * torch.randn(2, 65, 1, generator=stream)).bfloat16()
    ones = torch.ones(65, 1)

    def losses(real, fake):
        return torch.stack(
            [
                objective.discriminator_loss(real, fake, ones, 0 * ones),
                objective.generator_loss(fake, objective.generator_target * ones, real),
            ]
        )

    with torch.autocast("cpu", torch.bfloat16):
        narrow = losses(real, fake)
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow, losses(real.float(), fake.float()), rtol=1e-6, atol=1e-6)


def test_where_the_discriminator_wins_only_the_saturating_gradient_vanishes():
    # d/dx log(1 - s(x)) = -s(x); d/dx -log s(x) = -(1 - s(x)).
    gradients = {}
    for name in ("non-saturating", "saturating"):
        objective = Host().create("objective", name)
        x = torch.full((1, 1), -10.0, dtype=torch.float64, requires_grad=True)
        targets = torch.full((1, 1), objective.generator_target, dtype=torch.float64)
        objective.generator_loss(x, targets, None).backward()
        gradients[name] = x.grad.item()
    assert gradients["saturating"] == pytest.approx(-sigmoid(-10.0))
    assert gradients["non-saturating"] == pytest.approx(-(1 - sigmoid(-10.0)))


OBJECTIVES = sorted(Host().names("objective"))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize(("architecture", "shape"), [("dcgan-upsample", (1, 8, 8)), ("mlp", (2,))])
def test_every_objective_trains_both_networks_with_finite_losses(name, architecture, shape):
    config = tiny_config(architecture=architecture, objective=name, steps=20)
    trial = Trial(config, 0, tiny_data(shape), Host(), torch.device("cpu"))
    before = weights(trial)
    trial.advance(20)
    assert trial.diverged_at is None
    assert torch.isfinite(trial.loss_log).all()
    changed = set(differing(before, weights(trial)))
    for role in ("generator", "discriminator"):
        matrices = [n for n in before if n.startswith(f"main.{role}") and before[n].ndim > 1]
        assert set(matrices) <= changed


@pytest.mark.parametrize("name", OBJECTIVES)
def test_label_tricks_apply_only_where_the_objective_has_targets(name):
    config = tiny_config({"label_smoothing": {}}, objective=name)

    def build():
        return Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))

    if Host().create("objective", name).uses_targets:
        build().advance(1)
    else:
        with pytest.raises(NotApplicableError, match=f"label_smoothing .* {name} has none"):
            build()
