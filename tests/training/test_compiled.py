"""Compiled steps: the eager ones' numbers, draws and states, or an eager step and the reason."""

import re
import shutil

import pytest
import torch
from surface_trials import CPU, in_double, make

from ganbench.config.model import Execution, Optimizer, Optimizers
from ganbench.plugin import Host
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import Trial, compiled, dump, load, traced

needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("c++", "g++", "clang++")), reason="no C++ compiler"
)
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
COMPILED = Execution(backend="compiled")
ADAM = Optimizers()
# Where a compiler runs in earnest: it takes seconds for each kernel, and Adam has most of them.
SGD = Optimizers(generator=Optimizer(name="sgd"), discriminator=Optimizer(name="sgd"))
SHALLOW = {"hidden": 16, "layers": 1}


def trial(*classes, tricks=None, execution=COMPILED, architecture="mlp", sizes=None, **changes):
    """Return a trial of 30 steps with tricks: the built-in ones of ``tricks``, and classes."""
    settings = {**(tricks or {}), **{cls.name: {} for cls in classes}}
    config = tiny_config(settings, architecture, sizes or {}, steps=30)
    config = config.model_copy(update={"execution": execution, **changes})
    return Trial(config, 7, tiny_data(), Host(classes=list(classes)), CPU)


@pytest.fixture
def uncompiled(monkeypatch):
    """Run captured graphs as they are: what is tested is the capture, in a tenth of the time."""
    monkeypatch.setattr(torch._inductor, "compile", lambda graph, arguments: graph)
    monkeypatch.setattr(compiled, "_functions", {})
    monkeypatch.setattr(compiled, "cpp_compiler", lambda: "none is called")


@needs_compiler
@quiet
@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "sizes", "optimizers"),
    [("mlp", SHALLOW, ADAM), ("dcgan-transpose", {}, SGD)],
    ids=["mlp by Adam", "dcgan-transpose by SGD"],
)
def test_in_float64_thirty_steps_are_the_eager_ones(architecture, sizes, optimizers):
    settings = {"architecture": architecture, "sizes": sizes, "optimizers": optimizers}
    runs = [
        trial(in_double(), execution=Execution(backend=backend), **settings)
        for backend in ("eager", "compiled")
    ]
    for run in runs:
        run.advance(30)
    eager, ours = runs
    assert ours.execution == {"backend": "compiled"}
    trained = weights(ours)
    for name, value in weights(eager).items():
        torch.testing.assert_close(trained[name], value, rtol=1e-12, atol=1e-12)


@quiet
def test_a_resumed_compiled_trial_equals_an_uninterrupted_one_bit_for_bit(uncompiled):
    tricks = {"instance_noise": {"start": 0.2}, "ema": {}}
    whole, first, rest = (trial(tricks=tricks) for _ in range(3))
    whole.advance(9)
    first.advance(4)
    load(rest, dump(first))
    rest.advance(5)
    assert whole.execution == rest.execution == {"backend": "compiled"}
    assert differing(weights(whole), weights(rest)) == []
    assert torch.equal(whole.loss_log[:9], rest.loss_log[:9])
    assert rest.preparing_seconds > first.preparing_seconds > 0, "of both sessions"


def more_updates_later():
    def plan_updates(self, step, updates, buf):
        return updates if step < 3 else ("discriminator", *updates)

    return make("later", plan_updates=plan_updates)


@quiet
def test_capturing_and_checking_disturb_nothing(uncompiled):
    tricks = {"instance_noise": {"start": 0.2}, "experience_replay": {}}
    eager, ours, again = (
        trial(more_updates_later(), tricks=tricks, execution=Execution(backend=backend))
        for backend in ("eager", "compiled", "compiled")
    )
    for run in (eager, ours, again):
        run.advance(8)
    assert ours.execution == {"backend": "compiled"}
    assert torch.equal(ours.update_log, eager.update_log)
    for name, state in eager.streams.state_dict().items():
        assert torch.equal(ours.streams.state_dict()[name], state), name
    torch.testing.assert_close(ours.loss_log, eager.loss_log, rtol=1e-4, atol=1e-5)
    # The third finds the graphs compiled, and takes the same steps.
    assert differing(weights(ours), weights(again)) == []


