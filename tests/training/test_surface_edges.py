"""The edges of the hook surface: what a plugin may not do, and what it must not disturb."""

from dataclasses import replace

import pytest
import torch
from surface_trials import CPU, gate, make, trial
from test_step import TwoLevels

from ganbench.config.model import Component, Latent
from ganbench.plugin import Host, LatentSpec, OptimizerSpec, Uniform
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import HookError, NotApplicableError, Trial


def on(architecture, *tricks):
    """Return a trial of two pairs, of an architecture class."""
    config = tiny_config({cls.name: {} for cls in tricks}).model_copy(
        update={"architecture": Component(name=architecture.name)}
    )
    return Trial(config, 0, tiny_data(), Host(classes=[architecture, *tricks]), CPU)


def test_a_half_left_out_shifts_nobodys_images_and_latents():
    seen = {}

    def watch(key):
        def transform_images(self, x, is_real, buf):
            seen.setdefault(key, []).append((buf.half, is_real, x.sum().item()))
            return x

        return make("watcher", transform_images=transform_images)

    def plan_updates(self, step, updates, buf):
        return updates if step else ("generator",)

    def make_optimizer(self, role, params, ctx):
        return torch.optim.SGD(params, lr=0.0)

    untrained = make("untrained", make_optimizer=make_optimizer)
    trial(watch("usual"), untrained).advance(3)
    trial(watch("late"), untrained, make("planned", plan_updates=plan_updates)).advance(3)
    assert len(seen["usual"]) == 9
    assert seen["late"][1:] == seen["usual"][3:]


def test_a_second_adversarial_loss_moves_nobodys_draws():
    def twice(self, step, buf):
        step.adversarial_loss()
        return step.adversarial_loss() * 0

    def once(self, step, buf):
        return step.fake.mean() * 0

    states = []
    for penalty in (once, twice):
        asker = make("asker", generator_penalty=penalty)
        config = tiny_config({"instance_noise": {"start": 0.1}, "asker": {}})
        running = Trial(config, 3, tiny_data(), Host(classes=[asker]), CPU)
        running.advance(2)
        states.append(running.streams.state_dict()["trick/instance_noise/main/generator"])
    assert torch.equal(*states)


def test_gates_see_the_loss_without_penalties():
    seen = []

    def gate_update(self, half, loss, buf):
        seen.append((half, loss.item()))
        return torch.tensor(True)

    watching = make("gate", gate_update=gate_update)
    heavy = make(
        "heavy",
        discriminator_penalty=lambda self, step, buf: step.real_logits.sum() * 0 + 100,
        generator_penalty=lambda self, step, buf: step.fake.sum() * 0 + 100,
    )
    trial(watching).advance(1)
    trial(watching, heavy).advance(1)
    assert seen[:2] == seen[2:]


def test_a_gate_is_not_applicable_beside_an_optimizer_that_cannot_be_undone():
    def make_optimizer(self, role, params, ctx):
        return torch.optim.Rprop(params)

    with pytest.raises(NotApplicableError, match=r"gate denies updates.*Rprop"):
        trial(gate({"generator"}), make("other", make_optimizer=make_optimizer))


def test_evaluating_more_often_changes_no_training():
    def sampling_generator(self, ctx, buf):
        torch.rand(1, generator=buf.generator)
        torch.rand(1)
        return ctx.generator

    def before_step(self, step, buf):
        buf["drawn"] = torch.rand((), generator=buf.generator)

    drawer = make(
        "drawer",
        make_buffers=lambda self, ctx: {"drawn": torch.zeros(())},
        sampling_generator=sampling_generator,
        before_step=before_step,
    )
    once, often = trial(drawer), trial(drawer)
    once.advance(2)
    for _ in range(2):
        often.advance(1)
        outside = torch.get_rng_state()
        often.sample(4)
        often.pictures()
        assert torch.equal(outside, torch.get_rng_state())
    assert differing(weights(once), weights(often)) == []


@pytest.mark.parametrize("count", [1, 3, 8, 15])
def test_fewer_samples_are_the_first_of_more(count):
    running = trial(latent=Latent(dimension=5))
    assert torch.equal(running.sample(count), running.sample(16)[:count])


def test_a_trick_that_changes_a_latent_nobody_takes_is_not_applicable():
    class OwnLatents(TwoLevels):
        name = "own-latents"

        def build_pairs(self, spec):
            return tuple(replace(pair, latent=LatentSpec(4)) for pair in super().build_pairs(spec))

    def make_latent(self, ctx):
        return LatentSpec(4, codes=(Uniform(1),))

    with pytest.raises(NotApplicableError, match="codes changes the latent"):
        on(OwnLatents, make("codes", make_latent=make_latent))


def test_hooks_of_a_half_that_comes_later_are_looked_at_too():
    def plan_updates(self, step, updates, buf):
        return updates if step else ("discriminator",)

    wrong = make("wrong", generator_penalty=lambda self, step, buf: step.fake.mean((1, 2, 3)))
    running = trial(make("planned", plan_updates=plan_updates), wrong)
    with pytest.raises(HookError, match=r"wrong\.generator_penalty returned a tensor of shape"):
        running.advance(2)


