"""The supervisor against workers that die or fail at awkward moments, played by scripts."""

import os
import signal
import time
from collections import Counter

import pytest

from ganbench.config.model import Study
from ganbench.plugin import GanbenchError, Host
from ganbench.study import agenda as agenda_module
from ganbench.study import pool as pool_module
from ganbench.study import supervisor as supervisor_module
from ganbench.study.archive import read_results
from ganbench.study.design import expand
from ganbench.study.ledger import Ledger
from ganbench.study.link import Link
from ganbench.study.messages import Broken, Ended, NotApplicable, Started
from ganbench.study.prepare import prepare
from ganbench.study.records import Ending, complete_identities
from ganbench.study.results import EvaluationPoint
from ganbench.study.run_plan import RunPlan, cells_of
from ganbench.study.statistics import compare
from ganbench.study.supervisor import run_study

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by signal")

STUDY = {
    "name": "tiny",
    "question": "Does it run?",
    "dataset": {"name": "ring", "samples": 1000},
    "baseline": {"architecture": {"name": "mlp", "hidden": 8}, "batch_size": 8, "steps": 8},
    "factors": {"instance_noise": ["off", {"start": 0.1}]},
    "seeds": [0, 1],
    "evaluation": {"extractor": "coordinates", "samples": 64, "every": 8, "batch_size": 64},
}


class Log:
    """A monitor that remembers."""

    def __init__(self):
        self.notices, self.outcomes, self.states = [], [], []

    def preparing(self, label, done, total):
        pass

    def begin(self, overview):
        self.overview = overview

    def tick(self, state):
        self.states.append(state)

    def ended(self, ended, state):
        self.outcomes.append((ended.arm, ended.seed, ended.outcome))

    def notice(self, text):
        self.notices.append(text)

    def close(self):
        pass


def next_claim(ledger, connection):
    link = Link(connection)
    while (claim := ledger.claim()) is None and link.wait():
        pass
    return claim


def work(job, connection, before=lambda claim: None, after=lambda claim: None):
    """Do what a worker does, less the training."""
    ledger = Ledger(job.report / "ledger", job.definition)
    while claim := next_claim(ledger, connection):
        before(claim)
        connection.send(Started(claim.number, claim.arm, claim.seed, claim.key, 0, 8))
        after(claim)
        ledger.finish(claim.number, Ending("complete", 1.0, (), 1.0, 1.0, 8, None, {}))
        connection.send(
            Ended(claim.number, claim.arm, claim.seed, claim.key, "complete", 8, 1.0, 1.0)
        )


def finishes(job, connection):
    work(job, connection)


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def dies_between_claim_and_start(job, connection):
    """Die once, with a trial in hand of which the supervisor has not heard."""

    def before(claim):
        if not (job.report / "died").exists():
            (job.report / "died").touch()
            die()

    work(job, connection, before)


def dies_over_one_trial(job, connection):
    def after(claim):
        if (claim.arm, claim.seed) == ("instance_noise", 0):
            die()

    work(job, connection, after=after)


def dies_at_once(job, connection):
    die()


def fails_always(job, connection):
    ledger = Ledger(job.report / "ledger", job.definition)
    for count in range(1, 4):
        claim = ledger.claim()
        connection.send(Started(claim.number, claim.arm, claim.seed, claim.key, 0, 8))
        ledger.fail(claim.number, "failed", "ValueError: no")
        connection.send(
            Ended(
                claim.number, claim.arm, claim.seed, claim.key, "failed", 0, None, 1.0,
                "ValueError: no", "ValueError at trick.py:7",
            )
        )  # fmt: skip
        assert connection.poll(0 if count < 3 else 120) is (count == 3)  # asked to stop


def finds_an_arm_that_does_not_apply(job, connection):
    ledger = Ledger(job.report / "ledger", job.definition)
    while claim := next_claim(ledger, connection):
        if claim.arm == "baseline":
            ledger.finish(claim.number, Ending("complete", 1.0, (), 1.0, 1.0, 8, None, {}))
            connection.send(
                Ended(claim.number, claim.arm, claim.seed, claim.key, "complete", 8, 1.0, 1.0)
            )
        else:
            ledger.fail(claim.number, "not applicable", "not on this device")
            connection.send(NotApplicable(claim.number, claim.key, "not on this device"))


