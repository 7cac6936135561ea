"""What a trick may ask D besides the step's own passes, and what an objective may do to it."""

import pytest
import torch
from surface_trials import CPU, make, trial

from ganbench.plugin import Host, Objective
from ganbench.testing import BATCH, differing, tiny_config, tiny_data, weights
from ganbench.training import Trial


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


def test_a_step_cannot_be_changed_under_other_tricks_and_outlives_its_call():
    kept = []

    def generator_penalty(self, step, buf):
        for name in ("fake", "judge", "anything"):
            with pytest.raises(AttributeError, match=f"{name} of a step cannot be set"):
                setattr(step, name, step.fake)
        kept.append((step, step.adversarial_loss()))
        return kept[-1][1] * 0

    def discriminator_penalty(self, step, buf):
        with pytest.raises(AttributeError, match="real of a step cannot be set"):
            step.real = step.fake
        return step.real_logits.mean() * 0

    hooks = {"generator_penalty": generator_penalty, "discriminator_penalty": discriminator_penalty}
    running = trial(make("keeps", **hooks))
    running.advance(2)
    (first, _), (second, _) = kept
    assert not torch.equal(first.fake, second.fake)
    # Of a later step's D, and still of its own images.
    assert not torch.equal(first.adversarial_loss(), second.adversarial_loss())
