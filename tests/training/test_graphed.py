"""Recorded steps: the eager ones' numbers, draws and states; or eager steps and the reason.

There is no CUDA graph without a GPU. Here a recorder stands in for it that replays as one does:
on the tensors that were there when it recorded, into one and the same result.
"""

import gc
import re
from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch
from surface_trials import CPU, make
from test_compiled import in_double, more_updates_later
from torch.nn import functional

from ganbench.config.model import Execution, Optimizer, Optimizers
from ganbench.plugin import Host
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import Together, Trial, dump, graphed, load
from ganbench.training.graphed import Graphed

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")


class Replays:
    """Replays on the CPU."""

    device_type = "cpu"

    def __init__(self):
        self.recorded = 0

    def record(self, function, device):
        self.recorded += 1
        for _ in range(2):
            function()
        result = function().clone()
        return lambda: result.copy_(function())


class Looking(Graphed):
    """Keeps the names of the operations that it records."""

    def prepare(self, captured, arguments):
        self.targets = [str(node.target) for node in captured.graph.graph.nodes]
        return super().prepare(captured, arguments)


def unused():
    """Return a trick with parameters that no loss depends on."""

    def transform_discriminator(self, net, ctx):
        net.unused = torch.nn.Linear(2, 3, dtype=torch.float64)
        return net

    return make("unused", transform_discriminator=transform_discriminator)


def trial(*classes, tricks=None, recorder=None, architecture="mlp", seed=7, **changes):
    """Return a trial of 30 steps: eager, or recorded where there is a recorder."""
    settings = {**(tricks or {}), **{cls.name: {} for cls in classes}}
    config = tiny_config(settings, architecture, steps=30).model_copy(update=changes)
    made = Trial(config, seed, tiny_data(), Host(classes=list(classes)), CPU)
    if recorder is not None:
        made.capture_with(Graphed(recorder))
    return made


@pytest.mark.parametrize(
    ("architecture", "optimizer"),
    [("mlp", "adam"), ("mlp", "rmsprop"), ("dcgan-transpose", "sgd")],
)
def test_in_float64_thirty_steps_are_the_eager_ones(architecture, optimizer):
    settings = Optimizer(name=optimizer, lr=1e-3, momentum=0.9)
    both = Optimizers(generator=settings, discriminator=settings)
    given = {"architecture": architecture, "optimizers": both}
    eager, ours = trial(in_double(), **given), trial(in_double(), recorder=Replays(), **given)
    for run in (eager, ours):
        run.advance(30)
    assert ours.execution == {"backend": "graphed"}
    # Each step's losses, though every replay writes its own over the last ones.
    torch.testing.assert_close(ours.loss_log, eager.loss_log, rtol=1e-6, atol=1e-6)
    trained = weights(ours)
    for name, value in weights(eager).items():
        torch.testing.assert_close(trained[name], value, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_fused_optimizer_is_recorded_as_the_one_operation_that_it_is(optimizer):
    settings = Optimizer(name=optimizer, lr=1e-3)
    ours = trial(optimizers=Optimizers(generator=settings, discriminator=settings))
    looking = Looking(Replays())
    ours.capture_with(looking)
    ours.advance(3)
    assert ours.execution == {"backend": "graphed"}
    # Taken apart it would be a dozen kernels for each parameter.
    assert looking.targets.count(f"aten._fused_{optimizer}_.default") == 2


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("architecture", ["mlp", "dcgan-transpose"])
def test_stacks_of_several_trials_keep_it_too_over_all_their_rows(architecture, optimizer):
    settings = Optimizer(name=optimizer, lr=1e-3, momentum=0.9)
    given = {
        "architecture": architecture,
        "optimizers": Optimizers(generator=settings, discriminator=settings),
    }
    ours = [trial(in_double(), unused(), seed=seed, **given) for seed in (1, 2)]
    looking = Looking(Replays())
    for run in ours:
        run.capture_with(looking)
    group = Together(ours, 3)
    group.advance(ours, 10)
    assert group.failures == {}
    assert looking.targets.count(f"aten._fused_{optimizer}_.default") == 2
    for run in ours:
        assert run.execution == {"backend": "graphed, 3 trials at once"}
        solo = trial(in_double(), unused(), seed=run.seed, **given)
        solo.advance(10)
        trained = weights(run)
        for name, value in weights(solo).items():
            torch.testing.assert_close(trained[name], value, rtol=1e-9, atol=1e-9)


def test_recording_and_checking_disturb_nothing():
    tricks = {"instance_noise": {"start": 0.2}, "experience_replay": {}}
    eager = trial(more_updates_later(), tricks=tricks)
    recorder = Replays()
    ours = trial(more_updates_later(), tricks=tricks, recorder=recorder)
    for run in (eager, ours):
        run.advance(8)
    assert ours.execution == {"backend": "graphed"}
    assert recorder.recorded == 2  # one for each plan of updates
    assert torch.equal(ours.update_log, eager.update_log)
    for name, state in eager.streams.state_dict().items():
        assert torch.equal(ours.streams.state_dict()[name], state), name
    torch.testing.assert_close(ours.loss_log, eager.loss_log, rtol=1e-4, atol=1e-5)


def test_each_trial_has_recordings_of_its_own():
    recorder = Replays()
    runs = [trial(recorder=recorder) for _ in range(2)]
    for run in runs:
        run.advance(3)
    assert recorder.recorded == 2
    assert differing(weights(runs[0]), weights(runs[1])) == []


def test_a_resumed_trial_equals_an_uninterrupted_one_bit_for_bit():
    tricks = {"instance_noise": {"start": 0.2}, "ema": {}}
    drops = make("drops", transform_images=lambda self, x, is_real, buf: functional.dropout(x))
    whole, first, rest = (trial(drops, tricks=tricks, recorder=Replays()) for _ in range(3))
    whole.advance(9)
    first.advance(4)
    first.sample(8)
    load(rest, dump(first))
    rest.advance(5)
    assert whole.execution == rest.execution == {"backend": "graphed"}
    assert differing(weights(whole), weights(rest)) == []
    assert torch.equal(whole.loss_log[:9], rest.loss_log[:9])


def repeats(self, x, is_real, buf):
    return x.repeat_interleave(torch.ones(len(x), dtype=torch.long), 0, output_size=len(x))


def sets_by_mask(self, x, is_real, buf):
    return torch.index_put(x, (x == x,), torch.ones(()))


def computes_elsewhere(self, x, is_real, buf):
    torch.ones(3, device="meta") * 2
    return x


def holds_on_elsewhere(self, x, is_real, buf):
    return x


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        (repeats, "repeat_interleave.Tensor gives what depends on values"),
        (sets_by_mask, "index_put.* by a mask has to ask"),
        (computes_elsewhere, "ones.default computes on the meta"),
        (holds_on_elsewhere, r"holds on to a tensor on the meta, of shape \(3,\)"),
    ],
)
def test_what_no_recording_can_hold_is_taken_eagerly_and_told(method, reason):
    odd = make("odd", transform_images=method)
    eager, ours = trial(odd), trial(odd, recorder=Replays())
    for run in (eager, ours):
        if method is holds_on_elsewhere:
            run.tricks[0].kept = torch.zeros(3, device="meta")
        run.advance(4)
    assert ours.execution["backend"] == "eager"
    assert re.search(reason, ours.execution["reason"])
    assert len(ours.execution["reason"]) < 200
    assert torch.equal(eager.loss_log, ours.loss_log)


