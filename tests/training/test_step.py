"""The composed step against a loop written out plainly, and what it must not compute."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ganbench.config.model import Component
from ganbench.plugin import (
    Architecture,
    Discriminator,
    Host,
    Pair,
    Trick,
    TrickModule,
    TrickParameters,
)
from ganbench.testing import BATCH, STEPS, differing, tiny_config, tiny_data, weights
from ganbench.training import Trial, dump, load
from ganbench.training.sampling import draw_latents

CPU = torch.device("cpu")


def trial(tricks=None, classes=(), seed=3, **changes):
    return Trial(tiny_config(tricks, **changes), seed, tiny_data(), Host(classes=classes), CPU)


def plain_loop(trial, steps):
    """The loop of every tutorial, on the trial's own networks and draws."""
    pair, latent = trial.pairs[0].pair, trial.context.spec.latent
    g, d = pair.generator, pair.discriminator
    opt_g, opt_d = (
        torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999)) for net in (g, d)
    )
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    for _ in range(steps):
        real = trial.resident.items[trial.orders[0].next()].float() / 255 * 2 - 1
        z = draw_latents(latent, BATCH, trial.streams.stream("latent/main/discriminator"), None)
        opt_d.zero_grad()
        loss_d = F.binary_cross_entropy(torch.sigmoid(d(real)), ones)
        fake_loss = F.binary_cross_entropy(torch.sigmoid(d(g(z).detach())), zeros)
        (loss_d + fake_loss).backward()
        opt_d.step()
        z = draw_latents(latent, BATCH, trial.streams.stream("latent/main/generator"), None)
        opt_g.zero_grad()
        F.binary_cross_entropy(torch.sigmoid(d(g(z))), ones).backward()
        opt_g.step()
    return weights(trial)


@pytest.mark.parametrize("architecture", ["mlp", "dcgan-upsample", "dcgan-transpose"])
def test_the_step_is_the_plain_loop(architecture):
    composed, reference = (trial(architecture=architecture) for _ in range(2))
    composed.advance(5)
    expected = plain_loop(reference, 5)
    for name, value in weights(composed).items():
        block, layer, kind = name.rsplit(".", 2)
        follows_bias = kind == "running_mean" or (kind == "bias" and layer != "norm")
        if f"{block}.norm.bias" in expected and follows_bias:
            # A bias before a BatchNorm has gradient zero, of which Adam scales up the rounding;
            # the running mean follows it, and nothing else does.
            continue
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6)


def test_the_generator_half_leaves_no_gradient_on_the_discriminator():
    running = trial()
    running.advance(1)
    discriminator = running.pairs[0].pair.discriminator
    before = [p.grad.clone() for p in discriminator.parameters()]
    step = running._steps[0]
    step.train("generator", 0, torch.zeros(BATCH, 1, 8, 8), torch.zeros(BATCH, 4))
    assert all(
        torch.equal(old, p.grad) for old, p in zip(before, discriminator.parameters(), strict=True)
    )


def test_one_advance_is_many_advances():
    whole, pieces = trial(), trial()
    whole.advance(STEPS)
    for _ in range(STEPS):
        pieces.advance(1)
    assert differing(weights(whole), weights(pieces)) == []


def test_divergence_is_found_at_its_step_however_the_trial_is_sliced():
    class Explodes(Trick):
        name = "explodes"
        neutral = TrickParameters()

        def make_buffers(self, ctx):
            return {"factor": torch.tensor(1.0)}

        def before_step(self, step, buf):
            if step == 3:
                buf["factor"].fill_(float("nan"))

        def transform_images(self, x, is_real, buf):
            return x * buf["factor"]

    whole, pieces = (trial({"explodes": {}}, [Explodes]) for _ in range(2))
    whole.advance(STEPS)
    for _ in range(STEPS):
        pieces.advance(1)
    assert whole.diverged_at == pieces.diverged_at == whole.step == pieces.step == 4


def test_penalties_are_added_and_gradients_transformed():
    class Records(Trick):
        name = "records"
        neutral = TrickParameters()

        def discriminator_penalty(self, step, buf):
            return 0 * step.real_logits.sum() + 100.0

        def generator_penalty(self, step, buf):
            return 0 * step.fake.sum() + 10.0

        def transform_gradients(self, role, grads, buf):
            return [grad * 0 for grad in grads]

    plain, recorded = trial(), trial({"records": {}}, [Records])
    start = weights(recorded)
    plain.advance(1)
    recorded.advance(1)
    difference = recorded.loss_log[0, 0] - plain.loss_log[0, 0]
    # D does not move under zero gradients, so G's loss differs by D's first step too.
    assert difference[1].item() == pytest.approx(100.0, abs=1e-4)
    learned = {name for name, _ in recorded.pairs[0].pair.generator.named_parameters()}
    assert not [n for n in differing(start, weights(recorded)) if n.split(".", 2)[2] in learned]


def test_a_module_of_a_trick_is_trained_saved_and_restored():
    class Scales(Trick):
        name = "scales"
        neutral = TrickParameters()

        def make_modules(self, ctx):
            return {"gain": TrickModule(nn.Linear(1, 1), "discriminator")}

        def discriminator_penalty(self, step, buf):
            return buf.modules["gain"](step.real_logits).square().mean()

    def gain(running):
        return running.pairs[0].buffers["scales"].modules["gain"].weight.detach().clone()

    whole, half, rest = (trial({"scales": {}}, [Scales]) for _ in range(3))
    start = gain(whole)
    whole.advance(STEPS)
    assert not torch.equal(gain(whole), start)
    half.advance(2)
    load(rest, dump(half))
    rest.advance(STEPS)
    assert torch.equal(gain(whole), gain(rest))


class _Coarse(nn.Module):
    """A conditional network: the other input is pooled and added."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x, condition):
        return self.net(x) + condition.mean()


class TwoLevels(Architecture):
    """Two pairs, the finer one conditioned on the coarser view."""

    name = "two-levels"

    def build_pairs(self, spec):
        def generator(size):
            return nn.Sequential(nn.Linear(4, size * size), nn.Unflatten(1, (1, size, size)))

        def discriminator(size):
            blocks = nn.Sequential(nn.Flatten(), nn.Linear(size * size, 4))
            return Discriminator(blocks, nn.Linear(4, 1))

        def coarse(x):
            return F.avg_pool2d(x, 2)

        return (
            Pair("coarse", generator(4), discriminator(4), real_view=coarse),
            Pair("fine", _Coarse(generator(8)), _Coarse(discriminator(8)), condition=coarse),
        )

    def sample(self, generators, latents):
        return generators["fine"](latents["fine"], generators["coarse"](latents["coarse"]))


def test_several_pairs_train_each_on_its_own_view():
    two_levels = Component(name="two-levels")
    config = tiny_config().model_copy(update={"architecture": two_levels})
    running = Trial(config, 0, tiny_data(), Host(classes=[TwoLevels]), CPU)
    start = weights(running)
    running.advance(2)
    assert set(running.losses(0)) == {
        "coarse.generator",
        "coarse.discriminator",
        "fine.generator",
        "fine.discriminator",
    }
    assert differing(start, weights(running)) == list(start)
    assert running.sample(5).shape == (5, 1, 8, 8)
