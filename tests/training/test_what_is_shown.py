"""Other weights that are sampled, pictures for the report, and the mode of networks meanwhile."""

import pytest
import torch
from surface_trials import CPU, make, trial
from torch import nn

from ganbench.plugin import Host, Picture, TrickModule
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import HookError, Trial


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
