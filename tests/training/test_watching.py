"""Watching a training: what is measured, and that nothing of it is felt."""

import pytest
import torch
from scipy.stats import ks_2samp

from ganbench.config.model import (
    Component,
    Evaluation,
    Execution,
    Latent,
    Optimizer,
    Optimizers,
    TrialConfig,
)
from ganbench.data.load import load_data
from ganbench.plugin import Data, Host
from ganbench.training import Trial, watch
from ganbench.training.compiled import Compiled
from ganbench.training.watching import best_accuracy, share_overfitted

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture(scope="module")
def digits(host):
    return load_data("digits", {}, host)


def make(
    host, data, tricks=None, architecture="mlp", objective="non-saturating", steps=40, lr=2e-4
):
    config = TrialConfig(
        dataset=Component(name="digits"),
        architecture=Component(name=architecture),
        objective=Component(name=objective),
        latent=Latent(dimension=8),
        optimizers=Optimizers(discriminator=Optimizer(lr=lr)),
        batch_size=16,
        steps=steps,
        tricks=tricks or {},
        execution=Execution(),
        evaluation=Evaluation(samples=64, every=10, batch_size=32),
    )
    return Trial(config, 0, data, host, CPU)


def weights(trial):
    return [
        value.clone()
        for built in trial.pairs
        for net in (built.pair.generator, built.pair.discriminator)
        for value in net.state_dict().values()
    ]


WATCHED = {
    "plain": {},
    "batch_norm": {"batch_norm": {"placement": "both"}},
    "ema and spectral_norm": {"ema": {}, "spectral_norm": {}},
    "instance_noise": {"instance_noise": {"start": 0.2}},
    "infogan": {"infogan": {}},
}


@pytest.mark.parametrize("tricks", WATCHED.values(), ids=WATCHED)
def test_a_training_that_is_watched_is_the_same_bit_for_bit(tricks, host, digits):
    alone, seen = (make(host, digits, tricks, "dcgan-upsample") for _ in range(2))
    state = torch.get_rng_state()
    for _ in range(3):
        alone.advance(3)
        seen.advance(3)
        assert watch(seen)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(map(torch.equal, weights(alone), weights(seen)))
    assert torch.equal(alone.loss_log, seen.loss_log)


def test_a_compiled_training_is_watched_and_is_the_same(host, digits):
    def as_it_is(graph, arguments):
        return graph

    trials = [make(host, digits) for _ in range(2)]
    for trial in trials:
        trial.capture_with(Compiled(as_it_is))
    for _ in range(3):
        for trial in trials:
            trial.advance(3)
        watch(trials[1])
    assert trials[0].execution == trials[1].execution == {"backend": "compiled"}
    assert all(map(torch.equal, *map(weights, trials)))


def test_watching_twice_sees_the_same(host, digits):
    trial = make(host, digits)
    trial.advance(5)
    assert watch(trial) == watch(trial)


def test_one_pair_of_several_is_watched(host, digits):
    trial = make(host, digits, architecture="lapgan")
    trial.advance(2)
    assert set(watch(trial)) == {"accuracy", "gradient"}


def test_a_d_that_judges_no_single_items_is_not_watched(host, digits):
    trial = make(host, digits, {"packing": {}})
    trial.advance(2)
    assert watch(trial) == {}


def test_the_accuracy_is_that_of_the_best_threshold():
    draws = torch.Generator().manual_seed(0)
    real = torch.randn(60, 1, generator=draws).round(decimals=1) + 0.7
    fake = torch.randn(80, 1, generator=draws).round(decimals=1)
    # Fakes below: the one-sided Kolmogorov-Smirnov statistic, with ties.
    expected = ks_2samp(fake.flatten().numpy(), real.flatten().numpy(), alternative="greater")
    assert best_accuracy(real, fake) == pytest.approx((1 + expected.statistic) / 2)
    assert best_accuracy(real + 10, fake) == pytest.approx(1)
    assert best_accuracy(fake - 10, fake) == 0.5
    assert best_accuracy(torch.zeros(5, 1), torch.zeros(5, 1)) == 0.5


def test_overfitting_is_the_way_from_training_items_to_fakes():
    spread = torch.linspace(-0.1, 0.1, 50)[:, None]
    assert share_overfitted(3 + spread, 2 + spread, -1 + spread) == pytest.approx(0.25)
    assert share_overfitted(3 + spread, 3 + spread, -1 + spread) == pytest.approx(0)
    assert share_overfitted(spread, spread + 0.05, spread - 0.01) is None


def test_the_gradient_is_that_of_gs_loss(host, digits):
    trial = make(host, digits)
    trial.advance(3)
    found = watch(trial)["gradient"]
    pair = trial.pairs[0].pair
    with trial.sampler() as sampler:
        z = sampler.latents(256)["main"]
    logits = pair.discriminator(pair.generator(z))
    loss = torch.nn.functional.softplus(-logits).mean()  # -log sigmoid, Goodfellow et al., 2014
    grads = torch.autograd.grad(loss, list(pair.generator.parameters()))
    flat = torch.cat([grad.flatten() for grad in grads])
    assert found == pytest.approx(flat.square().mean().sqrt().item(), rel=1e-4)


def test_held_out_items_are_placed_between_training_items_and_fakes(host):
    draws = torch.Generator().manual_seed(0)
    points = 3 + 0.1 * torch.randn(300, 4, generator=draws)
    # An untrained G's points lie about the origin.
    told = {}
    for name, others in {"alike": points[:256], "as fakes": 0 * points, "none": None}.items():
        trial = make(host, Data("points", points, held_out=others), steps=30, lr=1e-3)
        trial.advance(30)
        told[name] = watch(trial).get("overfitting")
    assert told["alike"] == pytest.approx(0, abs=0.1)
    assert told["as fakes"] > 0.8
    assert told["none"] is None


def test_every_kind_of_objective_can_be_watched(host, digits):
    for objective in ("least-squares", "hinge", "wasserstein", "relativistic", "saturating"):
        trial = make(host, digits, objective=objective)
        trial.advance(1)
        assert watch(trial)["gradient"] > 0