def test_a_recording_that_fails_is_told_and_changes_nothing():
    class Fails(Replays):
        def record(self, function, device):
            function()
            raise RuntimeError("operation not permitted when stream is capturing\nand more")

    eager, ours = trial(), trial(recorder=Fails())
    for run in (eager, ours):
        run.advance(4)
    assert ours.execution == {
        "backend": "eager",
        "reason": "the recording failed: RuntimeError: operation not permitted when stream is "
        "capturing",
    }
    assert torch.equal(eager.loss_log, ours.loss_log)
    assert differing(weights(eager), weights(ours)) == []


def test_a_recording_that_computes_something_else_is_found_out():
    class Forgets(Replays):
        def record(self, function, device):
            result = function().clone()
            return lambda: result

    ours = trial(recorder=Forgets())
    ours.advance(4)
    assert ours.execution["backend"] == "eager"
    assert re.search("its steps are .* from the eager ones", ours.execution["reason"])


def test_on_a_cpu_graphed_is_eager_and_says_why():
    eager, ours = trial(), trial(execution=Execution(backend="graphed"))
    for run in (eager, ours):
        run.advance(4)
    assert ours.execution == {
        "backend": "eager",
        "reason": "graphs that are recorded need a cuda device, and this is a cpu one",
    }
    assert torch.equal(eager.loss_log, ours.loss_log)


@pytest.mark.parametrize("fails", [False, True])
def test_no_garbage_is_collected_during_a_recording(monkeypatch, fails):
    # Another trial's graph may be among it, and destroying that one ends the recording.
    stand_in = SimpleNamespace(
        CUDAGraph=object,
        graph_pool_handle=lambda: (0, 1),
        current_stream=lambda: None,
        stream=nullcontext,
        graph=lambda *arguments, **settings: nullcontext(),
    )
    monkeypatch.setattr(graphed.torch, "cuda", stand_in)
    monkeypatch.setattr(graphed, "_mend", lambda pool: None)
    collects = []

    def function():
        collects.append(gc.isenabled())
        if fails:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no") if fails else nullcontext():
        graphed._recorded(function, None)
    assert collects == [False]
    assert gc.isenabled()


def test_a_step_without_updates_is_no_graph():
    idle = make("idle", plan_updates=lambda self, step, updates, buf: updates if step < 2 else ())
    ours = trial(idle, recorder=Replays())
    ours.advance(4)
    assert ours.update_log.sum() == 4


def test_a_schedule_that_goes_on_from_its_last_value_goes_on_in_every_pair():
    falling = make(
        "falling",
        make_buffers=lambda self, ctx: {"factor": torch.ones(())},
        before_step=lambda self, step, buf: buf["factor"].mul_(0.5),
        transform_images=lambda self, x, is_real, buf: x * buf["factor"],
    )
    ours = trial(falling, recorder=Replays(), architecture="lapgan")
    ours.advance(3)
    assert ours.execution == {"backend": "graphed"}
    found = [built.buffers["falling"].tensors["factor"].item() for built in ours.pairs]
    assert found == [0.5**3] * len(ours.pairs)