@pytest.mark.parametrize(
    ("hook", "method", "problem"),
    [
        (
            "transform_images",
            lambda self, x, is_real, buf: x.mul_(0.5),
            "changing its argument in place",
        ),
        (
            "transform_gradients",
            lambda self, role, grads, buf: [g.sum() for g in grads],
            "a gradient of shape",
        ),
        (
            "transform_gradients",
            lambda self, role, grads, buf: [None] * len(grads),
            "None at place 0",
        ),
        ("gate_update", lambda self, half, loss, buf: torch.tensor(0.3), "expected torch.bool"),
        (
            "judge_batches",
            lambda self, judge, real, fake, buf: (judge(real).mean(), judge(fake).mean()),
            "two tensors",
        ),
    ],
)
def test_results_that_would_train_something_else_are_refused(hook, method, problem):
    with pytest.raises(HookError, match=rf"wrong\.{hook} returned.*{problem}"):
        trial(make("wrong", **{hook: method})).advance(1)


def test_a_hook_behind_a_decorator_is_still_that_hook():
    def logged(method):
        def inner(*arguments):
            return method(*arguments)

        return inner

    method = logged(lambda self, role, params, buf: None)
    trial(make("logged", after_optimizer_step=method)).advance(1)


def test_a_helper_is_blamed_on_the_hook_that_called_it():
    def transform_images(self, x, is_real, buf):
        return self._help()

    def _help(self):
        raise ValueError("no")

    helped = make("helped", transform_images=transform_images, _help=_help)
    with pytest.raises(HookError, match=r"helped\.transform_images raised ValueError: no"):
        trial(helped).advance(1)


def test_a_layer_and_a_view_are_blamed_on_the_plugin_whose_code_they_are(tmp_path):
    (tmp_path / "layered.py").write_text('''"""A trick with a layer that fails."""

from torch import nn

from ganbench.plugin import Trick, TrickParameters


class Breaks(nn.Module):
    def forward(self, x):
        raise ValueError("layer")


class Layered(Trick):
    """Puts it before D's head."""

    name = "layered"
    neutral = TrickParameters()

    def transform_discriminator(self, net, ctx):
        net.head = nn.Sequential(Breaks(), net.head)
        return net
''')
    host = Host([tmp_path / "layered.py"])
    running = Trial(tiny_config({"layered": {}}), 0, tiny_data(), host, CPU)
    with pytest.raises(HookError, match=r"layered\.forward raised ValueError: layer"):
        running.advance(1)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (OptimizerSpec("adagrad", {}), "the optimizer 'adagrad', expected one of"),
        (OptimizerSpec("adam", {"learning_rate": 1.0}), "arguments that adam does not take"),
        ({"lr": 1.0}, "expected an OptimizerSpec"),
    ],
)
def test_an_optimizer_that_cannot_be_made_is_blamed_on_the_trick(spec, problem):
    def configure(self, given):
        return given.with_changes(optimizers={**given.optimizers, "discriminator": spec})

    with pytest.raises(HookError, match=rf"tuner\.configure returned.*{problem}"):
        trial(make("tuner", configure=configure))


def test_an_optimizer_for_nobody_is_blamed_on_the_trick():
    def configure(self, given):
        spec = given.optimizers["generator"]
        return given.with_changes(optimizers={**given.optimizers, "critic": spec})

    with pytest.raises(HookError, match="the role 'critic', which nobody has"):
        trial(make("tuner", configure=configure))


@pytest.mark.parametrize(
    ("names", "problem"),
    [(("a", "a"), "expected different ones"), (("a/b", "c"), "expected letters"), ((), "at least")],
)
def test_pairs_that_cannot_be_told_apart_are_blamed_on_the_architecture(names, problem):
    class Named(TwoLevels):
        name = "named"

        def build_pairs(self, spec):
            pairs = super().build_pairs(spec)
            return tuple(replace(pair, name=n) for pair, n in zip(pairs, names, strict=False))

    with pytest.raises(HookError, match=rf"named\.build_pairs returned.*{problem}"):
        on(Named)


def test_a_trick_at_its_neutral_setting_conflicts_with_nobody():
    packed = {"packing": {"images": 1}, "infogan": {}}
    assert Trial(tiny_config(packed), 0, tiny_data(), Host(), CPU).context.tricks == ("infogan",)
    packed["packing"] = {"images": 2}
    with pytest.raises(NotApplicableError, match="conflicts with"):
        Trial(tiny_config(packed), 0, tiny_data(), Host(), CPU)


def test_an_unusable_result_is_not_raised_from_itself():
    # A chain of causes that bites its tail is walked for ever by whoever looks for the first.
    running = trial(make("wrong", transform_images=lambda self, x, is_real, buf: None))
    with pytest.raises(HookError) as caught:
        running.advance(1)
    assert caught.value.__cause__ is not caught.value
