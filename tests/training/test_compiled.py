"""Compiled steps: the eager ones' numbers, draws and states, or an eager step and the reason."""

import re
import shutil

import pytest
import torch
from surface_trials import CPU, make

from ganbench.config.model import Execution, Optimizer, Optimizers
from ganbench.plugin import Host
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import Trial, compiled, load, save

needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("c++", "g++", "clang++")), reason="no C++ compiler"
)
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
COMPILED = Execution(backend="compiled")


def trial(*classes, tricks=None, execution=COMPILED, architecture="mlp", **changes):
    """Return a trial of 30 steps with tricks: the built-in ones of ``tricks``, and classes."""
    settings = {**(tricks or {}), **{cls.name: {} for cls in classes}}
    config = tiny_config(settings, architecture, {}, steps=30)
    config = config.model_copy(update={"execution": execution, **changes})
    return Trial(config, 7, tiny_data(), Host(classes=list(classes)), CPU)


@pytest.fixture
def uncompiled(monkeypatch):
    """Run captured graphs as they are: what is tested is the capture, in a tenth of the time."""
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, arguments: graph)
    monkeypatch.setattr(compiled, "_compiled", {})


def in_double():
    """Return a trick that has everything computed in float64."""
    return make(
        "in_double",
        transform_generator=lambda self, net, ctx: net.double(),
        transform_discriminator=lambda self, net, ctx: net.double(),
        transform_latent=lambda self, z, buf: z.double(),
        transform_images=lambda self, x, is_real, buf: x.double(),
        transform_targets=lambda self, t, is_real, role, buf: t.double(),
    )


@needs_compiler
@quiet
@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["mlp", "dcgan-transpose"])
def test_in_float64_thirty_steps_are_the_eager_ones(architecture):
    runs = [
        trial(in_double(), architecture=architecture, execution=Execution(backend=backend))
        for backend in ("eager", "compiled")
    ]
    for run in runs:
        run.advance(30)
    eager, ours = runs
    assert ours.execution == {"backend": "compiled"}
    trained = weights(ours)
    for name, value in weights(eager).items():
        # A bias before a BatchNorm, whose mean takes it away again, has no gradient but rounding,
        # which Adam divides by no less than its eps of 1e-8; only there may it be seen.
        free = architecture != "mlp" and name.endswith(("conv.bias", "norm.running_mean"))
        torch.testing.assert_close(trained[name], value, rtol=1e-12, atol=1e-9 if free else 1e-12)


@quiet
def test_a_resumed_compiled_trial_equals_an_uninterrupted_one_bit_for_bit(uncompiled, tmp_path):
    tricks = {"instance_noise": {"start": 0.2}, "ema": {}}
    whole, first, rest = (trial(tricks=tricks) for _ in range(3))
    whole.advance(9)
    first.advance(4)
    save(first, tmp_path / "trial.pt")
    load(rest, tmp_path / "trial.pt")
    rest.advance(5)
    assert whole.execution == rest.execution == {"backend": "compiled"}
    assert differing(weights(whole), weights(rest)) == []
    assert torch.equal(whole.loss_log[:9], rest.loss_log[:9])


@quiet
def test_checking_disturbs_nothing(uncompiled, monkeypatch):
    tricks = {"instance_noise": {"start": 0.2}, "experience_replay": {}}
    checked, unchecked = trial(tricks=tricks), trial(tricks=tricks)
    checked.advance(4)
    # The second finds its graph compiled and checked, by the first.
    unchecked.advance(4)
    assert differing(weights(checked), weights(unchecked)) == []


@quiet
def test_one_compilation_serves_all_seeds_of_an_arm(monkeypatch):
    compilations = []

    def count(graph, arguments):
        compilations.append(graph)
        return graph

    monkeypatch.setattr(torch._inductor, "compile", count)
    monkeypatch.setattr(compiled, "_compiled", {})
    config = trial().config
    for seed in range(3):
        one = Trial(config, seed, tiny_data(), Host(), CPU)
        one.advance(3)
        assert one.execution == {"backend": "compiled"}
    assert len(compilations) == 1
    trial(tricks={"label_smoothing": {"real": 0.8}}).advance(3)
    assert len(compilations) == 2


def looks(self, x, is_real, buf):
    return x if x.mean().item() > 100 else x * 0.5


def counts(self, x, is_real, buf):
    self.calls = getattr(self, "calls", 0) + 1
    return x * (1 + 0.1 * self.calls)


def draws_by_value(self, x, is_real, buf):
    return x * torch.bernoulli((x > 0).float() * 0.5, generator=buf.generator)


@quiet
@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (looks, "value"),
        (counts, "5 steps are .* from the eager ones"),
        (draws_by_value, "draws in a way that depends on values"),
    ],
)
def test_what_a_graph_would_get_wrong_is_taken_eagerly_and_told(uncompiled, method, reason):
    trick = make("odd", transform_images=method)
    eager, ours = trial(trick, execution=Execution()), trial(trick)
    eager.advance(4)
    ours.advance(4)
    assert ours.execution["backend"] == "eager"
    assert re.search(reason, ours.execution["reason"])
    if method is not counts:  # which counts the steps of the check too
        assert torch.equal(eager.loss_log, ours.loss_log)


@quiet
def test_a_trick_that_says_so_and_a_rate_that_decays_are_taken_eagerly(uncompiled):
    asked = trial(make("shy", capturable=False, after_optimizer_step=lambda *arguments: None))
    asked.advance(3)
    assert "shy says that it cannot be captured" in asked.execution["reason"]
    falling = Optimizer(decay=0.1)
    decaying = trial(optimizers=Optimizers(generator=falling, discriminator=falling))
    decaying.advance(3)
    assert "the learning rate of generator decays" in decaying.execution["reason"]


@quiet
def test_a_failure_of_the_compiler_is_told(monkeypatch):
    def fail(graph, arguments):
        raise RuntimeError("no compiler here\nand more")

    monkeypatch.setattr(torch._inductor, "compile", fail)
    monkeypatch.setattr(compiled, "_compiled", {})
    running = trial()
    running.advance(3)
    assert running.execution == {
        "backend": "eager",
        "reason": "not compiled: RuntimeError: no compiler here",
    }


@quiet
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop"])
def test_optimizers_are_captured_as_they_compute(uncompiled, optimizer):
    settings = Optimizer(name=optimizer, lr=1e-3, weight_decay=0.01, momentum=0.9)
    both = Optimizers(generator=settings, discriminator=settings)
    runs = [
        trial(in_double(), execution=Execution(backend=backend), optimizers=both)
        for backend in ("eager", "compiled")
    ]
    for run in runs:
        run.advance(10)
    assert runs[1].execution == {"backend": "compiled"}
    eager, ours = (weights(run) for run in runs)
    for name, value in eager.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-12, atol=1e-12)


@quiet
def test_bfloat16_is_captured(uncompiled):
    running = trial(execution=Execution(backend="compiled", amp="bf16"))
    running.advance(4)
    assert running.execution == {"backend": "compiled"}