def is_broken(job, connection):
    connection.send(Broken("the disk is full"))


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(tmp_path, host, cache, monkeypatch, own_torch):
    """Run the study with workers that play a script; return the outcome, log and results."""

    def run(script, study=STUDY, workers=1, **further):
        study = Study.model_validate(study)
        plan = RunPlan(
            study=study,
            resolved=study.model_dump(mode="json"),
            origins={},
            arms=expand(study, host),
            host=host,
            report=tmp_path / "report",
            command="ganbench run tiny.yaml",
            quick=False,
            devices=("cpu",),
            workers=workers,
            data_root=None,
            cache=cache,
        )
        monkeypatch.setattr(pool_module.worker, "main", script)
        log = Log()
        return run_study(plan, log, **further), log, read_results(plan.report)

    return run


def outcomes(results):
    return [(trial.arm, trial.seed, trial.outcome) for trial in results.trials]


COMPLETE = [
    ("baseline", 0, "complete"),
    ("baseline", 1, "complete"),
    ("instance_noise", 0, "complete"),
    ("instance_noise", 1, "complete"),
]


def test_a_trial_whose_worker_died_before_telling_of_it_is_trained_all_the_same(run):
    outcome, log, results = run(dies_between_claim_and_start)
    assert sorted(outcomes(results)) == COMPLETE
    assert outcome == supervisor_module.Outcome()
    assert log.states[-1].done == log.states[-1].total == 4
    assert log.states[-1].share == 1


def test_a_trial_that_kills_three_workers_fails_and_the_others_go_on(run):
    outcome, log, results = run(dies_over_one_trial)
    assert sorted(outcomes(results)) == [
        entry if entry[:2] != ("instance_noise", 0) else (*entry[:2], "failed")
        for entry in COMPLETE
    ]
    (failed,) = outcome.failed
    assert failed.error == (
        "its worker was lost 3 times, the last time killed by SIGKILL, as when memory runs out"
    )
    assert sum("goes on from its last checkpoint" in text for text in log.notices) == 2


def lingers_over_the_last_trial(job, connection):
    """Count how often a worker looks for a trial in vain."""
    ledger, link = Ledger(job.report / "ledger", job.definition), Link(connection)
    looks = 0
    while True:
        claim = ledger.claim()
        if claim is None:
            looks += 1
            (job.report / f"looks of {os.getpid()}").write_text(str(looks))
            if not link.wait():
                return
            continue
        own = claim.number, claim.arm, claim.seed, claim.key
        connection.send(Started(*own, 0, 8))
        if (claim.arm, claim.seed) == ("instance_noise", 1):
            time.sleep(2)
        ledger.finish(claim.number, Ending("complete", 1.0, (), 1.0, 1.0, 8, None, {}))
        connection.send(Ended(*own, "complete", 8, 1.0, 1.0))


def test_there_is_leisure_while_one_worker_trains_the_last_trial(run, tmp_path):
    ended = []

    def leisure():
        trials = read_results(tmp_path / "report").trials
        ended.append(sum(trial.outcome == "complete" for trial in trials))

    run(lingers_over_the_last_trial, workers=2, leisure=leisure)
    assert ended[0] == 3


def test_a_worker_for_whom_nothing_is_left_keeps_still(run, tmp_path):
    _, _, results = run(lingers_over_the_last_trial, workers=2)
    assert sorted(outcomes(results)) == COMPLETE
    looks = [int(file.read_text()) for file in (tmp_path / "report").glob("looks of *")]
    assert len(looks) == 2
    assert max(looks) < 10


def test_workers_that_die_before_any_trial_end_the_study_and_say_how(run):
    with pytest.raises(GanbenchError, match="before they start a trial; the last killed by SIGK"):
        run(dies_at_once)


def test_a_worker_that_nothing_can_replace_ends_the_study_with_its_message(run):
    with pytest.raises(GanbenchError, match="the disk is full"):
        run(is_broken)


def test_the_third_failure_of_a_kind_ends_the_study(run):
    outcome, _, results = run(fails_always)
    assert outcome.stopped == "3 trials failed in the same way, the last with ValueError: no"
    assert sorted(entry[2] for entry in outcomes(results)) == ["failed"] * 3 + ["pending"]


def test_an_arm_that_a_worker_finds_not_to_apply_is_left_out_with_its_reason(run):
    outcome, log, results = run(finds_an_arm_that_does_not_apply)
    assert outcome == supervisor_module.Outcome()
    assert [arm.skipped for arm in results.arms] == [None, "not on this device"]
    assert outcomes(results) == COMPLETE[:2]
    assert log.states[-1].done == log.states[-1].total == 2


