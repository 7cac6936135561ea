"""Trials trained at once: each has the numbers, draws and states that it has alone."""

import pytest
import torch
from surface_trials import CPU, make
from test_compiled import in_double, more_updates_later
from torch.nn import functional

from ganbench.config.model import Execution, Latent, Optimizer, Optimizers
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
        for seeds in ((7, 8, 9), (7,), (2, 4, 5, 7))
    ]
    for runs in groups:
        train(runs, 6)
    of_seven = [groups[0][0], groups[1][0], groups[2][3]]
    for other in of_seven[1:]:
        assert differing(weights(of_seven[0]), weights(other)) == []
        assert torch.equal(of_seven[0].loss_log, other.loss_log)


def test_a_row_is_its_seeds_since_rounding_depends_on_where_an_element_lies():
    # Of 63 elements most are computed many at a time, and the last ones by another exponential.
    bent = make("bent", transform_latent=lambda self, z, buf: functional.mish(z))
    settings = {"batch_size": 7, "latent": Latent(dimension=3), "execution": Execution(together=3)}
    groups = [trials(bent, seeds=seeds, **settings) for seeds in ((7, 8, 9), (9, 5, 7))]
    for runs in groups:
        train(runs, 6, rows=3)
    ours, other = groups[0][0], groups[1][2]
    assert ours.execution == {"backend": "eager, 3 trials at once"}
    assert differing(weights(ours), weights(other)) == []
    with pytest.raises(ValueError, match="seeds 7, 10: two of them have one of 3 rows"):
        Together(trials(bent, seeds=(7, 10), **settings), 3)


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


def test_what_a_step_raises_ends_its_own_trial_and_no_other():
    class Raising(make("raising")):
        doomed, now = None, 0

        def before_step(self, step, buf):
            Raising.now = step

        def transform_images(self, x, is_real, buf):
            if self is Raising.doomed and Raising.now > 0:
                raise ValueError("no more")
            return x

    ours, others = trials(Raising), trials(Raising)
    Raising.doomed = ours[1].tricks[0]
    group = Together(ours, 4)
    group.advance(ours, 5)
    assert list(group.failures) == [ours[1]]
    assert "raising.transform_images raised ValueError: no more" in str(group.failures[ours[1]])
    train(others, 5)
    for run, other in zip(ours[::2], others[::2], strict=True):
        assert run.execution == TAKEN
        assert differing(weights(run), weights(other)) == []


def test_an_error_of_the_joint_step_is_told_of_each_trial(monkeypatch):
    from ganbench.training.rows import Stack

    ours = trials()
    group = train(ours, 3)

    def fails(self, turns):
        raise RuntimeError("no memory left")

    monkeypatch.setattr(Stack, "__call__", fails)
    group.advance(ours, 2)
    assert {str(error) for error in group.failures.values()} == {"no memory left"}
    assert list(group.failures) == ours


def test_one_whose_check_fails_goes_on_alone_and_the_others_together(monkeypatch):
    from ganbench.training.capture import CaptureError
    from ganbench.training.captured import CapturedSteps

    ours, others, solo = trials(), trials(), alone(seeds=(8,))[0]
    compare = CapturedSteps.compare

    def harsh(self, found, eager):
        if self is ours[1].captured[0]:
            raise CaptureError("too far")
        compare(self, found, eager)

    monkeypatch.setattr(CapturedSteps, "compare", harsh)
    group = train(ours, 5)
    train(others, 9)
    solo.advance(9)
    assert ours[1].execution == {"backend": "eager", "reason": "too far"}
    resumed = trials(seeds=(8,))
    load(resumed[0], dump(ours[1]))
    for runs in (ours, resumed):
        (group if runs is ours else Together(runs, 4)).advance(runs, 4)
    for run in (ours[1], resumed[0]):
        assert differing(weights(run), weights(solo)) == []
    for place in (0, 2):
        assert ours[place].execution == TAKEN
        assert differing(weights(ours[place]), weights(others[place])) == []


def kept_outside(trick):
    trick.outside = [torch.ones(4)]
    return {"first": trick.outside[0][:1]}


def two_views(trick):
    table = torch.ones(4)
    trick.outside = [table]
    return {"table": table, "first": table[:1]}


@pytest.mark.parametrize("held", [kept_outside, two_views])
def test_a_view_of_what_is_scheduled_elsewhere_is_not_cut_off(held):
    def before_step(self, step, buf):
        self.outside[0].fill_(1.0 + step)

    viewing = make(
        "viewing",
        make_buffers=lambda self, ctx: held(self),
        before_step=before_step,
        transform_images=lambda self, x, is_real, buf: x * buf["first"],
    )
    ours = trials(viewing)
    train(ours, 6)
    assert "holds a view of another tensor" in ours[0].execution["reason"]
    for run, solo in zip(ours, alone(viewing), strict=True):
        solo.advance(6)
        assert torch.equal(run.loss_log, solo.loss_log)


def test_draws_that_are_indices_are_indices_when_the_rows_are_put_together():
    ours = trials(tricks={"experience_replay": {}})
    train(ours, 5)
    assert ours[0].execution == TAKEN


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
    monkeypatch.setattr(compiled, "cpp_compiler", lambda: "none is called")
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


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "rmsprop"])
def test_updates_of_each_optimizer_are_those_of_each_alone(optimizer):
    settings = Optimizer(name=optimizer, lr=1e-3, momentum=0.9)
    given = {"optimizers": Optimizers(generator=settings, discriminator=settings)}
    ours = trials(in_double(), seeds=(7, 8), **given)
    train(ours, 8)
    for run, solo in zip(ours, alone(in_double(), seeds=(7, 8), **given), strict=True):
        solo.advance(8)
        assert run.execution == TAKEN
        trained = weights(run)
        for name, value in weights(solo).items():
            torch.testing.assert_close(trained[name], value, rtol=1e-11, atol=1e-11)
