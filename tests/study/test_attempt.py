import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganbench.config.model import (
    Component,
    Evaluation,
    Latent,
    Optimizers,
    TrialConfig,
)
from ganbench.config.model import Execution as ExecutionSettings
from ganbench.evaluation.collapse import Finding, Measurement
from ganbench.plugin import Data, Host, Trick, TrickParameters
from ganbench.study import attempt as attempt_module
from ganbench.study.attempt import Checkpoint, Measured, attempt, evaluation_steps
from ganbench.study.files import open_files
from ganbench.training import Trial

CPU = torch.device("cpu")
SETTINGS = Evaluation(samples=16, every=4, batch_size=8)


class Explode(Trick):
    """Makes D's loss infinite from step 6 on (counted from 0)."""

    name = "explode"

    class Parameters(TrickParameters):
        at: int = 6

    neutral = Parameters(at=10**9)

    def make_buffers(self, ctx):
        return {"factor": torch.zeros(())}

    def before_step(self, step, buf):
        buf["factor"].fill_(float("inf") if step >= self.parameters.at else 0.0)

    def discriminator_penalty(self, step, buf):
        return buf["factor"]


class Ruler:
    """Measures the mean of the samples, which any change of a weight changes."""

    def measure(self, samples, final=False, discriminator=None):
        mean = samples.double().mean().item()
        return Measurement({"fid": mean, "undefined": float("nan")}, (int(mean), 3))

    def judge(self, history):
        return Finding("healthy", ("near copies",) * len(history))


class Listener:
    def __init__(self, stop_after=None):
        self.left = stop_after

    def training(self, trial, steps_per_second):
        if self.left is not None:
            self.left -= 1
        return self.left is None or self.left > 0

    def evaluating(self, trial):
        pass

    def evaluated(self, point):
        pass


@pytest.fixture(autouse=True)
def one_step_a_slice(monkeypatch):
    monkeypatch.setattr(attempt_module, "SLICE_SECONDS", 0.0)


@pytest.fixture(scope="module")
def host():
    return Host(classes=[Explode])


@pytest.fixture(scope="module")
def data():
    items = torch.randint(256, (40, 1, 8, 8), generator=torch.Generator().manual_seed(1))
    return Data("noise", items.to(torch.uint8))


@pytest.fixture
def build(host, data):
    def build(tricks=None):
        config = TrialConfig(
            dataset=Component(name="digits"),
            architecture=Component(name="mlp", parameters={"hidden": 8}),
            objective=Component(name="non-saturating"),
            latent=Latent(dimension=4),
            optimizers=Optimizers(),
            batch_size=8,
            steps=10,
            tricks=tricks or {},
            execution=ExecutionSettings(),
            evaluation=SETTINGS,
        )
        return Trial(config, 0, data, host, CPU)

    return build


def kept_in(folder, warnings=None, fingerprint="f"):
    warn = (warnings if warnings is not None else []).append
    return Checkpoint(folder / "trial.pt", open_files(folder, folder), fingerprint, warn)


def train(build, kept, listener=None):
    trial, measured = kept.restore(build)
    attempted = attempt(trial, measured, Ruler(), SETTINGS, kept, listener or Listener())
    seconds = None
    while True:
        try:
            trial, steps = attempted.send(seconds)
        except StopIteration as end:
            return end.value
        trial.advance(steps)
        seconds = 0.01


def untimed(ending):
    points = tuple(replace(point, seconds=0.0) for point in ending.evaluations)
    return replace(ending, evaluations=points, training_seconds=0.0, evaluation_seconds=0.0)


def test_evaluations_fall_on_every_nth_step_and_the_last():
    assert evaluation_steps(10, 4) == [4, 8, 10]
    assert evaluation_steps(8, 4) == [4, 8]
    assert evaluation_steps(3, 4) == [3]


def test_only_the_last_evaluation_is_told_that_it_is_and_each_can_look_at_d(
    build, tmp_path, monkeypatch
):
    told = []

    def measure(self, samples, final=False, discriminator=None):
        told.append((final, discriminator().pair))
        return Measurement({"fid": 1.0})

    monkeypatch.setattr(Ruler, "measure", measure)
    train(build, kept_in(tmp_path))
    assert told == [(False, "main"), (False, "main"), (True, "main")]