@needs_compiler
@quiet
@pytest.mark.slow
def test_a_graph_serves_only_trials_that_it_fits(monkeypatch):
    # With a real compiler: what it takes for granted of its arguments is not in the graph's text.
    monkeypatch.setattr(compiled, "_functions", {})

    def drawing(dtype):
        def transform_images(self, x, is_real, buf):
            steps = torch.randint(0, 3, (len(x), 1, 1, 1), generator=buf.generator, dtype=dtype)
            return x * (1 - 0.1 * steps)

        return make("draws", transform_images=transform_images)

    for cls in (drawing(torch.int64), drawing(torch.int32)):
        for seed in (1, 2):
            config = trial(cls, sizes=SHALLOW, optimizers=SGD).config
            runs = [
                Trial(
                    config.model_copy(update={"execution": Execution(backend=backend)}),
                    *(seed, tiny_data(), Host(classes=[cls]), CPU),
                )
                for backend in ("eager", "compiled")
            ]
            for run in runs:
                run.advance(4)
            eager, ours = runs
            assert ours.execution == {"backend": "compiled"}
            torch.testing.assert_close(ours.loss_log, eager.loss_log, rtol=1e-4, atol=1e-5)
    assert len(compiled._functions) == 2
    rest = Trial(ours.config, 2, tiny_data(), Host(classes=[cls]), CPU)
    load(rest, dump(ours))
    for run in (ours, rest):
        run.advance(4)
    assert rest.execution == {"backend": "compiled"}
    assert differing(weights(ours), weights(rest)) == []
    assert len(compiled._functions) == 2


@quiet
def test_one_compilation_serves_all_seeds_of_an_arm(monkeypatch):
    compilations = []

    def count(graph, arguments):
        compilations.append(graph)
        return graph

    monkeypatch.setattr(torch._inductor, "compile", count)
    monkeypatch.setattr(compiled, "cpp_compiler", lambda: "none is called")
    monkeypatch.setattr(compiled, "_functions", {})
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


def leaves_torch(self, x, is_real, buf):
    return x * float(1 + x.detach().numpy().mean())


def counts(self, x, is_real, buf):
    self.calls = getattr(self, "calls", 0) + 1
    return x * (1 + 0.1 * self.calls)


def counts_for_itself(self, x, is_real, buf):
    self.calls = getattr(self, "calls", 0) + 1
    return x


def draws_by_value(self, x, is_real, buf):
    return x * torch.bernoulli((x > 0).float() * 0.5, generator=buf.generator)


def fades(self, x, is_real, buf):
    return x * self.level


def fades_as_a_tensor(self, x, is_real, buf):
    return x * torch.tensor(self.level)


def fades_by_chance(self, x, is_real, buf):
    return x * torch.empty_like(x).bernoulli_(self.level, generator=buf.generator)


SEEN = torch.zeros(())


def writes_elsewhere(self, x, is_real, buf):
    SEEN.add_(x.mean())
    return x


def steps_by_mask(self, x, is_real, buf):
    big = x > 0.3
    jittered = x.clone()
    jittered[big] = x[big] + 0.1
    return jittered


def sets_a_mean_by_mask(self, x, is_real, buf):
    return torch.index_put(x, (x > 0.3,), x.mean())  # its gradient is selected by the mask


def picks_what_is_positive(self, x, is_real, buf):
    return x + x[x > 0].mean()  # as many in an input that is halved


def selects(self, x, is_real, buf):
    return x + torch.masked_select(x, x > 0.3).mean()


def asks_where(self, x, is_real, buf):
    return x * (1 + torch.where(x > 0.3)[0].float().mean())


def counts_kinds(self, x, is_real, buf):
    return x * len(torch.unique(x > 0.3))


def repeats(self, x, is_real, buf):
    return x + x.repeat_interleave(1 + (x[:, 0, 0, 0] > 0.3).long(), 0).mean()


