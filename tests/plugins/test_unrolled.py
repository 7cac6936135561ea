"""Unrolling: the gradient through D's updates, and D left as it is."""

import copy
from types import SimpleNamespace

import pytest
import torch
from ganbench_plugins.tricks.unrolled import Unrolled, root
from torch import nn

from ganbench.plugin import Host
from ganbench.testing import TrickContract, tiny_config, tiny_data
from ganbench.training import Trial


class TestUnrolled(TrickContract):
    trick = Unrolled
    parameters = {"steps": 2}


class TestUnrolledWithPlainGradients(TrickContract):
    trick = Unrolled
    parameters = {"steps": 2, "rate": 0.1, "loss": "saddle"}


class TestUnrolledOnASpectrallyNormalisedD(TrickContract):
    trick = Unrolled
    parameters = {"steps": 2}
    with_tricks = {"spectral_norm": {}}


class QuadraticD(nn.Module):
    """A bowl in each of its two weights, so that every update of D matters to G."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([0.3, -0.4], dtype=torch.float64))
        self.frozen = nn.Parameter(torch.ones((), dtype=torch.float64), requires_grad=False)


REAL = torch.tensor([[0.5, 1.0], [-0.2, 0.7], [1.1, -0.3]], dtype=torch.float64)
NOISE = torch.tensor([[0.1, -1.2], [0.8, 0.4], [-0.6, 0.9]], dtype=torch.float64)


def d_loss(slope, shift):
    fake = NOISE * shift + shift
    real_logits, fake_logits = (x @ slope + (x**2 @ slope**2) / 4 for x in (REAL, fake))
    return nn.functional.softplus(-real_logits).mean() + nn.functional.softplus(fake_logits).mean()


def g_loss(slope, shift):
    fake = NOISE * shift + shift
    return nn.functional.softplus(-(fake @ slope + (fake**2 @ slope**2) / 4)).mean()


def trained_d(make):
    """Return a D and its optimizer after two updates, so that there are moments."""
    d = QuadraticD()
    optimizer = make([d.slope])
    for _ in range(2):
        optimizer.zero_grad()
        d_loss(d.slope, torch.tensor(0.7, dtype=torch.float64)).backward()
        optimizer.step()
    return d, optimizer


def looked_ahead(make, shift, steps, final):
    """Update D for real, with PyTorch's own optimizer, and return G's loss against it."""
    d, optimizer = trained_d(make)
    for _ in range(steps):
        optimizer.zero_grad()
        d_loss(d.slope, shift).backward()
        optimizer.step()
    return final(d.slope.detach(), shift).item()


def unrolled_gradient(make, shift, **parameters):
    d, optimizer = trained_d(make)
    shift = torch.tensor(shift, dtype=torch.float64, requires_grad=True)
    step = SimpleNamespace(
        discriminator=d,
        optimizers={"discriminator": optimizer},
        discriminator_loss=lambda weights: d_loss(weights["slope"], shift),
        adversarial_loss=lambda weights: g_loss(weights["slope"], shift),
    )
    loss = Unrolled(Unrolled.Parameters(**parameters)).generator_objective(step, None)
    (gradient,) = torch.autograd.grad(loss, shift)
    return loss.item(), gradient.item()


OPTIMIZERS = {
    "adam": lambda params: torch.optim.Adam(params, lr=0.1, betas=(0.5, 0.999)),
    "adam without momentum": lambda params: torch.optim.Adam(params, lr=0.1, betas=(0.0, 0.9)),
    "adam with decay": lambda params: torch.optim.Adam(params, lr=0.1, weight_decay=0.1),
    "adamw": lambda params: torch.optim.AdamW(params, lr=0.1, weight_decay=0.3),
    "rmsprop": lambda params: torch.optim.RMSprop(params, lr=0.1, alpha=0.9, weight_decay=0.1),
    "rmsprop with momentum": lambda params: torch.optim.RMSprop(params, lr=0.1, momentum=0.5),
    "sgd": lambda params: torch.optim.SGD(params, lr=0.5),
    "sgd with momentum": lambda params: torch.optim.SGD(params, lr=0.5, momentum=0.9),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(
    ("loss", "final"),
    [("saddle", lambda slope, shift: -d_loss(slope, shift)), ("objective", g_loss)],
)
def test_the_gradient_is_that_of_really_updating_d(name, loss, final):
    # Central differences of the loss after PyTorch's own optimizer took the steps.
    make, shift, h = OPTIMIZERS[name], 0.6, 1e-6
    ahead = [
        looked_ahead(make, torch.tensor(at, dtype=torch.float64), 3, final)
        for at in (shift - h, shift, shift + h)
    ]
    value, gradient = unrolled_gradient(make, shift, steps=3, loss=loss)
    assert value == pytest.approx(ahead[1], rel=1e-6)
    assert gradient == pytest.approx((ahead[2] - ahead[0]) / (2 * h), rel=1e-4)


def test_a_rate_means_equation_7_whatever_the_optimizer():
    # θ' = θ + η df/dθ, by hand; its gradient by differences.
    def by_hand(at):
        slope = trained_d(OPTIMIZERS["adam"])[0].slope
        shift = torch.tensor(at, dtype=torch.float64)
        for _ in range(2):
            (gradient,) = torch.autograd.grad(d_loss(slope, shift), slope)
            slope = (slope - 0.2 * gradient).detach().requires_grad_()
        return -d_loss(slope, shift).item()

    h = 1e-6
    value, gradient = unrolled_gradient(OPTIMIZERS["adam"], 0.6, steps=2, rate=0.2, loss="saddle")
    assert value == pytest.approx(by_hand(0.6))
    assert gradient == pytest.approx((by_hand(0.6 + h) - by_hand(0.6 - h)) / (2 * h), rel=1e-5)


def test_without_the_second_term_the_later_d_is_a_constant():
    make, shift, h = OPTIMIZERS["sgd"], 0.6, 1e-6
    d, optimizer = trained_d(make)
    for _ in range(3):
        optimizer.zero_grad()
        d_loss(d.slope, torch.tensor(shift, dtype=torch.float64)).backward()
        optimizer.step()
    around = [
        -d_loss(d.slope, torch.tensor(at, dtype=torch.float64)).item()
        for at in (shift - h, shift + h)
    ]
    _, gradient = unrolled_gradient(make, shift, steps=3, loss="saddle", through_updates=False)
    assert gradient == pytest.approx((around[1] - around[0]) / (2 * h), rel=1e-4)


def test_by_default_g_keeps_its_loss_and_meets_a_later_d():
    make = OPTIMIZERS["adam"]
    ahead = looked_ahead(make, torch.tensor(0.6, dtype=torch.float64), 5, g_loss)
    value, _ = unrolled_gradient(make, 0.6)
    assert value == pytest.approx(ahead, rel=1e-6)


def test_a_weight_without_gradient_gives_no_nan():
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    root(x).sum().backward()
    assert root(x).tolist() == [0, 2]
    assert x.grad.tolist() == [0, 0.25]


def test_an_optimizer_that_cannot_be_followed_is_refused_by_name():
    with pytest.raises(ValueError, match="SGD with nesterov"):
        unrolled_gradient(
            lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True), 0.6
        )


@pytest.mark.parametrize("others", [{}, {"spectral_norm": {}}, {"instance_noise": {}}])
def test_d_and_its_optimizer_are_left_as_they_are(others):
    config = tiny_config({"unrolled": {"steps": 3}, **others})
    trial = Trial(config, 0, tiny_data(), Host(classes=[Unrolled]), torch.device("cpu"))
    trial.advance(2)
    d, optimizer = trial.pairs[0].pair.discriminator, trial.optimizers[0]["discriminator"]
    before = copy.deepcopy((d.state_dict(), optimizer.state_dict()["state"]))
    trial._steps[0].train("generator", 0, torch.rand(8, 1, 8, 8), torch.randn(8, 4))
    after = d.state_dict(), optimizer.state_dict()["state"]
    torch.testing.assert_close(after, before, rtol=0, atol=0)


@pytest.mark.parametrize("objective", ["wasserstein", "hinge", "relativistic", "least-squares"])
def test_it_trains_under_objectives_without_targets(objective):
    config = tiny_config({"unrolled": {"steps": 1}}, "mlp", objective=objective)
    trial = Trial(config, 0, tiny_data((2,)), Host(classes=[Unrolled]), torch.device("cpu"))
    trial.advance(3)
    assert trial.diverged_at is None