def test_a_trial_stopped_at_every_turn_ends_as_one_never_stopped(build, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(attempt_module, "SLICE_SECONDS", 1000.0)
        whole = train(build, kept_in(tmp_path / "whole"))
    assert [point.step for point in whole.evaluations] == [4, 8, 10]
    # Each evaluation is judged with those before it.
    assert [len(point.signs) for point in whole.evaluations] == [1, 2, 3]
    assert all(point.histogram[1] == 3 for point in whole.evaluations)
    assert all(set(point.watched) == {"accuracy", "gradient"} for point in whole.evaluations)
    assert whole.value == whole.evaluations[-1].figures["fid"]
    kept = kept_in(tmp_path / "parts")
    turns, ending = 0, None
    while ending is None:
        ending = train(build, kept, Listener(stop_after=1))
        turns += 1
    assert turns == 11
    assert untimed(ending) == untimed(whole)


@pytest.mark.parametrize("failures", [1, 1000])
def test_a_disk_that_stumbles_is_asked_again_and_no_checkpoint_is_deleted(
    build, tmp_path, monkeypatch, failures
):
    warnings = []
    kept = kept_in(tmp_path, warnings)
    assert train(build, kept, Listener(stop_after=3)) is None
    (file,) = tmp_path.glob("*.pt")
    left, read = [failures], Path.read_bytes

    def stumble(path):
        left[0] -= 1
        if left[0] >= 0:
            raise OSError(errno.ESTALE, "Stale file handle")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", stumble)
    monkeypatch.setattr(attempt_module, "READ_SECONDS", 0.0)
    trial, _ = kept.restore(build)
    assert file.exists()
    assert bool(trial.step) == (failures == 1)
    assert len(warnings) == (failures > 1)


def test_warnings_are_recorded_with_the_evaluation_at_which_they_stand(
    build, tmp_path, monkeypatch
):
    looks = iter([0.5, 1.0, 1.0])
    monkeypatch.setattr(attempt_module, "watch", lambda trial: {"accuracy": next(looks)})
    ending = train(build, kept_in(tmp_path))
    assert [point.warnings for point in ending.evaluations] == [(), (), ("D always right",)]


def test_figures_that_are_not_finite_are_left_out(build, tmp_path):
    ending = train(build, kept_in(tmp_path))
    assert all(set(point.figures) == {"fid"} for point in ending.evaluations)


def test_losses_that_are_not_finite_end_the_trial_as_diverged(build, tmp_path):
    ending = train(lambda: build({"explode": {"at": 6}}), kept_in(tmp_path))
    assert (ending.outcome, ending.steps, ending.value) == ("diverged", 7, float("inf"))
    assert [point.step for point in ending.evaluations] == [4]
    assert "step 7" in ending.error


def test_samples_that_are_not_finite_end_the_trial_as_diverged(build, tmp_path):
    def build_spoilt():
        trial = build()
        for parameter in trial.pairs[0].pair.generator.parameters():
            parameter.data.fill_(float("nan"))
        trial.advance = lambda count: setattr(trial, "step", trial.step + count)
        return trial

    ending = train(build_spoilt, kept_in(tmp_path))
    assert (ending.outcome, ending.steps, ending.evaluations) == ("diverged", 4, ())
    assert "step 4" in ending.error


def full(file):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_costs_the_checkpoint_and_not_the_trial(build, tmp_path, monkeypatch):
    whole = train(build, kept_in(tmp_path / "whole"))
    warnings = []
    monkeypatch.setattr(os, "fsync", full)
    ending = train(build, kept_in(tmp_path / "full", warnings))
    assert untimed(ending) == untimed(whole)
    assert "No space left" in warnings[0]


def test_a_previous_checkpoint_survives_a_full_disk(build, tmp_path, monkeypatch):
    whole = train(build, kept_in(tmp_path / "whole"))
    kept = kept_in(tmp_path / "part")
    assert train(build, kept, Listener(stop_after=3)) is None

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert train(build, kept, Listener(stop_after=3)) is None
    trial, _ = kept.restore(build)
    assert trial.step > 0
    assert [path.name for path in (tmp_path / "part").iterdir()] == ["trial.pt"]
    assert untimed(train(build, kept)) == untimed(whole)


def test_a_checkpoint_that_cannot_be_read_starts_the_trial_over(build, tmp_path):
    whole = train(build, kept_in(tmp_path / "whole"))
    (tmp_path / "trial.pt").write_bytes(b"PK\x03\x04 cut short")
    warnings = []
    assert untimed(train(build, kept_in(tmp_path, warnings))) == untimed(whole)
    assert "starts over" in warnings[0]


def test_a_checkpoint_made_with_other_data_is_not_used(build, tmp_path):
    assert train(build, kept_in(tmp_path, fingerprint="old"), Listener(stop_after=3)) is None
    trial, measured = kept_in(tmp_path, fingerprint="new").restore(build)
    assert trial.step == 0
    assert measured == Measured([])


class Averaged(Trick):
    """Samples from a generator of another kind, and reports a figure."""

    name = "averaged"
    neutral = TrickParameters()

    def sampling_generator(self, ctx, buf):
        class Grey(torch.nn.Module):
            def forward(self, z):
                return torch.zeros(len(z), 1, 8, 8)

        return Grey()

    def on_evaluate(self, ctx, buf):
        return {"share": 0.25, "undefined": float("inf")}


def test_where_other_weights_are_scored_the_trained_ones_are_measured_beside_them(
    data, build, tmp_path
):
    host = Host(classes=[Averaged])
    config = build().config

    def averaged():
        tricks = config.model_copy(update={"tricks": {"averaged": {}}})
        return Trial(tricks, 0, data, host, CPU)

    plain = train(build, kept_in(tmp_path / "plain"))
    ending = train(averaged, kept_in(tmp_path / "averaged"))
    for mine, theirs in zip(ending.evaluations, plain.evaluations, strict=True):
        assert set(theirs.figures) == {"fid"}
        # Grey is 0 in [-1, 1], and round(127.5) is 128.
        assert mine.figures == {
            "fid": 128.0,
            "trained.fid": theirs.figures["fid"],
            "averaged.share": 0.25,
        }
    assert ending.details["weights"] == "averaged"
    assert plain.details["weights"] == "trained"
