"""What only a GPU shows of recorded steps: that CUDA records, replays and survives a failure."""

import pytest
import torch
from surface_trials import in_double, make
from torch.nn import functional

from ganbench.config.model import Execution, Optimizer, Optimizers
from ganbench.plugin import Host
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import Trial, dump, load
from ganbench.training.graphed import CudaRecorder, Graphed

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]
CUDA = torch.device("cuda")
TRICKS = {"batch_norm": {"placement": "both"}, "instance_noise": {"start": 0.3}, "ema": {}}


def trial(*classes, backend="graphed", tricks=None, steps=40, architecture="mlp", **changes):
    settings = {**(tricks or {}), **{cls.name: {} for cls in classes}}
    execution = Execution(backend=backend, tf32=False)
    config = tiny_config(settings, architecture, steps=steps).model_copy(
        update={"execution": execution, **changes}
    )
    return Trial(config, 3, tiny_data(), Host(classes=list(classes)), CUDA)


# Not DCGAN by Adam: its biases before a BatchNorm have no gradient but rounding.
@pytest.mark.parametrize(
    ("architecture", "optimizer"),
    [
        *[("mlp", name) for name in ("adam", "adamw", "sgd", "rmsprop")],
        ("dcgan-transpose", "sgd"),
    ],
)
def test_in_float64_thirty_recorded_steps_are_the_eager_ones(architecture, optimizer):
    settings = Optimizer(name=optimizer, lr=1e-3, momentum=0.9)
    given = {
        "architecture": architecture,
        "optimizers": Optimizers(generator=settings, discriminator=settings),
    }
    eager, ours = (trial(in_double(), backend=name, **given) for name in ("eager", "graphed"))
    for run in (eager, ours):
        run.advance(30)
    assert ours.execution == {"backend": "graphed"}
    trained = weights(ours)
    for name, value in weights(eager).items():
        torch.testing.assert_close(trained[name], value, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(ours.loss_log[:30], eager.loss_log[:30], rtol=1e-5, atol=1e-6)


def test_draws_are_those_of_eager_steps_bit_for_bit():
    drops = make("drops", transform_images=lambda self, x, is_real, buf: functional.dropout(x))
    eager, ours = (trial(drops, backend=name, tricks=TRICKS) for name in ("eager", "graphed"))
    for run in (eager, ours):
        run.advance(12)
    assert ours.execution == {"backend": "graphed"}
    for name, state in eager.streams.state_dict().items():
        assert torch.equal(ours.streams.state_dict()[name], state), name
    torch.testing.assert_close(ours.loss_log, eager.loss_log, rtol=1e-3, atol=1e-4)


def test_a_checkpoint_goes_on_as_if_nothing_had_happened():
    whole, half, rest = (trial(in_double(), tricks=TRICKS) for _ in range(3))
    whole.advance(20)
    half.advance(9)
    half.sample(8)
    load(rest, dump(half))
    rest.advance(11)
    assert rest.execution == {"backend": "graphed"}
    for name, value in weights(whole).items():
        torch.testing.assert_close(value, weights(rest)[name], rtol=1e-6, atol=1e-9)


def test_two_trials_replay_in_turns_and_neither_touches_the_other():
    alone, one, other = (trial(in_double(), tricks=TRICKS) for _ in range(3))
    alone.advance(20)
    for _ in range(4):
        one.advance(5)
        other.advance(5)
    for run in (one, other):
        for name, value in weights(alone).items():
            torch.testing.assert_close(value, weights(run)[name], rtol=1e-6, atol=1e-9)


def test_a_loop_of_replays_never_waits_for_the_device():
    running = trial(tricks=TRICKS)
    running.advance(5)
    assert running.execution == {"backend": "graphed"}
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        with running.in_training():
            for step in range(5, 15):
                for turn in running.turns(step):
                    running.keep(turn, running.take(turn))
    finally:
        torch.cuda.set_sync_debug_mode(before)


def test_bfloat16_is_recorded():
    running = trial(execution=Execution(backend="graphed", amp="bf16"))
    running.advance(10)
    assert running.execution == {"backend": "graphed"}
    assert running.diverged_at is None


class Looks(CudaRecorder):
    """Records a function that looks at a value when it is recorded, as no scan has foreseen."""

    def record(self, function, device):
        def looking():
            result = function()
            if torch.cuda.is_current_stream_capturing():
                result.sum().item()
            return result

        return super().record(looking, device)


def test_a_recording_that_fails_leaves_a_device_that_works():
    drops = make("drops", transform_images=lambda self, x, is_real, buf: functional.dropout(x))
    eager = trial(drops, backend="eager")
    failing = trial(drops, backend="eager")
    failing.capture_with(Graphed(Looks()))
    for run in (eager, failing):
        run.advance(6)
    assert failing.execution["backend"] == "eager"
    assert failing.execution["reason"].startswith("the recording failed: ")
    torch.testing.assert_close(failing.loss_log, eager.loss_log, rtol=1e-3, atol=1e-4)
    assert torch.cuda.current_stream() == torch.cuda.default_stream()
    # The common stream draws, memory is taken and given back, and the next recording succeeds.
    assert torch.rand(8, device=CUDA).isfinite().all()
    torch.empty(2**24, device=CUDA).fill_(1)
    torch.cuda.empty_cache()
    after = trial(drops)
    after.advance(6)
    assert after.execution == {"backend": "graphed"}


def test_a_recording_reads_the_tensors_of_its_own_trial():
    running = trial()
    running.advance(5)
    before = {name: value.clone() for name, value in weights(running).items()}
    running.advance(1)
    changed = differing(before, weights(running))
    assert [name for name in changed if ".generator." in name]
    assert [name for name in changed if ".discriminator." in name]
