"""Trials trained at once: each has the numbers, draws and states that it has alone."""

import pytest
import torch
from surface_trials import CPU, make
from test_compiled import in_double, more_updates_later

from ganbench.config.model import Execution
from ganbench.plugin import Host
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import Together, Trial, dump, load

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
FOUR = Execution(together=4)
TAKEN = {"backend": "eager, 4 trials at once"}


def trials(*classes, seeds=(7, 8, 9), tricks=None, execution=FOUR, architecture="mlp", **changes):
    settings = {**(tricks or {}), **{cls.name: {} for cls in classes}}
    config = tiny_config(settings, architecture, steps=30)
    config = config.model_copy(update={"execution": execution, **changes})
    host = Host(classes=list(classes))
    return [Trial(config, seed, tiny_data(), host, CPU) for seed in seeds]


def train(runs, steps, rows=4):
    group = Together(runs, rows)
    group.advance(runs, steps)
    assert group.failures == {}
    return group


def alone(*classes, **settings):
    return trials(*classes, execution=Execution(), **settings)


@pytest.mark.parametrize(
    ("architecture", "steps"), [("mlp", 30), ("dcgan-transpose", 30), ("lapgan", 4)]
)
def test_in_float64_steps_are_those_of_each_alone(architecture, steps):
    tricks = {"instance_noise": {"start": 0.2}, "ema": {}, "label_smoothing": {}}
    ours = trials(in_double(), tricks=tricks, architecture=architecture)
    train(ours, steps)
    for run, solo in zip(
        ours, alone(in_double(), tricks=tricks, architecture=architecture), strict=True
    ):
        solo.advance(steps)
        assert run.execution == TAKEN
        assert torch.equal(run.update_log, solo.update_log)
        torch.testing.assert_close(run.loss_log, solo.loss_log, rtol=1e-12, atol=1e-12)
        trained = weights(run)
        for name, value in weights(solo).items():
            # Biases before a BatchNorm have a gradient of rounding alone, and means follow them.
            torch.testing.assert_close(trained[name], value, rtol=1e-9, atol=1e-9)


def test_they_go_on_from_checkpoints_bit_for_bit():
    tricks = {"instance_noise": {"start": 0.2}, "ema": {}}
    whole, first, rest = (trials(tricks=tricks, architecture="dcgan-transpose") for _ in range(3))
    train(whole, 9)
    train(first, 4)
    content = [dump(run) for run in first]
    (solo,) = alone(tricks=tricks, architecture="dcgan-transpose", seeds=(7,))
    solo.advance(4)
    assert len(content[0]) < 1.1 * len(dump(solo))  # none of the others' rows
    for run, state in zip(rest, content, strict=True):
        load(run, state)
    train(rest, 5)
    for one, other in zip(whole, rest, strict=True):
        assert one.execution == other.execution == TAKEN
        assert differing(weights(one), weights(other)) == []
        assert torch.equal(one.loss_log, other.loss_log)


@pytest.mark.parametrize("architecture", ["mlp", "dcgan-upsample"])
def test_who_else_is_there_makes_no_difference_to_a_bit(architecture):
    tricks = {"label_smoothing": {}, "feature_matching": {}}
    groups = [
        trials(seeds=seeds, tricks=tricks, architecture=architecture)
        for seeds in ((7, 8, 9), (7,), (2, 3, 4, 7))
    ]
    for runs in groups:
        train(runs, 6)
    of_seven = [groups[0][0], groups[1][0], groups[2][3]]
    for other in of_seven[1:]:
        assert differing(weights(of_seven[0]), weights(other)) == []
        assert torch.equal(of_seven[0].loss_log, other.loss_log)


def test_each_trial_has_a_share_of_the_time():
    runs = trials()
    train(runs, 4)
    seconds = [run.seconds for run in runs]
    assert seconds[0] > 0
    assert seconds == [seconds[0]] * 3


