"""Whole runs of studies that search and tune: scripted workers, and one small real training."""

import json
import os

import pytest
import torch
from searching_studies import LR, SPACE, Play, objective, point, study_of

from ganbench.plugin import Host
from ganbench.report import write_report
from ganbench.study import pool as pool_module
from ganbench.study.archive import read_results
from ganbench.study.design import expand
from ganbench.study.ledger import Ledger
from ganbench.study.messages import Ended, Started
from ganbench.study.records import Ending
from ganbench.study.run_plan import RunPlan
from ganbench.study.statistics import compare
from ganbench.study.supervisor import run_study
from ganbench.study.worker import Link

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by signal")

TUNING = {"budget": 6, "seeds": [100, 101], "space": SPACE}
FACTORS = {"instance_noise": ["off", {"start": 0.1}]}


class Silent:
    """A monitor that remembers the last state."""

    state = None

    def preparing(self, label, done, total):
        pass

    def begin(self, overview):
        pass

    def tick(self, state):
        self.state = state

    def ended(self, ended, state):
        pass

    def notice(self, text):
        pass

    def close(self):
        pass


def works(job, connection):
    """Do what a worker does, with a made-up objective; end early if the test asks for it."""
    ledger, link = Ledger(job.report / "ledger", job.definition), Link(connection)
    left = int((job.report / "left").read_text()) if (job.report / "left").exists() else 10_000
    while True:
        while (claim := ledger.claim()) is None and link.wait():
            pass
        if claim is None:
            return
        config = claim.config or job.configs[claim.key].model_dump(mode="json")
        connection.send(Started(claim.number, claim.arm, claim.seed, claim.key, 0, 8))
        if left == 0:
            os._exit(9)
        left -= 1
        value = objective(config, claim.seed)
        ended = Ending("complete", value, (point(8, value),), 1.0, 0.1, 8, None, {})
        ledger.finish(claim.number, ended)
        connection.send(
            Ended(claim.number, claim.arm, claim.seed, claim.key, "complete", 8, value, 1.0)
        )


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(tmp_path, host, cache, monkeypatch):
    """Run a study; give its outcome, the last state and the results."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()

    def run(script=works, workers=1, folder="report", **changes):
        study = study_of(host, **changes)
        plan = RunPlan(
            study=study,
            resolved=study.model_dump(mode="json"),
            origins={},
            arms=expand(study, host),
            host=host,
            report=tmp_path / folder,
            command="ganbench run tiny.yaml",
            quick=False,
            devices=("cpu",),
            workers=workers,
            data_root=None,
            cache=cache,
        )
        if script is not None:
            monkeypatch.setattr(pool_module.worker, "main", script)
        monitor = Silent()
        outcome = run_study(plan, monitor)
        return outcome, monitor.state, read_results(plan.report)

    yield run
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(strict)


def test_every_arm_gets_the_same_budget_and_is_judged_against_the_tuned_baseline(run, tmp_path):
    outcome, state, results = run(factors=FACTORS, tuning=TUNING, seeds=[0, 1, 2])
    assert not outcome.failed
    assert [arm.name for arm in results.arms] == ["baseline", "instance_noise"]
    assert [arm.name for arm in results.tuned] == ["baseline, retuned", "instance_noise, retuned"]
    assert state.done == state.total == 2 * 3 * 2 + 2 * 6 * 2
    for search in results.searches:
        assert [trial.state for trial in search.trials] == ["complete"] * 6
        best = min(search.trials, key=lambda trial: trial.value)
        assert search.winner == best.index
    tuned = dict(zip(("baseline", "instance_noise"), results.tuned, strict=True))
    for search in results.searches:
        chosen = search.trials[search.winner].parameters
        assert {key: tuned[search.arm].levels[key] for key in SPACE} == chosen
    # Only the study's seeds count, in either reading.
    assert {trial.seed for trial in results.trials} == {0, 1, 2}
    published, retuned = compare(results), compare(results.retuned())
    assert [row.arm for row in retuned] == [arm.name for arm in results.tuned]
    assert published[1].effect.estimate == pytest.approx(0)  # the bowl knows no noise
    assert retuned[0].mean < published[0].mean


def test_a_run_whose_worker_dies_comes_to_the_undisturbed_end(run, tmp_path, host):
    design = {"kind": "search", "trials": 8, "seeds": [100], "space": SPACE, "parallel": 2}
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "left").write_text("7")  # each worker dies over its eighth trial
    _, _, cut = run(design=design)
    whole = Play(tmp_path / "whole", study_of(host, design=design), host)
    whole.to_the_end()
    assert [trial.parameters for trial in cut.searches[0].trials] == whole.tried()
    assert {trial.outcome for trial in cut.trials} == {"complete"}
    assert len(cut.trials) == 4


def test_a_search_of_few_choices_ends_though_most_answer_one_another(run):
    space = {"latent.dimension": [16, 64]}
    design = {"kind": "search", "trials": 9, "seeds": [100], "space": space}
    _, state, results = run(design=design)
    assert len(results.searches[0].trials) == 9
    assert results.arms[1].levels == {"latent.dimension": 16}
    assert state.done == state.total


def test_real_workers_prune_train_the_winner_and_report_it(run, tmp_path):
    space = {LR: {"low": 1e-5, "high": 1e-2, "log": True}, "label_smoothing": "auto"}
    search = {"trials": 7, "seeds": [100], "space": space, "pruner": "asha", "parallel": 2}
    outcome, _, results = run(None, workers=2, design={"kind": "search", **search})
    assert not outcome.failed
    (found,) = results.searches
    assert found.count("pruned") > 0
    assert found.count("complete") + found.count("pruned") == 7
    winner = results.arms[1]
    assert winner.skipped is None
    ended = {trial.seed: trial.outcome for trial in results.trials if trial.arm == winner.name}
    assert ended == {0: "complete", 1: "complete"}
    write_report(results, tmp_path / "report")
    told = json.loads((tmp_path / "report" / "results.json").read_text())
    assert told["searches"][0]["winner"] == found.winner
    assert "The search" in (tmp_path / "report" / "report.md").read_text()
    # Nothing of the search is left behind, and the same run again trains nothing.
    assert not list((tmp_path / "report" / "ledger").glob("checkpoints/*"))
    _, state, same = run(None, workers=2, design={"kind": "search", **search})
    assert state is None
    assert same.searches == results.searches
