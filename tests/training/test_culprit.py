"""What a step cannot use is blamed on who gave it, not on who met it first."""

import pytest
import torch
from surface_trials import make, trial
from torch import nn

from ganbench.config.model import Component
from ganbench.plugin import Architecture, Host, Pair
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import HookError, Trial

# Each a trick of one hook whose result has the right type, and a shape that nothing after it
# can use: the failure comes up in a layer of the architecture, or in the objective.
WRONG_SHAPES = {
    "transform_images": lambda self, x, is_real, buf: x.flatten(1),
    "transform_discriminator_input": lambda self, x, is_real, buf: x[:, :, :3],
    "transform_latent": lambda self, z, buf: z[:, :2],
    "transform_targets": lambda self, t, is_real, role, buf: t[:3],
}


@pytest.mark.parametrize("hook", WRONG_SHAPES)
def test_a_wrong_shape_is_blamed_on_the_hook_that_made_it(hook):
    with pytest.raises(HookError, match=rf"wrong\.{hook} returned shape \(.*\) for \(.*\); ") as e:
        trial(make("wrong", **{hook: WRONG_SHAPES[hook]})).advance(1)
    assert e.value.plugin == "wrong"
    assert e.value.__cause__ is not None


def late(method, step=1):
    """Return a hook that does nothing before a step, and what ``method`` does from it on."""

    def hook(self, *arguments):
        buf = arguments[-1]
        return method(self, *arguments) if buf["step"] >= step else arguments[0]

    return hook


def clock():
    def before_step(self, step, buf):
        buf["step"].fill_(step)

    return {
        "make_buffers": lambda self, ctx: {"step": torch.zeros(())},
        "before_step": before_step,
    }


@pytest.mark.parametrize("hook", WRONG_SHAPES)
@pytest.mark.parametrize("what", ["None", "shape"])
def test_what_becomes_unusable_later_is_blamed_too(hook, what):
    method = WRONG_SHAPES[hook] if what == "shape" else lambda *arguments: None
    running = trial(make("wrong", **{hook: late(method)}, **clock()))
    with pytest.raises(HookError, match=rf"wrong\.{hook} returned (None|shape)"):
        running.advance(3)


@pytest.mark.parametrize(
    "hook",
    [
        *WRONG_SHAPES,
        *("judge_batches", "discriminator_penalty", "generator_penalty", "generator_objective"),
        *("transform_gradients", "gate_update", "plan_updates"),
    ],
)
def test_a_hook_that_forgets_to_return_is_named(hook):
    running = trial(make("forgets", **{hook: lambda *arguments: None}))
    with pytest.raises(HookError, match=rf"forgets\.{hook} returned None"):
        running.advance(1)


def test_a_change_of_shape_is_told_when_the_next_trick_fails_on_it():
    def transform_discriminator_input(self, x, is_real, buf):
        return x + torch.ones(8, 1, 8, 8)

    cut = make("cut", transform_images=lambda self, x, is_real, buf: x[:, :, :3])
    adds = make("adds", transform_discriminator_input=transform_discriminator_input)
    told = r"adds\.transform_discriminator_input raised .*; before it, cut\.transform_images made"
    with pytest.raises(HookError, match=told):
        trial(cut, adds).advance(1)


def test_the_next_trick_is_not_blamed_for_none_that_it_was_given_later():
    def transform_discriminator_input(self, x, is_real, buf):
        return x * 1

    lost = make("lost", transform_images=late(lambda *arguments: None), **clock())
    scales = make("scales", transform_discriminator_input=transform_discriminator_input)
    with pytest.raises(HookError, match=r"lost\.transform_images returned None"):
        trial(lost, scales).advance(3)


def test_an_exception_of_a_later_step_is_told_as_it_was():
    def fails_once(self, x, is_real, buf):
        if buf["step"] >= 1 and not buf["failed"]:
            buf["failed"].fill_(1)
            raise ValueError("once")
        return x

    def make_buffers(self, ctx):
        return {"step": torch.zeros(()), "failed": torch.zeros(())}

    parts = clock() | {"make_buffers": make_buffers}
    with pytest.raises(HookError, match=r"unlucky\.fails_once raised ValueError: once"):
        trial(make("unlucky", transform_images=fails_once, **parts)).advance(3)


def test_a_change_of_shape_that_the_network_takes_is_no_fault():
    config = tiny_config({"packing": {"images": 2}})
    Trial(config, 0, tiny_data(), Host(), torch.device("cpu")).advance(2)


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_a_network_of_a_wrong_output_is_blamed_on_the_trick_that_put_it_there(network):
    class Wider(nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            y = self.net(x)
            return torch.cat([y, y], 1)

    wider = make("wider", **{f"transform_{network}": lambda self, net, ctx: Wider(net)})
    told = rf"wider\.transform_{network} returned an unusable network: the {network} returned"
    with pytest.raises(HookError, match=told):
        trial(wider).advance(1)


def test_a_network_of_a_wrong_output_is_blamed_on_its_architecture():
    class Wide(Architecture):
        name = "wide"

        def build_pairs(self, spec):
            generator = nn.Sequential(
                nn.Linear(spec.latent.dimension, 64), nn.Unflatten(1, (1, 8, 8))
            )
            return (Pair("main", generator, nn.Sequential(nn.Flatten(), nn.Linear(64, 2))),)

    config = tiny_config({}).model_copy(update={"architecture": Component(name="wide")})
    running = Trial(config, 0, tiny_data(), Host(classes=[Wide]), torch.device("cpu"))
    told = (
        r"wide\.build_pairs returned .* discriminator returned shape \(8, 2\), expected .*\(8, 1\)"
    )
    with pytest.raises(HookError, match=told):
        running.advance(1)