MASKED = "a step selects with a mask, so that a shape depends on values; use torch.where"
ODD = [
    (steps_by_mask, MASKED),
    (sets_a_mean_by_mask, MASKED),
    (picks_what_is_positive, MASKED),
    (selects, MASKED),
    (asks_where, MASKED),
    (counts_kinds, "a step calls unique, so that a shape depends on values$"),
    (repeats, "a step calls repeat_interleave, so that a shape depends on values$"),
    (looks, "value"),
    (leaves_torch, ""),
    (counts, "a step changes odd's calls, which is no tensor"),
    (counts_for_itself, "a step changes odd's calls, which is no tensor"),
    (draws_by_value, "draws in a way that depends on values"),
    (fades, "the last step is another one than this"),
    (fades_as_a_tensor, "the last step is another one than this"),
    (fades_by_chance, "the last step is another one than this"),
    (writes_elsewhere, "writes to a tensor that is no declared buffer"),
]


def odd(method):
    def before_step(self, step, buf):
        self.level = 1 / (1 + step)

    return make("odd", transform_images=method, before_step=before_step)


@quiet
@pytest.mark.parametrize(("method", "reason"), ODD)
def test_what_a_graph_would_get_wrong_is_taken_eagerly_and_told(uncompiled, method, reason):
    eager, ours = trial(odd(method), execution=Execution()), trial(odd(method))
    eager.advance(4)
    ours.advance(4)
    assert ours.execution["backend"] == "eager"
    told, _, mending = ours.execution["reason"].partition("; `ganbench check`")
    assert re.search(reason, told)
    assert mending == " of its tricks says what to mend"
    assert len(ours.execution["reason"]) < 200
    assert torch.equal(eager.loss_log, ours.loss_log)


def zeroes_by_mask(self, x, is_real, buf):
    dropped = x.clone()
    dropped[x > 0.3] = 0.0
    dropped[x[:, 0, 0, 0] < 0] = torch.full((), 0.5)
    return dropped


def repeats_so_many(self, x, is_real, buf):
    return x.repeat_interleave(torch.ones(len(x), dtype=torch.long), 0, output_size=len(x))


@quiet
@pytest.mark.parametrize("method", [zeroes_by_mask, repeats_so_many])
def test_masks_and_counts_that_keep_the_shape_are_captured(uncompiled, method):
    eager, ours = trial(odd(method), execution=Execution()), trial(odd(method))
    eager.advance(4)
    ours.advance(4)
    assert ours.execution == {"backend": "compiled"}
    torch.testing.assert_close(ours.loss_log, eager.loss_log, rtol=1e-4, atol=1e-5)


@quiet
@pytest.mark.parametrize("method", [looks, draws_by_value])
def test_what_was_taken_eagerly_is_so_after_a_resume(uncompiled, method):
    whole, rest = trial(odd(method)), trial(odd(method))
    whole.advance(3)
    load(rest, dump(whole))
    whole.advance(3)
    rest.advance(3)
    assert rest.execution == whole.execution
    assert differing(weights(whole), weights(rest)) == []


@quiet
def test_a_tracer_that_refuses_blames_no_trick(uncompiled):
    # Packing changes shapes, rightly; the value is looked at by somebody else.
    running = trial(odd(looks), tricks={"packing": {"images": 2}})
    running.advance(3)
    assert running.execution["backend"] == "eager"


@quiet
def test_a_trial_that_diverges_is_captured_all_the_same(uncompiled):
    explodes = make(
        "explodes",
        discriminator_penalty=lambda self, step, buf: step.real_logits.mean() * float("inf"),
    )
    running = trial(explodes)
    running.advance(4)
    assert running.execution["backend"] == "compiled"
    assert running.diverged_at == 1


@quiet
def test_nothing_is_compiled_while_hooks_are_traced(uncompiled):
    calls = []
    with traced(calls.append):
        running = trial(make("plain", transform_images=lambda self, x, is_real, buf: x))
        running.advance(2)
    assert running.execution == {"backend": "eager"}
    assert len([call for call in calls if call.hook == "transform_images"]) == 6


@quiet
def test_a_trick_that_says_so_and_a_rate_that_decays_are_taken_eagerly(uncompiled):
    asked = trial(make("shy", capturable=False, after_optimizer_step=lambda *arguments: None))
    asked.advance(3)
    assert asked.execution["reason"] == "shy says that it cannot be captured"
    falling = Optimizer(decay=0.1)
    decaying = trial(optimizers=Optimizers(generator=falling, discriminator=falling))
    decaying.advance(3)
    assert "the learning rate of generator decays" in decaying.execution["reason"]


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
