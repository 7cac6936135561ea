"""Several updates of a half in a step: how many, in which order, and on what."""

import pytest
import torch
from ganbench_plugins.tricks.update_ratio import UpdateRatio, repeat_updates

from ganbench.plugin import Host
from ganbench.testing import TrickContract, tiny_config, tiny_data, weights
from ganbench.training import Trial


class TestMoreOfTheDiscriminator(TrickContract):
    trick = UpdateRatio
    parameters = {"discriminator": 3}


class TestMoreOfTheGenerator(TrickContract):
    trick = UpdateRatio
    parameters = {"discriminator": 1, "generator": 2}


def trial(architecture="dcgan-upsample", **parameters):
    config = tiny_config({"update_ratio": parameters} if parameters else {}, architecture)
    return Trial(config, 0, tiny_data(), Host(classes=[UpdateRatio]), torch.device("cpu"))


@pytest.mark.parametrize(
    ("d", "g", "expected"), [(1, 1, "DG"), (3, 1, "DDDG"), (1, 2, "DGG"), (2, 2, "DDGG")]
)
def test_d_is_updated_k_times_and_then_g(d, g, expected):
    # Algorithm 1 of Goodfellow et al.: the loop over k stands before G's update.
    plan = repeat_updates(("discriminator", "generator"), d, g)
    assert "".join(half[0].upper() for half in plan) == expected


@pytest.mark.parametrize(("d", "g"), [(3, 1), (1, 2)])
def test_the_optimizers_count_what_was_asked_for(d, g):
    made = trial(discriminator=d, generator=g)
    made.advance(4)
    counts = {
        role: {int(state["step"]) for state in optimizer.state.values()}
        for role, optimizer in made.optimizers[0].items()
    }
    assert counts == {"discriminator": {4 * d}, "generator": {4 * g}}


def test_a_first_update_is_that_of_a_trial_without_it():
    # With one D update each step and one step, G's further updates come after the same start.
    one, other = trial(), trial(discriminator=1, generator=2)
    one.advance(1)
    other.advance(1)
    names = [name for name in weights(one) if ".discriminator.head" in name]
    assert names
    assert all(torch.equal(weights(one)[name], weights(other)[name]) for name in names)


def seen(**parameters):
    """Return what the networks are given in two steps: G's latents, and D's images, by half."""
    made = trial("mlp", **parameters)
    pair = made.pairs[0].pair
    latents, inputs = [], []
    pair.generator.register_forward_pre_hook(lambda _, given: latents.append(given[0].clone()))
    pair.discriminator.register_forward_pre_hook(
        lambda _, given: inputs.append(given[0].detach().clone())
    )
    made.advance(2)
    return latents, inputs


@pytest.mark.parametrize("k", [2, 5])
def test_more_updates_of_d_leave_gs_latents_and_ds_first_batch_as_they_are(k):
    # A step calls G once an update, and D twice in an update of D (real, fake), once in G's.
    (latents, inputs), (many_latents, many_inputs) = seen(), seen(discriminator=k)
    assert (len(latents), len(inputs)) == (2 * 2, 2 * 3)
    assert (len(many_latents), len(many_inputs)) == (2 * (k + 1), 2 * (2 * k + 1))
    for step in range(2):
        d, g = latents[2 * step], latents[2 * step + 1]
        many = many_latents[step * (k + 1) : (step + 1) * (k + 1)]
        assert torch.equal(many[0], d)
        assert torch.equal(many[k], g)
        # The further updates have latents of their own, each of them.
        assert len({tuple(z.flatten().tolist()) for z in many}) == k + 1
        real = inputs[3 * step]
        many_real = many_inputs[step * (2 * k + 1) :][: 2 * k : 2]
        assert torch.equal(many_real[0], real)
        assert len({tuple(x.flatten().tolist()) for x in many_real}) == k


def test_each_update_has_real_images_of_its_own():
    made = trial(discriminator=2, generator=1)
    made.advance(1)
    first, second = (order.state_dict() for order in made.orders)
    assert not all(torch.equal(first[k], second[k]) for k in first if torch.is_tensor(first[k]))


def test_the_mean_loss_is_over_the_updates():
    made = trial(discriminator=3, generator=1)
    made.advance(2)
    assert made.update_log[:2].tolist() == [[[1, 3]], [[1, 3]]]
    assert made.losses(0)["discriminator"] == pytest.approx(made.loss_log[:, 0, 1].sum().item() / 6)
