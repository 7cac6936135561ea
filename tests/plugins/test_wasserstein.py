"""Wasserstein: algorithm 1 of Arjovsky et al. (2017), clipping as well."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from ganbench.config.model import Component
from ganbench.plugin import Host
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import Trial, dump, load


def trial(clip="default", tricks=None, architecture="dcgan-upsample", shape=(1, 8, 8)):
    parameters = {} if clip == "default" else {"clip": clip}
    config = tiny_config(tricks, architecture).model_copy(
        update={"objective": Component(name="wasserstein", parameters=parameters)}
    )
    return Trial(config, 3, tiny_data(shape), Host(), torch.device("cpu"))


def largest(trial, role):
    return max(p.abs().max().item() for p in trial.pairs[0].parameters(role))


def test_the_losses_are_those_of_algorithm_1():
    real, fake = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 8, 1)))
    objective = Host().create("objective", "wasserstein")
    critic = objective.discriminator_loss(real, fake, None, None).item()
    assert critic == pytest.approx(-(real.mean() - fake.mean()).item())
    assert objective.generator_loss(fake, None, None).item() == pytest.approx(-fake.mean().item())


def test_with_the_best_critic_the_loss_is_minus_the_distance():
    # Example 1 of the paper: two parallel lines, theta apart, are theta apart in Wasserstein-1;
    # the critic that tells it is linear, with slope -1.
    theta = 0.7
    real, fake = torch.zeros(5, 1), torch.full((5, 1), theta)
    objective = Host().create("objective", "wasserstein")
    assert objective.discriminator_loss(-real, -fake, None, None).item() == pytest.approx(-theta)


@pytest.mark.parametrize(("clip", "bound"), [("default", 0.01), (0.05, 0.05)])
def test_after_each_step_the_critics_parameters_are_within_the_bound(clip, bound):
    clipped = trial(clip)
    assert largest(clipped, "discriminator") > bound
    for _ in range(3):
        clipped.advance(1)
        assert largest(clipped, "discriminator") == pytest.approx(bound)
    assert largest(clipped, "generator") > bound


def test_without_a_bound_nothing_is_clipped():
    free = trial(clip=None)
    before = largest(free, "discriminator")
    free.advance(3)
    assert largest(free, "discriminator") > before / 2


def test_clipping_starts_after_the_first_update():
    clipped, free = trial(), trial(clip=None)
    assert not differing(weights(clipped), weights(free))
    clipped.advance(1)
    free.advance(1)
    pairs = zip(
        clipped.pairs[0].parameters("discriminator"),
        free.pairs[0].parameters("discriminator"),
        strict=True,
    )
    assert all(torch.equal(one, other.clamp(-0.01, 0.01)) for one, other in pairs)


@pytest.mark.parametrize("clip", [0, -0.01, "0.01"])
def test_a_bound_that_is_none_is_refused(clip):
    with pytest.raises(ValidationError, match="clip"):
        Host().create("objective", "wasserstein", {"clip": clip})


def test_a_resumed_trial_equals_an_uninterrupted_one():
    whole, first, second = trial(), trial(), trial()
    whole.advance(6)
    first.advance(3)
    load(second, dump(first))
    second.advance(3)
    assert not differing(weights(whole), weights(second))


@pytest.mark.parametrize(("architecture", "shape"), [("dcgan-upsample", (1, 8, 8)), ("mlp", (2,))])
def test_it_makes_wgan_gp_with_the_gradient_penalty(architecture, shape):
    running = trial(None, {"gradient_penalty": {}}, architecture, shape)
    running.advance(running.steps)
    assert running.diverged_at is None
