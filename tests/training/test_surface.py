"""The wider hooks: roles and codes of a trick's own, plans, gates, functional D, pictures."""

from dataclasses import replace

import pytest
import torch
from test_step import TwoLevels
from torch import nn
from torch.nn import functional as F

from ganbench.config.model import Component
from ganbench.plugin import (
    Categorical,
    Host,
    LatentSpec,
    Objective,
    OptimizerSpec,
    Picture,
    Trick,
    TrickModule,
    TrickParameters,
    Uniform,
)
from ganbench.testing import BATCH, STEPS, differing, tiny_config, tiny_data, weights
from ganbench.training import HookError, Trial, load, save
from ganbench.training.sampling import draw_latents

CPU = torch.device("cpu")


def make(name, **members):
    return type(name, (Trick,), {"name": name, "neutral": TrickParameters(), **members})


def trial(*classes, seed=3, **changes):
    config = tiny_config({cls.name: {} for cls in classes}, **changes)
    return Trial(config, seed, tiny_data(), Host(classes=classes), CPU)


def resumed(*classes, folder, **changes):
    whole, first, second = (trial(*classes, **changes) for _ in range(3))
    whole.advance(STEPS)
    first.advance(STEPS // 2)
    save(first, folder / "trial.pt")
    load(second, folder / "trial.pt")
    second.advance(STEPS)
    return whole, second


def plan(*halves):
    return make("planned", plan_updates=lambda self, step, updates, buf: halves)


class TestPlans:
    def test_the_first_update_of_a_step_draws_what_it_draws_in_every_arm(self):
        usual, twice = trial(), trial(plan("discriminator", "discriminator", "generator"))
        usual.advance(STEPS)
        twice.advance(STEPS)
        one, other = usual.streams.state_dict(), twice.streams.state_dict()
        assert differing(one, other) == []
        assert {"data/1", "latent/main/discriminator/1"} <= set(other) - set(one)

    def test_each_update_of_a_half_sees_other_images_and_latents(self):
        seen = []

        def transform_images(self, x, is_real, buf):
            seen.append((buf.half, is_real, x.sum().item()))
            return x

        watcher = make("watcher", transform_images=transform_images)
        trial(plan("discriminator", "discriminator", "generator"), watcher).advance(1)
        assert [(role, real) for role, real, _ in seen] == [
            ("discriminator", True),
            ("discriminator", False),
            ("discriminator", True),
            ("discriminator", False),
            ("generator", False),
        ]
        assert len({total for _, _, total in seen}) == 5

    def test_two_updates_are_the_plain_loop_of_two_updates(self):
        planned, plain = trial(plan("discriminator", "discriminator", "generator")), trial()
        planned.advance(2)
        pair, latent = plain.pairs[0].pair, plain.context.spec.latent
        g, d = pair.generator, pair.discriminator
        opt_g, opt_d = (
            torch.optim.Adam(n.parameters(), lr=2e-4, betas=(0.5, 0.999)) for n in (g, d)
        )
        ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
        bce = F.binary_cross_entropy_with_logits
        for _ in range(2):
            for repeat, suffix in enumerate(("", "/1")):
                indices = plain.order_of_batches(repeat).next()
                real = plain._resident.items[indices].float() / 255 * 2 - 1
                stream = plain.streams.stream(f"latent/main/discriminator{suffix}")
                fake = g(draw_latents(latent, BATCH, stream, None)).detach()
                opt_d.zero_grad()
                (bce(d(real), ones) + bce(d(fake), zeros)).backward()
                opt_d.step()
            stream = plain.streams.stream("latent/main/generator")
            opt_g.zero_grad()
            bce(d(g(draw_latents(latent, BATCH, stream, None))), ones).backward()
            opt_g.step()
        got, expected = weights(planned), weights(plain)
        for name in ("discriminator.head.weight", "generator.output.conv.weight"):
            torch.testing.assert_close(
                got[f"main.{name}"], expected[f"main.{name}"], rtol=1e-4, atol=1e-6
            )

    def test_a_half_that_is_left_out_keeps_its_weights_and_has_no_loss(self):
        running = trial(plan("generator"))
        before = weights(running)
        running.advance(2)
        changed = differing(before, weights(running))
        assert changed
        parameters = dict(running.pairs[0].pair.discriminator.named_parameters())
        assert not any(name.removeprefix("main.discriminator.") in parameters for name in changed)
        assert set(running.losses(0)) == {"generator"}
        assert running.diverged_at is None

    def test_losses_are_means_over_updates(self):
        running = trial(plan("discriminator", "discriminator", "generator"))
        running.advance(1)
        total = running.loss_log[0, 0, 1].item()
        assert running.losses(0)["discriminator"] == pytest.approx(total / 2)

    def test_a_plan_that_changes_with_the_step_resumes_exactly(self, tmp_path):
        def plan_updates(self, step, updates, buf):
            return (*updates, "generator") if step % 2 else ("discriminator", *updates)

        whole, second = resumed(make("planned", plan_updates=plan_updates), folder=tmp_path)
        assert differing(weights(whole), weights(second)) == []
        assert torch.equal(whole.update_log, second.update_log)
        assert whole.update_log[:2, 0].tolist() == [[1, 2], [2, 1]]

    @pytest.mark.parametrize("wrong", [("critic",), None, "generator"])
    def test_a_plan_of_something_else_is_blamed_on_its_trick(self, wrong):
        hook = make("planned", plan_updates=lambda self, step, updates, buf: wrong)
        with pytest.raises(HookError, match=r"planned\.plan_updates returned"):
            trial(hook).advance(1)


def gate(open_halves):
    def gate_update(self, half, loss, buf):
        assert loss.ndim == 0
        return torch.tensor(half in open_halves)

    return make("gate", gate_update=gate_update)


class TestGates:
    @pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
    def test_a_denied_update_leaves_weights_and_optimizer_as_they_were(self, optimizer):
        spec = {"adam": {}, "sgd": {"momentum": 0.9}, "rmsprop": {"momentum": 0.9}}[optimizer]

        def configure(self, given):
            old = OptimizerSpec(optimizer, {"lr": 0.01, **spec})
            return given.with_changes(optimizers={"generator": old, "discriminator": old})

        running = trial(gate({"generator"}), make("optimizers", configure=configure))
        before = weights(running)
        running.advance(3)
        parameters = dict(running.pairs[0].pair.discriminator.named_parameters())
        changed = differing(before, weights(running))
        assert any(name.startswith("main.generator") for name in changed)
        assert not any(name.removeprefix("main.discriminator.") in parameters for name in changed)
        for state in running.optimizers[0]["discriminator"].state.values():
            tensors = [value for value in state.values() if isinstance(value, torch.Tensor)]
            assert tensors
            assert all(not value.any() for value in tensors)

    def test_an_open_gate_changes_nothing(self):
        without, with_gate = trial(), trial(gate({"generator", "discriminator"}))
        without.advance(STEPS)
        with_gate.advance(STEPS)
        assert differing(weights(without), weights(with_gate)) == []

    def test_an_update_goes_on_as_if_denied_ones_had_not_been(self):
        # D's third update is its first that counts: Adam's bias correction must be a first's.
        steps = iter(range(STEPS))

        def gate_update(self, half, loss, buf):
            return torch.tensor(half == "generator" or next(steps) >= 2)

        running = trial(make("gate", gate_update=gate_update))
        running.advance(3)
        head = running.pairs[0].pair.discriminator.head.weight
        assert running.optimizers[0]["discriminator"].state[head]["step"].item() == 1


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

    def test_it_resumes_exactly(self, tmp_path):
        whole, second = resumed(QHead, folder=tmp_path)
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


class TestFunctionalDiscriminator:
    def test_its_own_parameters_give_its_own_loss_and_its_buffers_do_not_move(self):
        seen = {}

        def generator_objective(self, step, buf):
            own = dict(step.discriminator.named_parameters())
            buffers = {k: v.clone() for k, v in step.discriminator.named_buffers()}
            seen["functional"] = step.adversarial_loss(own), step.discriminator_loss(own)
            seen["logits"] = step.discriminate(step.fake, False, own)[0]
            assert all(
                torch.equal(value, buffers[name])
                for name, value in step.discriminator.named_buffers()
            )
            seen["own"] = step.adversarial_loss(), step.discriminator_loss()
            return seen["own"][0]

        running = trial(make("functional", generator_objective=generator_objective))
        running.advance(1)
        for one, other in zip(seen["functional"], seen["own"], strict=True):
            torch.testing.assert_close(one, other)
        assert seen["logits"].shape == (BATCH, 1)

    def test_gradients_flow_to_the_stand_ins_and_to_the_generator(self):
        seen = {}

        def generator_penalty(self, step, buf):
            names = dict(step.discriminator.named_parameters())
            own = {name: value.detach().clone().requires_grad_() for name, value in names.items()}
            loss = step.discriminator_loss(own)
            grads = torch.autograd.grad(loss, list(own.values()), create_graph=True)
            moved = {k: v - 0.1 * g for (k, v), g in zip(own.items(), grads, strict=True)}
            after = step.discriminator_loss(moved)
            seen["losses"] = loss.item(), after.item()
            return step.adversarial_loss(moved)

        running = trial(make("inner", generator_penalty=generator_penalty))
        without = trial()
        running.advance(1)
        without.advance(1)
        assert seen["losses"][1] < seen["losses"][0]
        changed = differing(weights(without), weights(running))
        assert changed
        assert all(name.startswith("main.generator") for name in changed)


def test_judge_batches_may_put_real_and_fake_into_one():
    shapes = []

    def judge_batches(self, judge, real, fake, buf):
        logits = judge(torch.cat([real, fake]))
        shapes.append(tuple(logits.shape))
        return logits[: len(real)], logits[len(real) :]

    mixed, separate = trial(make("mixed", judge_batches=judge_batches)), trial()
    mixed.advance(2)
    separate.advance(2)
    assert shapes == [(2 * BATCH, 1)] * 2
    assert differing(weights(mixed), weights(separate))  # BatchNorm's statistics are shared


def test_extra_calls_are_told_apart():
    seen = []

    def transform_images(self, x, is_real, buf):
        seen.append((buf.half, buf.extra))
        return x

    def discriminator_penalty(self, step, buf):
        return step.discriminate(step.real, True)[0].mean() * 0

    asker = make("asker", discriminator_penalty=discriminator_penalty)
    trial(asker, make("watcher", transform_images=transform_images)).advance(1)
    assert seen == [
        ("discriminator", False),
        ("discriminator", False),
        ("discriminator", True),
        ("generator", False),
    ]


def test_an_objective_may_clip_the_critics_weights():
    class Clipped(Objective):
        name = "clipped"
        uses_targets = False

        def discriminator_loss(self, real_logits, fake_logits, real_targets, fake_targets):
            return fake_logits.mean() - real_logits.mean()

        def generator_loss(self, fake_logits, targets, real_logits):
            return -fake_logits.mean()

        def after_optimizer_step(self, role, params):
            if role == "discriminator":
                for parameter in params:
                    parameter.clamp_(-0.01, 0.01)

    config = tiny_config(objective="clipped")
    running = Trial(config, 0, tiny_data(), Host(classes=[Clipped]), CPU)
    running.advance(2)
    pair = running.pairs[0].pair
    assert all(p.abs().max() <= 0.01 for p in pair.discriminator.parameters())
    assert any(p.abs().max() > 0.01 for p in pair.generator.parameters())


def test_other_weights_are_sampled_beside_the_trained_ones():
    class Constant(nn.Module):
        def forward(self, z):
            return torch.zeros(len(z), 1, 8, 8)

    usual = trial()
    other = trial(make("frozen", sampling_generator=lambda self, ctx, buf: Constant()))
    assert (usual.scored_weights, other.scored_weights) == ("trained", "frozen")
    assert not usual.has_other_weights
    assert other.has_other_weights
    assert (other.sample(4) == 128).all()
    assert torch.equal(other.sample(4, "trained"), usual.sample(4))


class TestPictures:
    def drawn(self, **members):
        return trial(make("painter", **members)).pictures()

    def test_a_trick_draws_from_the_evaluations_latents(self):
        def draw_pictures(self, ctx, sampler, buf):
            images = sampler.images(sampler.latents(6))
            return {"grid": Picture(images.unflatten(0, (2, 3)), "six samples")}

        painter = make("painter", draw_pictures=draw_pictures)
        running = trial(painter)
        before = weights(running)
        picture = running.pictures()["painter.grid"]
        assert picture.images.shape == (2, 3, 1, 8, 8)
        shown = picture.images.flatten(0, 1).add(1).mul(127.5).round().clamp(0, 255).byte()
        assert torch.equal(shown, running.sample(6))
        assert differing(before, weights(running)) == []

    def test_an_architecture_draws_too(self):
        class Painted(Host().find("architecture", "mlp").cls):
            name = "painted"

            def draw_pictures(self, sampler):
                return {"one": Picture(sampler.images(sampler.latents(1))[None], "one")}

        config = tiny_config(architecture="painted")
        running = Trial(config, 0, tiny_data(), Host(classes=[Painted]), CPU)
        assert list(running.pictures()) == ["painted.one"]

    @pytest.mark.parametrize(
        ("name", "images"), [("A b", (1, 1, 1, 8, 8)), ("grid", (1, 1, 8, 8)), ("../x", (1,) * 5)]
    )
    def test_what_cannot_be_shown_is_blamed_on_the_plugin(self, name, images):
        def draw_pictures(self, ctx, sampler, buf):
            return {name: Picture(torch.zeros(images), "nothing")}

        with pytest.raises(HookError, match=r"painter\.draw_pictures (returned|raised)"):
            self.drawn(draw_pictures=draw_pictures)


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


@pytest.mark.parametrize("hook", ["on_evaluate", "draw_pictures"])
def test_networks_and_tricks_modules_are_in_evaluation_mode_while_they_are_shown(hook):
    seen = []

    def shown(self, ctx, *rest):
        own = rest[-1].modules["own"]
        seen.append((ctx.generator.training, ctx.discriminator.training, own.training))
        return {}

    def make_modules(self, ctx):
        return {"own": TrickModule(nn.Dropout(), None)}

    running = trial(make("shown", make_modules=make_modules, **{hook: shown}))
    running.extra_figures()
    running.pictures()
    assert seen == [(False, False, False)]
    assert running.pairs[0].buffers["shown"].modules["own"].training
