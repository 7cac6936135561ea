"""``latent.reuse``: G's half takes the latents and images of D's half."""

import pytest
import torch
from surface_trials import gate, make, plan, resumed, trial
from torch.nn import functional as F

from ganbench.config.differences import differing_settings
from ganbench.config.model import Latent
from ganbench.plugin import Host
from ganbench.testing import BATCH, STEPS, differing, tiny_config, tiny_data, weights
from ganbench.training import Trial
from ganbench.training.backends import AsTraced
from ganbench.training.sampling import draw_latents

REUSE = Latent(dimension=4, reuse=True)
D, G = "discriminator", "generator"


def generations(running, steps=1):
    """Return how many forward passes of G some steps take."""
    calls = []
    generator = running.pairs[0].pair.generator
    handle = generator.register_forward_hook(lambda *_: calls.append(1))
    running.advance(steps)
    handle.remove()
    return len(calls)


def test_it_is_the_tutorials_loop():
    ours, plain = trial(latent=REUSE), trial()
    ours.advance(3)
    pair, latent = plain.pairs[0].pair, plain.context.spec.latent
    g, d = pair.generator, pair.discriminator
    opt_g, opt_d = (torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in (g, d))
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    bce = F.binary_cross_entropy_with_logits
    stream = plain.streams.stream("latent/main/discriminator")
    for _ in range(3):
        real = plain.resident.items[plain.order_of_batches(0).next()].float() / 255 * 2 - 1
        fake = g(draw_latents(latent, BATCH, stream, None))
        opt_d.zero_grad()
        (bce(d(real), ones) + bce(d(fake.detach()), zeros)).backward()
        opt_d.step()
        opt_g.zero_grad()
        bce(d(fake), ones).backward()
        opt_g.step()
    got, expected = weights(ours), weights(plain)
    for name in ("discriminator.head.weight", "generator.output.conv.weight"):
        torch.testing.assert_close(
            got[f"main.{name}"], expected[f"main.{name}"], rtol=1e-4, atol=1e-6
        )


def test_g_draws_once_a_step_and_nobody_s_draws_move():
    with_it, without = trial(latent=REUSE), trial()
    assert (generations(with_it, STEPS), generations(without, STEPS)) == (STEPS, 2 * STEPS)
    assert differing(with_it.streams.state_dict(), without.streams.state_dict()) == []
    norm = with_it.pairs[0].pair.generator.project.norm
    assert norm.num_batches_tracked == STEPS


@pytest.mark.parametrize(
    ("updates", "passes"),
    [
        ((D, G), 1),
        ((D, D, G), 2),  # the first of D's
        ((D, G, G), 2),  # the first of G's
        ((D, D, G, G), 3),  # after its first update G is another
        ((D, G, D, G), 2),
        ((G, D), 2),  # G has changed since
        ((D,), 1),
        ((G,), 1),
    ],
)
def test_what_g_has_made_is_taken_once_and_while_g_is_the_same(updates, passes):
    assert generations(trial(plan(*updates), latent=REUSE)) == passes


def test_tricks_see_the_latents_and_the_images_that_are_shared():
    seen = []

    def transform_latent(self, z, buf):
        return z + 1

    def discriminator_penalty(self, step, buf):
        seen.append((step.latent.sum().item(), step.fake_images.sum().item()))
        assert not step.fake_images.requires_grad
        return step.latent.new_zeros(())

    def generator_penalty(self, step, buf):
        assert (step.latent.sum().item(), step.fake.sum().item()) == seen.pop()
        assert step.fake.requires_grad
        return step.latent.new_zeros(())

    trick = make(
        "seeing",
        transform_latent=transform_latent,
        discriminator_penalty=discriminator_penalty,
        generator_penalty=generator_penalty,
    )
    running = trial(trick, latent=REUSE)
    running.advance(STEPS)
    assert running.step == STEPS
    assert seen == []


def test_a_resumed_trial_is_the_same_bit_for_bit():
    whole, second = resumed(latent=REUSE)
    assert differing(weights(whole), weights(second)) == []


def test_a_denied_update_of_d_leaves_the_images():
    running = trial(gate({G}), latent=REUSE)
    assert generations(running, 2) == 2
    assert running.diverged_at is None


def test_a_captured_step_shares_them_too():
    eager, captured = trial(latent=REUSE), trial(latent=REUSE)
    captured.capture_with(AsTraced())
    for running in (eager, captured):
        running.advance(STEPS)
    assert captured.execution == {"backend": "eager"}
    assert captured.losses(0) == pytest.approx(eager.losses(0), rel=1e-5)


@pytest.mark.parametrize("architecture", ["lapgan", "mlp"])
def test_every_pair_shares_its_own(architecture):
    config = tiny_config(architecture=architecture, latent=REUSE)
    running = Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))
    running.advance(2)
    assert running.diverged_at is None
    assert len(running.losses(0)) == 2 * len(running.pairs)


def test_an_arm_with_it_is_another_and_older_results_are_without():
    assert tiny_config(latent=REUSE).key() != tiny_config().key()
    here = {"dataset": {}, "baseline": {"latent": Latent().model_dump()}, "evaluation": {}}
    there = {**here, "baseline": {"latent": {"dimension": 64, "distribution": "normal"}}}
    assert differing_settings(there, here) == []
    other = {**here, "baseline": {"latent": Latent(reuse=True).model_dump()}}
    assert differing_settings(there, other) == [
        "baseline.latent.reuse is false there and true here"
    ]
