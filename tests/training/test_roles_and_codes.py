"""Roles of a trick's own, codes in the latent, and pairs with a latent of their own."""

from dataclasses import replace

import pytest
import torch
from surface_trials import CPU, make, resumed, trial
from test_step import TwoLevels
from torch import nn

from ganbench.config.model import Component
from ganbench.plugin import (
    Categorical,
    Host,
    LatentSpec,
    OptimizerSpec,
    Trick,
    TrickModule,
    TrickParameters,
    Uniform,
)
from ganbench.testing import STEPS, differing, tiny_config, tiny_data, weights
from ganbench.training import HookError, Trial
from ganbench.training.sampling import draw_latents


class QHead(Trick):
    """Brings a module that is trained in a role of its own, along D's loss."""

    name = "q"
    neutral = TrickParameters()

    def configure(self, spec):
        sgd = OptimizerSpec("sgd", {"lr": 0.5})
        return spec.with_changes(optimizers={**spec.optimizers, "q.head": sgd})

    def make_modules(self, ctx):
        return {"head": TrickModule(nn.Linear(1, 1), "q.head", "discriminator")}

    def discriminator_penalty(self, step, buf):
        return buf.modules["head"](step.fake_logits).square().mean()


class TestRolesOfATricksOwn:
    def test_it_is_trained_by_its_own_optimizer(self):
        running = trial(QHead)
        (made,) = running.optimizers
        assert list(made) == ["generator", "discriminator", "q.head"]
        assert isinstance(made["q.head"], torch.optim.SGD)
        assert running.parameter_counts()["q.head"] == 2
        head = running.pairs[0].buffers["q"].modules["head"]
        before = head.weight.clone(), head.bias.clone()
        running.advance(1)
        for parameter, old in zip((head.weight, head.bias), before, strict=True):
            torch.testing.assert_close(parameter, old - 0.5 * parameter.grad)
            assert parameter.grad.abs().sum() > 0

    def test_without_a_word_it_is_trained_like_its_half(self):
        silent = type("Silent", (QHead,), {"configure": Trick.configure})
        made = trial(silent).optimizers[0]["q.head"]
        assert isinstance(made, torch.optim.Adam)
        assert made.defaults["lr"] == 2e-4

    def test_gradient_hooks_see_every_role(self):
        seen = []

        def transform_gradients(self, role, grads, buf):
            seen.append((role, buf.half, len(grads)))
            return grads

        trial(QHead, make("watcher", transform_gradients=transform_gradients)).advance(1)
        assert [entry[:2] for entry in seen] == [
            ("discriminator", "discriminator"),
            ("q.head", "discriminator"),
            ("generator", "generator"),
        ]
        assert seen[1][2] == 2

    def test_it_resumes_exactly(self):
        whole, second = resumed(QHead)
        assert differing(weights(whole), weights(second)) == []

    @pytest.mark.parametrize(
        ("module", "problem"),
        [
            (TrickModule(nn.Linear(1, 1), "critic", "generator"), "one that begins with 'q.'"),
            (TrickModule(nn.Linear(1, 1), "qq.head", "generator"), "one that begins with 'q.'"),
            (TrickModule(nn.Linear(1, 1), "generator", "discriminator"), "names a half"),
            (TrickModule(nn.Dropout(), "q.head", "generator"), "no parameter to train"),
            (TrickModule(nn.Linear(1, 1), "q.head"), "in half None"),
            (nn.Linear(1, 1), "expected a TrickModule"),
        ],
    )
    def test_what_cannot_be_trained_is_blamed_on_the_trick(self, module, problem):
        with pytest.raises(HookError, match=problem):
            trial(make("q", make_modules=lambda self, ctx: {"head": module}))


class TestStructuredLatents:
    SPEC = LatentSpec(4, "normal", (Categorical(3), Uniform(2)))

    def test_dimension_and_slices_are_sums(self):
        assert self.SPEC.dimension == 4 + 3 + 2
        assert self.SPEC.slices == (slice(4, 7), slice(7, 9))

    def test_codes_follow_their_distributions(self):
        streams = (torch.Generator().manual_seed(seed) for seed in (0, 1))
        z = draw_latents(self.SPEC, 6000, *streams)
        category, uniform = (z[:, part] for part in self.SPEC.slices)
        assert set(category.unique().tolist()) == {0.0, 1.0}
        assert (category.sum(1) == 1).all()
        # Standard error of a share of 1/3 is .006; of the mean of U(-1, 1), .0075.
        torch.testing.assert_close(category.mean(0), torch.full((3,), 1 / 3), atol=0.03, rtol=0)
        assert uniform.abs().max() <= 1
        torch.testing.assert_close(uniform.mean(0), torch.zeros(2), atol=0.04, rtol=0)
        torch.testing.assert_close(uniform.var(0), torch.full((2,), 1 / 3), atol=0.03, rtol=0)

    def test_an_arm_with_codes_shares_its_noise_with_one_without(self):
        def make_latent(self, ctx):
            return replace(ctx.spec.latent, codes=(Categorical(3),))

        plain, coded = trial(), trial(make("codes", make_latent=make_latent))
        assert coded.pairs[0].pair.generator.project.linear.in_features == 4 + 3
        one, other = (running._evaluating._latents(10)["main"] for running in (plain, coded))
        assert torch.equal(one, other[:, :4])
        plain.advance(STEPS)
        coded.advance(STEPS)
        assert differing(plain.streams.state_dict(), coded.streams.state_dict()) == []
        assert coded.sample(5).shape == (5, 1, 8, 8)


def test_a_pair_may_have_a_latent_and_a_shape_of_its_own():
    class Planes(TwoLevels):
        name = "planes"

        def build_pairs(self, spec):
            coarse, fine = super().build_pairs(spec)
            return (
                replace(coarse, shape=(1, 4, 4), latent=LatentSpec(4, "uniform")),
                replace(fine, latent=LatentSpec(4)),
            )

    seen = {}

    def make_buffers(self, ctx):
        real, condition = ctx.real_batch(torch.arange(3))
        shapes = real.shape[1:], None if condition is None else condition.shape[1:]
        seen[ctx.pair] = ctx.spec.shape, *(s and tuple(s) for s in shapes)
        return {}

    watcher = make("watcher", make_buffers=make_buffers)
    config = tiny_config({"watcher": {}}).model_copy(
        update={"architecture": Component(name="planes")}
    )
    running = Trial(config, 0, tiny_data(), Host(classes=[Planes, watcher]), CPU)
    assert seen == {
        "coarse": ((1, 4, 4), (1, 4, 4), None),
        "fine": ((1, 8, 8), (1, 8, 8), (1, 4, 4)),
    }
    assert running._evaluating._latents(50)["coarse"].abs().max() <= 1
    assert running._evaluating._latents(50)["fine"].abs().max() > 1
    running.advance(1)
    assert running.sample(3).shape == (3, 1, 8, 8)
