"""A trial's pairing, sampling, checkpoints and settings."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from ganbench.config.model import Execution, Latent, Optimizer, Optimizers
from ganbench.plugin import Host, Trick, TrickModule, TrickParameters, keep_weights
from ganbench.testing import STEPS, differing, tiny_config, tiny_data, weights
from ganbench.training import CheckpointError, NonFiniteError, Trial, dump, load

CPU = torch.device("cpu")
ALL = {
    "batch_norm": {"placement": "both"},
    "feature_matching": {"weight": 0.5},
    "instance_noise": {"start": 0.3},
    "label_smoothing": {"real": 0.8},
}


def trial(tricks=None, seed=3, data=None, **changes):
    return Trial(tiny_config(tricks, **changes), seed, data or tiny_data(), Host(), CPU)


@pytest.mark.parametrize("batch_norm", ["running", "batch"])
def test_sampling_does_not_disturb_training(batch_norm):
    evaluation = tiny_config().evaluation.model_copy(update={"batch_norm": batch_norm})
    asked, left_alone = trial(ALL, evaluation=evaluation), trial(ALL, evaluation=evaluation)
    for running in (asked, left_alone):
        running.advance(2)
        if running is asked:
            running.sample(16)
        running.advance(STEPS)
    assert differing(weights(asked), weights(left_alone)) == []


def test_samples_are_the_same_at_every_call_and_as_images_would_be_saved():
    running = trial()
    one, other = running.sample(16), running.sample(16)
    assert torch.equal(one, other)
    assert one.dtype == torch.uint8
    assert one.shape == (16, 1, 8, 8)


def latents(running, count):
    return running._evaluating._latents(count)["main"]


def test_two_arms_of_a_seed_sample_the_same_latents():
    one, other = trial(), trial(ALL)
    assert torch.equal(latents(one, 8), latents(other, 8))
    assert not torch.equal(latents(one, 8), latents(trial(seed=4), 8))


def test_running_statistics_make_a_sample_independent_of_its_batch():
    running = trial()
    running.advance(2)
    whole = running.sample(16)
    evaluation = tiny_config().evaluation.model_copy(update={"batch_size": 3})
    apart = trial(evaluation=evaluation)
    apart.advance(2)
    difference = (whole.int() - apart.sample(16).int()).abs().max()
    assert difference <= 1


def test_a_checkpoint_restores_everything_with_all_tricks_on():
    whole, half, rest = trial(ALL), trial(ALL), trial(ALL)
    whole.advance(STEPS)
    half.advance(3)
    content = dump(half, {"evaluations": [{"step": 3, "fid": 1.5}]})
    assert load(rest, content) == {"evaluations": [{"step": 3, "fid": 1.5}]}
    assert (rest.step, rest.seconds) == (3, half.seconds)
    rest.advance(STEPS)
    assert differing(weights(whole), weights(rest)) == []
    assert torch.equal(whole.loss_log, rest.loss_log)
    assert whole.losses(0) == rest.losses(0)


@pytest.mark.parametrize("change", [{"seed": 4}, {"steps": STEPS + 1}])
def test_a_checkpoint_of_another_trial_is_refused(change):
    content = dump(trial())
    with pytest.raises(CheckpointError, match="this trial"):
        load(trial(**change), content)


def test_a_torn_checkpoint_is_refused():
    content = dump(trial())
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        load(trial(), content[:-100])


def test_points_are_trained_and_sampled_unbounded():
    running = trial(architecture="mlp", data=tiny_data((2,)))
    running.advance(STEPS)
    assert running.sample(7).shape == (7, 2)
    assert running.sample(7).dtype == torch.float32


def test_a_uniform_latent_stays_in_its_range():
    running = trial(latent=Latent(dimension=4, distribution="uniform"))
    z = latents(running, 500)
    assert z.abs().max() <= 1
    assert z.var().item() == pytest.approx(1 / 3, rel=0.1)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (Optimizer(name="sgd", lr=0.1, momentum=0.9), torch.optim.SGD),
        (Optimizer(name="rmsprop", lr=0.01), torch.optim.RMSprop),
        (Optimizer(name="adamw"), torch.optim.AdamW),
    ],
)
def test_every_optimizer_trains_and_resumes(settings, kind):
    optimizers = Optimizers(generator=settings, discriminator=settings)
    whole, half, rest = (trial(optimizers=optimizers) for _ in range(3))
    assert isinstance(whole.optimizers[0]["generator"], kind)
    whole.advance(4)
    half.advance(2)
    load(rest, dump(half))
    rest.advance(2)
    assert differing(weights(whole), weights(rest)) == []


def test_bf16_autocast_changes_the_numbers_and_stays_finite():
    plain, cast = trial(), trial(execution=Execution(amp="bf16"))
    plain.advance(STEPS)
    cast.advance(STEPS)
    assert differing(weights(plain), weights(cast))
    assert cast.diverged_at is None
    assert torch.allclose(plain.loss_log, cast.loss_log, rtol=0.1)


def test_the_losses_are_means_since_a_step():
    running = trial()
    running.advance(4)
    assert running.losses(2)["generator"] == pytest.approx(
        running.loss_log[2:4, 0, 0].mean().item()
    )


def test_samples_that_are_not_finite_are_a_divergence_and_no_black_images():
    running = trial()
    with torch.no_grad():
        next(running.pairs[0].pair.generator.parameters()).fill_(float("nan"))
    with pytest.raises(NonFiniteError):
        running.sample(8)


def test_weights_that_are_not_finite_after_the_last_step_are_a_divergence():
    class Breaks(Trick):
        name = "breaks"
        neutral = TrickParameters()

        def transform_gradients(self, role, grads, buf):
            return [g * buf["factor"] for g in grads] if role == "generator" else grads

        def make_buffers(self, ctx):
            return {"factor": torch.tensor(1.0)}

        def before_step(self, step, buf):
            if step == STEPS - 1:
                buf["factor"].fill_(float("inf"))

    config = tiny_config({"breaks": {}})
    running = Trial(config, 0, tiny_data(), Host(classes=[Breaks]), CPU)
    running.advance(STEPS)
    assert running.loss_log.isfinite().all()
    assert running.diverged_at == STEPS


class NoisyLayers(Trick):
    name = "noisy_layers"
    neutral = TrickParameters()

    def transform_generator(self, net, ctx):
        class Noise(nn.Module):
            def forward(self, x):
                return x + torch.randn_like(x)

        return nn.Sequential(Noise(), net)

    def on_evaluate(self, ctx, buf):
        z = torch.randn(4, 4, generator=buf.generator)
        return {"mean": ctx.generator(z).mean().item()}


def test_sampling_leaves_layers_that_draw_undisturbed_and_repeats_itself():
    def noisy():
        config = tiny_config({"noisy_layers": {}})
        return Trial(config, 0, tiny_data(), Host(classes=[NoisyLayers]), CPU)

    asked, left_alone = noisy(), noisy()
    for running in (asked, left_alone):
        running.advance(2)
        if running is asked:
            assert torch.equal(running.sample(16), running.sample(16))
            torch.rand(3)
            assert running.extra_figures() == running.extra_figures()
        running.advance(STEPS)
    assert differing(weights(asked), weights(left_alone)) == []


def test_statistics_of_the_batch_are_of_whole_batches():
    evaluation = tiny_config().evaluation.model_copy(update={"batch_norm": "batch"})
    running = trial(
        {"batch_norm": {"placement": "both"}}, architecture="mlp", evaluation=evaluation
    )
    assert running.sample(17).shape == (17, 1, 8, 8)  # 8 + 8 + 1: one is too few for statistics


def test_weights_that_a_trick_chose_are_kept():
    class Added(Trick):
        name = "added"
        neutral = TrickParameters()

        def transform_discriminator(self, net, ctx):
            layer = nn.Conv2d(8, 8, 1)
            nn.init.zeros_(layer.weight)
            net.blocks.add_module("added", keep_weights(layer))
            return net

    config = tiny_config({"added": {}})
    running = Trial(config, 0, tiny_data(), Host(classes=[Added]), CPU)
    assert running.pairs[0].pair.discriminator.blocks.added.weight.abs().max() == 0


def test_a_module_without_a_role_is_saved_and_not_trained():
    class Average(Trick):
        name = "average"
        neutral = TrickParameters()

        def make_modules(self, ctx):
            copy = deepcopy(ctx.generator).requires_grad_(False)
            return {"copy": TrickModule(copy, None)}

        def after_optimizer_step(self, role, params, buf):
            if role == "generator":
                for mean, new in zip(buf.modules["copy"].parameters(), params, strict=True):
                    mean.lerp_(new, 0.1)

        def sampling_generator(self, ctx, buf):
            return buf.modules["copy"]

    def averaged():
        config = tiny_config({"average": {}})
        return Trial(config, 0, tiny_data(), Host(classes=[Average]), CPU)

    whole, half, rest = averaged(), averaged(), averaged()
    whole.advance(STEPS)
    half.advance(3)
    load(rest, dump(half))
    rest.advance(STEPS)
    assert torch.equal(whole.sample(8), rest.sample(8))
    assert differing(weights(whole), weights(rest)) == []
    assert "main.modules.None.average__copy.project.linear.weight" in weights(whole)


def test_channels_last_is_another_layout_of_the_same_training():
    plain, last = (
        trial(architecture="dcgan-transpose", execution=Execution(channels_last=wanted))
        for wanted in (False, True)
    )
    for run in (plain, last):
        run.advance(3)
    weight = last.pairs[0].pair.discriminator.blocks[0].conv.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last.loss_log, plain.loss_log, rtol=1e-4, atol=1e-5)
