"""What is updated in a step, in which order, and whether it takes effect."""

import pytest
import torch
from surface_trials import gate, make, plan, resumed, trial
from torch.nn import functional as F

from ganbench.plugin import OptimizerSpec
from ganbench.testing import BATCH, STEPS, differing, weights
from ganbench.training import HookError
from ganbench.training.sampling import draw_latents


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
                real = plain.resident.items[indices].float() / 255 * 2 - 1
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

    def test_a_plan_that_changes_with_the_step_resumes_exactly(self):
        def plan_updates(self, step, updates, buf):
            return (*updates, "generator") if step % 2 else ("discriminator", *updates)

        whole, second = resumed(make("planned", plan_updates=plan_updates))
        assert differing(weights(whole), weights(second)) == []
        assert torch.equal(whole.update_log, second.update_log)
        assert whole.update_log[:2, 0].tolist() == [[1, 2], [2, 1]]

    @pytest.mark.parametrize("wrong", [("critic",), None, "generator"])
    def test_a_plan_of_something_else_is_blamed_on_its_trick(self, wrong):
        hook = make("planned", plan_updates=lambda self, step, updates, buf: wrong)
        with pytest.raises(HookError, match=r"planned\.plan_updates returned"):
            trial(hook).advance(1)


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
