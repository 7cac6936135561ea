"""What only a GPU shows of trials trained at once: that their stacks are recorded and replayed."""

from contextlib import ExitStack

import pytest
import torch
from surface_trials import in_double, make
from torch.nn import functional

from ganbench.config.model import Execution, Optimizer, Optimizers
from ganbench.plugin import Host
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import Together, Trial, dump, load

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
]
DEVICE = torch.device("cuda")
ROWS = 4
TAKEN = {"backend": f"graphed, {ROWS} trials at once"}


def trials(*classes, seeds=(7, 8, 9), tricks=None, together=ROWS, architecture="mlp", **changes):
    backend = "graphed" if together > 1 else "eager"
    execution = Execution(backend=backend, together=together, tf32=False)
    changes = {"execution": execution, **changes}
    settings = {**(tricks or {}), **{cls.name: {} for cls in classes}}
    config = tiny_config(settings, architecture, steps=40).model_copy(update=changes)
    host = Host(classes=list(classes))
    return [Trial(config, seed, tiny_data(), host, DEVICE) for seed in seeds]


def alone(*classes, **settings):
    return trials(*classes, together=1, **settings)


def train(runs, steps):
    group = Together(runs, ROWS)
    group.advance(runs, steps)
    assert group.failures == {}
    return group


def expect_alike(ours, expected, tolerance=1e-9):
    trained = weights(ours)
    for name, value in weights(expected).items():
        torch.testing.assert_close(trained[name], value, rtol=tolerance, atol=tolerance)
    for name, state in expected.streams.state_dict().items():
        assert torch.equal(ours.streams.state_dict()[name], state), f"other draws of {name}"


# Not DCGAN by Adam: its biases before a BatchNorm have no gradient but rounding.
@pytest.mark.parametrize(
    ("architecture", "optimizer"),
    [("mlp", "adam"), ("mlp", "rmsprop"), ("dcgan-transpose", "sgd"), ("dcgan-upsample", "sgd")],
)
def test_in_float64_recorded_stacks_take_the_eager_steps_of_each_alone(architecture, optimizer):
    settings = Optimizer(name=optimizer, lr=1e-3, momentum=0.9)
    given = {
        "architecture": architecture,
        "optimizers": Optimizers(generator=settings, discriminator=settings),
    }
    ours = trials(in_double(), **given)
    train(ours, 20)
    for run, solo in zip(ours, alone(in_double(), **given), strict=True):
        solo.advance(20)
        assert run.execution == TAKEN
        expect_alike(run, solo)
        torch.testing.assert_close(run.loss_log, solo.loss_log, rtol=1e-5, atol=1e-6)


def test_bfloat16_with_batch_norm_is_recorded_for_all():
    execution = Execution(backend="graphed", together=ROWS, amp="bf16", tf32=False)
    settings = {"architecture": "dcgan-transpose", "execution": execution}
    groups = [trials(seeds=seeds, **settings) for seeds in ((7, 8, 9), (7,))]
    for runs in groups:
        train(runs, 12)
        assert [run.execution for run in runs] == [TAKEN] * len(runs)
    assert differing(weights(groups[0][0]), weights(groups[1][0])) == []


def test_draws_buffers_and_averages_are_each_trials_own():
    # Draws of layers, of tricks, and indices among them; a schedule; an average of the weights.
    drops = make("drops", transform_latent=lambda self, z, buf: functional.dropout(z))
    tricks = {"instance_noise": {"start": 0.3}, "ema": {}, "experience_replay": {}}
    ours = trials(in_double(), drops, tricks=tricks)
    train(ours, 12)
    for run, solo in zip(ours, alone(in_double(), drops, tricks=tricks), strict=True):
        solo.advance(12)
        assert run.execution == TAKEN
        expect_alike(run, solo)


def test_a_second_plan_is_a_recording_of_its_own():
    def plan_updates(self, step, updates, buf):
        return updates if step % 2 else ("discriminator", *updates)

    uneven = make("uneven", plan_updates=plan_updates)
    ours = trials(in_double(), uneven)
    train(ours, 12)
    for run, solo in zip(ours, alone(in_double(), uneven), strict=True):
        solo.advance(12)
        assert run.execution == TAKEN
        assert torch.equal(run.update_log, solo.update_log)
        expect_alike(run, solo)


def test_they_go_on_from_checkpoints():
    tricks = {"batch_norm": {"placement": "generator"}, "instance_noise": {"start": 0.3}}
    whole, first, rest = (trials(in_double(), tricks=tricks) for _ in range(3))
    train(whole, 14)
    train(first, 6)
    for run, resumed in zip(first, rest, strict=True):
        run.sample(8)
        load(resumed, dump(run))
    train(rest, 8)
    for run, resumed in zip(whole, rest, strict=True):
        assert resumed.execution == TAKEN
        expect_alike(resumed, run)


def test_who_else_is_there_makes_no_difference_to_a_bit():
    groups = [trials(seeds=seeds) for seeds in ((7, 8, 9), (7,), (2, 4, 5, 7))]
    for runs in groups:
        train(runs, 10)
    of_seven = [groups[0][0], groups[1][0], groups[2][3]]
    for other in of_seven[1:]:
        assert other.execution == TAKEN
        assert differing(weights(of_seven[0]), weights(other)) == []


def test_one_that_fails_and_one_that_diverges_leave_the_others_alone():
    class Ending(make("ending")):
        failing = diverging = None

        def make_buffers(self, ctx):
            return {"factor": torch.ones((), dtype=torch.float64)}

        def before_step(self, step, buf):
            if step == 6 and self is Ending.failing:
                raise ValueError("no more")
            buf["factor"].fill_(float("nan") if step > 5 and self is Ending.diverging else 1.0)

        def transform_images(self, x, is_real, buf):
            return x * buf["factor"]

    ours, others = trials(in_double(), Ending), trials(in_double(), Ending)
    Ending.failing, Ending.diverging = (
        next(trick for trick in run.tricks if trick.name == "ending") for run in ours[:2]
    )
    group = Together(ours, ROWS)
    group.advance(ours, 10)
    assert list(group.failures) == [ours[0]]
    assert ours[1].diverged_at == 7
    group.advance(ours[2:], 5)
    train(others, 15)
    assert ours[2].execution == TAKEN
    expect_alike(ours[2], others[2])


def test_sampling_between_steps_moves_nothing():
    tricks = {"batch_norm": {"placement": "both"}, "ema": {}}
    ours, others = trials(in_double(), tricks=tricks), trials(in_double(), tricks=tricks)
    group = train(ours, 5)
    for run in ours:
        run.sample(8)
        run.extra_figures()
    group.advance(ours, 5)
    train(others, 10)
    for run, other in zip(ours, others, strict=True):
        expect_alike(run, other)


def test_a_loop_of_joint_steps_never_waits_for_the_device():
    ours = trials(tricks={"instance_noise": {"start": 0.3}})
    group = train(ours, 5)
    assert ours[0].execution == TAKEN
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        with ExitStack() as contexts:
            for run in ours:
                contexts.enter_context(run.in_training())
            for step in range(5, 15):
                group._step(step, ours)
    finally:
        torch.cuda.set_sync_debug_mode(before)
    assert group.failures == {}
