"""What is found before any worker starts: arms that do not apply, and arms that fail."""

import pytest
import torch
from torch import nn

from ganbench.config.model import Study
from ganbench.data.load import load_data
from ganbench.plugin import Architecture, Discriminator, GanbenchError, Host
from ganbench.study.attempt import evaluation_steps
from ganbench.study.calibration import START_SECONDS, Pace, calibrate, estimate
from ganbench.study.design import expand
from ganbench.study.prepare import check_arms, prepare
from ganbench.study.records import Cell
from ganbench.study.run_plan import RunPlan, cells_of


class Wrong(Architecture):
    """Its generator takes seven numbers, whatever the latents are."""

    name = "wrong"

    def build_generator(self, spec):
        return nn.Sequential(nn.Linear(7, 2))

    def build_discriminator(self, spec):
        return Discriminator(nn.Identity(), nn.Linear(2, 1))


@pytest.fixture(scope="module")
def host():
    return Host(classes=[Wrong])


@pytest.fixture
def plan(tmp_path, host):
    def plan(**changes):
        study = Study.model_validate(
            {
                "name": "tiny",
                "question": "Does it run?",
                "dataset": {"name": "ring", "samples": 100},
                "baseline": {
                    "architecture": {"name": "mlp", "hidden": 8},
                    "latent": {"dimension": 2},
                    "batch_size": 8,
                    "steps": 4,
                },
                "seeds": [0, 1],
                "evaluation": {
                    "extractor": "coordinates", "samples": 64, "every": 4, "batch_size": 64,
                },
                **changes,
            }
        )  # fmt: skip
        return RunPlan(
            study=study,
            resolved={},
            origins={},
            arms=expand(study, host),
            host=host,
            report=tmp_path / "report",
            command="",
            quick=False,
            devices=("cpu",),
            workers=2,
            data_root=None,
            cache=tmp_path / "cache",
        )

    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield plan
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


def quiet(label, done, total):
    pass


def checked(plan):
    data = load_data("ring", plan.study.dataset.parameters, plan.host)
    return check_arms(plan.arms, 0, data, plan.host, quiet)


def test_a_level_that_the_data_do_not_allow_leaves_out_its_arm_alone(plan):
    arms = checked(plan(factors={"batch_size": [8, 4000, 16]}))
    assert [arm.skipped is None for arm in arms] == [True, False, True]
    assert "batch_size is 4000, but the data set has 100 items" in arms[1].skipped


def test_a_baseline_that_the_data_do_not_allow_is_fatal_and_says_which_key(plan):
    baseline = {"architecture": "mlp", "batch_size": 4000}
    with pytest.raises(GanbenchError, match="the baseline cannot be trained: batch_size is 4000"):
        checked(plan(baseline=baseline))


def test_calibration_names_the_arm_that_fails_and_measures_the_others(plan):
    plan = plan(
        factors={"architecture": [{"name": "mlp", "hidden": 8}, "wrong"], "steps": [4, 400]}
    )
    prepared = prepare(plan, quiet)
    found = calibrate(plan, prepared, quiet)
    keys = {arm.name: arm.config.key() for arm in prepared.arms}
    (failing,) = found.failures
    assert failing == keys["architecture=wrong"]
    assert "RuntimeError: " in found.failures[failing]
    assert set(found.paces) == set(keys.values()) - {failing}
    cells = cells_of(plan.study, prepared.arms, prepared.fingerprints)
    assert estimate(cells, found.paces, plan, prepared) > 0


def test_trials_that_are_trained_at_once_take_as_long_as_all_their_rows(plan):
    plan = plan(baseline={"architecture": "mlp", "steps": 100, "execution": {"together": 4}})
    prepared = prepare(plan, quiet)
    (arm,) = prepared.arms
    cells = [Cell(arm.name, seed, arm.config.key(), "f", {}) for seed in range(6)]
    evaluations = len(evaluation_steps(100, arm.config.evaluation.every))
    paces = {arm.config.key(): Pace(step=1.0, evaluation=10.0)}
    # Two workers: one trains four seeds in four rows, the other two in as many.
    longest = 4 * 100 + 4 * evaluations * 10
    assert estimate(cells, paces, plan, prepared) == START_SECONDS + longest
    assert estimate(cells[:4], paces, plan, prepared) == START_SECONDS + longest


@pytest.mark.parametrize(("seeds", "firsts"), [([4, 8, 1, 5, 2], [1, 2, 4]), ([3], [3])])
def test_the_speed_of_a_group_is_measured_with_a_trial_in_each_of_its_rows(
    plan, monkeypatch, seeds, firsts
):
    class Eager:
        """What could not be stacked: each trial takes its own second a step."""

        def __init__(self, trials, rows):
            self.trials = trials
            assert [trial.seed for trial in trials] == firsts
            assert rows == 4

        def advance(self, count):
            for trial in self.trials:
                steps = trial.begin(count)
                trial.step += len(steps)
                trial.seconds += len(steps)

    monkeypatch.setattr("ganbench.study.calibration.Company", Eager)
    baseline = {"architecture": "mlp", "steps": 20, "execution": {"together": 4}}
    plan = plan(seeds=seeds, baseline=baseline)
    (pace,) = calibrate(plan, prepare(plan, quiet), quiet).paces.values()
    assert pace.step == len(firsts) / 4


def test_a_device_is_part_of_the_fingerprint(plan, monkeypatch):
    plan = plan()
    here = prepare(plan, quiet).fingerprints
    assert prepare(plan, quiet).fingerprints == here
    monkeypatch.setattr(
        "ganbench.study.prepare.provenance", lambda device: {"device": "cuda", "torch": "2.15.0"}
    )
    assert prepare(plan, quiet).fingerprints["baseline"] != here["baseline"]