def test_results_of_another_device_are_kept_and_not_mixed_with_this_one_s(run, monkeypatch):
    run(finishes)

    def elsewhere(plan, progress):
        """Prepare as on a GPU."""
        found = prepare(plan, progress)
        prints = {arm: f"{own} on cuda" for arm, own in found.fingerprints.items()}
        return supervisor_module.replace(found, fingerprints=prints)

    with monkeypatch.context() as patch:
        patch.setattr("ganbench.study.prepare.prepare", elsewhere)
        _, log, results = run(finishes)
    assert log.overview.done == 0
    assert any("4 earlier results are not used" in text for text in log.notices)
    assert sorted(outcomes(results)) == COMPLETE
    _, log, _ = run(finishes)
    assert log.overview.done == 4  # the first ones were kept


def test_results_of_other_settings_are_told_and_those_that_are_used_are_not(run):
    run(finishes)
    assert not run(finishes)[1].notices
    longer = {**STUDY, "baseline": {**STUDY["baseline"], "steps": 16}}
    _, log, _ = run(finishes, longer)
    assert log.overview.done == 0
    (told,) = log.notices
    assert told.startswith("4 earlier results are not used, being of other settings")


def test_a_study_longer_than_the_waiting_window_is_trained_to_its_end(run, monkeypatch):
    monkeypatch.setattr(supervisor_module, "WINDOW", -1)  # and two a worker: one waits
    outcome, log, results = run(finishes)
    assert outcome == supervisor_module.Outcome()
    assert sorted(outcomes(results)) == COMPLETE
    assert {state.total for state in log.states} == {4}


class OneSeedAfterAnother:
    """Wants a seed once every trial of the seed before has ended."""

    def __init__(self, cells):
        self.cells = cells

    def wanted(self, records):
        complete = complete_identities(records)
        first = [cell for cell in self.cells if cell.seed == 0]
        return self.cells if all(cell.identity in complete for cell in first) else first


def test_an_agenda_may_want_more_once_what_it_wanted_is_answered(run, monkeypatch):
    def growing(study, arms, fingerprints, read):
        return OneSeedAfterAnother(cells_of(study, arms, fingerprints))

    monkeypatch.setattr(agenda_module, "agenda_of", growing)
    outcome, log, results = run(finishes)
    assert outcome == supervisor_module.Outcome()
    assert sorted(outcomes(results)) == COMPLETE
    assert sorted({state.total for state in log.states}) == [2, 4]
    assert log.states[-1].done == 4
    assert log.states[-1].share == 1


def finds_a_clear_effect(job, connection):
    """Give an arm twice the baseline's figure, and another the same up to noise."""
    ledger = Ledger(job.report / "ledger", job.definition)
    while claim := next_claim(ledger, connection):
        connection.send(Started(claim.number, claim.arm, claim.seed, claim.key, 0, 8))
        base = 1 + claim.seed / 100
        noise = 1.3 if claim.seed % 2 else 0.77
        figure = {"baseline": base, "label_smoothing": base * noise}.get(claim.arm, 2 * base)
        point = EvaluationPoint(8, 1.0, {"fid": figure}, "healthy", {})
        ledger.finish(claim.number, Ending("complete", figure, (point,), 1.0, 1.0, 8, None, {}))
        connection.send(
            Ended(claim.number, claim.arm, claim.seed, claim.key, "complete", 8, figure, 1.0)
        )


def test_seeds_are_added_where_the_verdict_is_open(run):
    # Of 8 seeds p is at least 2 / 2^8 = 0.008, below 0.05 × (8 / 16)² / 2 arms = 0.00625 never;
    # of 12 it is 0.0005, so the first look worth taking is at 12, with a share of 9 / 16.
    study = {
        **STUDY,
        "factors": {**STUDY["factors"], "label_smoothing": ["off", {"real": 0.9}]},
        "seeds": {"min": 8, "max": 16, "step": 4},
    }
    outcome, log, results = run(finds_a_clear_effect, study)
    assert outcome == supervisor_module.Outcome()
    seeds = Counter(trial.arm for trial in results.trials)
    assert seeds == {"baseline": 16, "instance_noise": 12, "label_smoothing": 16}
    assert {trial.outcome for trial in results.trials} == {"complete"}
    rows = {row.arm: row for row in compare(results)}
    assert rows["instance_noise"].verdict == "hurts"
    assert rows["label_smoothing"].verdict == "inconclusive"
    assert sorted({state.total for state in log.states}) == [36, 44]
    # The same command again finds nothing to do.
    _, log, _ = run(is_broken, study)
    assert log.overview.done == log.overview.total == 44