def test_plans_of_updates_that_change_are_stacked_each():
    ours = trials(more_updates_later())
    train(ours, 8)
    assert ours[0].execution == TAKEN
    for run, solo in zip(ours, alone(more_updates_later()), strict=True):
        solo.advance(8)
        assert torch.equal(run.update_log, solo.update_log)
        torch.testing.assert_close(run.loss_log, solo.loss_log, rtol=1e-4, atol=1e-5)


def test_one_that_fails_leaves_the_others_alone():
    class Failing(make("failing")):
        failing = None

        def before_step(self, step, buf):
            if step == 4 and self is Failing.failing:
                raise ValueError("no more")

    ours = trials(Failing)
    Failing.failing = ours[1].tricks[0]
    group = Together(ours, 4)
    group.advance(ours, 6)
    (failed,) = group.failures
    assert failed is ours[1]
    assert "failing" in str(group.failures[failed])
    assert "no more" in str(group.failures[failed])
    rest = [ours[0], ours[2]]
    group.advance(rest, 3)
    assert group.failures == {}
    undisturbed = trials(Failing)
    train(undisturbed, 9)
    for run, other in zip(rest, undisturbed[::2], strict=True):
        assert run.step == 9
        assert differing(weights(run), weights(other)) == []


def test_one_that_diverges_leaves_the_others_alone():
    class Exploding(make("exploding")):
        doomed = None

        def make_buffers(self, ctx):
            return {"factor": torch.ones(())}

        def before_step(self, step, buf):
            buf["factor"].fill_(float("nan") if step >= 3 and self is Exploding.doomed else 1.0)

        def transform_images(self, x, is_real, buf):
            return x * buf["factor"]

    ours, others = trials(Exploding), trials(Exploding)
    Exploding.doomed = ours[0].tricks[0]
    group = Together(ours, 4)
    group.advance(ours, 6)
    assert ours[0].diverged_at == 4
    group.advance(ours[1:], 3)
    train(others, 9)
    for run, other in zip(ours[1:], others[1:], strict=True):
        assert run.diverged_at is None
        assert differing(weights(run), weights(other)) == []


def test_what_cannot_be_captured_is_taken_by_each_alone_with_the_reason():
    class Counting(make("counting")):
        capturable = False

    ours = trials(Counting)
    train(ours, 5)
    assert ours[0].execution == {
        "backend": "eager",
        "reason": "counting says that it cannot be captured",
    }
    for run, solo in zip(ours, alone(Counting), strict=True):
        solo.advance(5)
        assert differing(weights(run), weights(solo)) == []


def test_a_step_that_the_rows_get_wrong_is_not_used(monkeypatch):
    from ganbench.training import rows

    def wrong(graph, arguments, is_stacked):
        made = stacked(graph, arguments, is_stacked)
        return lambda *given: [loss + 0.1 for loss in made(*given)]

    stacked = rows.stacked
    monkeypatch.setattr(rows, "stacked", wrong)
    monkeypatch.setattr(rows, "_graphs", {})
    ours = trials()
    train(ours, 5)
    assert "from the eager ones" in ours[0].execution["reason"]
    for run, solo in zip(ours, alone(), strict=True):
        solo.advance(5)
        assert differing(weights(run), weights(solo)) == []


def test_compiled_stacks_are_the_back_ends(monkeypatch):
    from ganbench.training import compiled

    given = []
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, args: given.append(args) or graph)
    monkeypatch.setattr(compiled, "_functions", {})
    ours = trials(execution=Execution(backend="compiled", together=4))
    train(ours, 5)
    assert ours[0].execution == {"backend": "compiled, 4 trials at once"}
    assert len(given) == 1
    assert {len(argument) for argument in given[0]} == {4}


def test_alone_they_take_the_steps_of_a_trial_that_is_always_alone():
    ours = trials()
    train(ours, 5, rows=1)
    for run, solo in zip(ours, alone(), strict=True):
        solo.advance(5)
        assert run.execution == {"backend": "eager"}
        assert differing(weights(run), weights(solo)) == []
