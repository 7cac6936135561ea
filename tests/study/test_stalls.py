"""A training that hangs does not keep its trial: its worker is ended, and another goes on."""

import multiprocessing
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from machine import plan_of
from test_supervisor import COMPLETE, STUDY, Log, next_claim, outcomes

from ganbench.plugin import Host
from ganbench.study import pool as pool_module
from ganbench.study import supervisor as supervisor_module
from ganbench.study import watchdog as watchdog_module
from ganbench.study.archive import read_results
from ganbench.study.ledger import Ledger
from ganbench.study.link import Link
from ganbench.study.messages import Alive, Claimed, Ended, Started
from ganbench.study.records import Ending
from ganbench.study.supervisor import run_study
from ganbench.study.watchdog import FACTOR, LONGEST_LOOK, Watchdog

HANGS = """
import time
from pathlib import Path

from ganbench.plugin import Trick, TrickParameters


class Hangs(Trick):
    \"\"\"Sleep for ever in the seventh step, the first time.\"\"\"

    name = "hangs"

    class Parameters(TrickParameters):
        marker: str = ""

    neutral = Parameters()

    def before_step(self, step, buf):
        marker = Path(self.parameters.marker)
        if step == 6 and self.parameters.marker and not marker.exists():
            marker.touch()
            time.sleep(600)


def register_tricks():
    return [Hangs]
"""


class Clock:
    def __init__(self):
        self.seconds = 1000.0

    def monotonic(self):
        return self.seconds


class Hand(SimpleNamespace):
    """A worker, as far as a watchdog knows one."""

    __hash__ = object.__hash__


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(watchdog_module, "time", clock)
    return clock


def silent_after(clock, dog, workers, seconds, look=1.0):
    """Let time pass, with looks on the way; return who is silent for too long at the end."""
    for _ in range(int(seconds / look)):
        clock.seconds += look
        found = dog.silent(workers)
    return list(found)


def test_a_worker_is_silent_for_too_long_after_the_time_given_and_not_before(clock):
    dog, workers = Watchdog(60), [Hand(idle=False), Hand(idle=False)]
    assert silent_after(clock, dog, workers, 10) == []
    dog.hear(workers[1])
    assert silent_after(clock, dog, workers, 49) == []
    assert silent_after(clock, dog, workers, 1) == workers[:1]


def test_a_worker_that_waits_for_a_trial_may_be_silent_and_zero_is_for_ever(clock):
    idle, busy = Hand(idle=True), Hand(idle=False)
    dog = Watchdog(60)
    assert silent_after(clock, dog, [idle], 1000) == []
    idle.idle = False  # there is a trial: its time begins now
    assert silent_after(clock, dog, [idle], 59) == []
    assert silent_after(clock, Watchdog(0), [busy], 10_000) == []


def test_a_worker_may_be_silent_for_several_times_as_long_as_one_was_that_went_on(clock):
    dog, slow, other = Watchdog(60), Hand(idle=False), Hand(idle=False)
    silent_after(clock, dog, [slow, other], 50)  # an evaluation of fifty seconds
    dog.hear(slow)
    dog.hear(other)
    assert silent_after(clock, dog, [other], 50 * FACTOR - 1) == []
    assert silent_after(clock, dog, [other], 1) == [other]


def test_a_time_in_which_the_supervisor_itself_was_stopped_is_no_silence(clock):
    dog, worker = Watchdog(60), Hand(idle=False)
    clock.seconds += 10_000
    assert dog.silent([worker]) == {}
    assert dog._silences[worker] == LONGEST_LOOK


def hangs_once(job, connection):
    work(job, connection, "once")


def hangs_as_it_is_built(job, connection):
    work(job, connection, "built")


def work(job, connection, how):
    """Do what a worker does, less the training, and hang over one trial."""
    ledger = Ledger(job.report / "ledger", job.definition)
    while claim := next_claim(ledger, connection):
        own = claim.number, claim.arm, claim.seed, claim.key
        hangs = (claim.arm, claim.seed) == ("instance_noise", 0)
        hangs = hangs and not (how == "once" and (job.report / "hung").exists())
        if hangs:
            (job.report / "hung").touch()
        connection.send(Claimed(*own, 8))
        if hangs and how == "built":
            time.sleep(600)
        connection.send(Started(*own, 0, 8))
        if hangs:
            time.sleep(600)
        ledger.finish(claim.number, Ending("complete", 1.0, (), 1.0, 1.0, 8, None, {}))
        connection.send(Ended(*own, "complete", 8, 1.0, 1.0))


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture
def once_it_hangs(monkeypatch):
    """Let silence count from the moment on at which something hangs: a start takes its time."""

    def once_it_hangs(marker):
        class Dog(Watchdog):
            def silent(self, workers):
                claimed = [worker for worker in workers if worker.trials]
                return super().silent(claimed if marker.exists() else [])

        monkeypatch.setattr(supervisor_module, "Watchdog", Dog)
        monkeypatch.setattr(watchdog_module, "FACTOR", 0)

    return once_it_hangs


@pytest.fixture
def run(tmp_path, host, monkeypatch, own_torch, once_it_hangs):
    def run(script):
        once_it_hangs(tmp_path / "report" / "hung")
        monkeypatch.setattr(pool_module.worker, "main", script)
        plan = plan_of(STUDY, tmp_path / "report", tmp_path / "cache", host=host)
        log = Log()
        outcome = run_study(replace(plan, stall=1.0), log)
        return outcome, log, read_results(plan.report)

    return run


def test_a_trial_that_hangs_is_taken_from_its_worker_and_trained(run):
    outcome, log, results = run(hangs_once)
    assert sorted(outcomes(results)) == COMPLETE
    assert outcome == supervisor_module.Outcome()
    assert log.notices == [
        "worker 0 was lost (killed after 1 seconds without a sign of life while starting; see "
        "--stall); instance_noise, seed 0 goes on from its last checkpoint"
    ]


def test_a_trial_that_hangs_three_times_fails_and_the_others_go_on(run):
    outcome, _, results = run(hangs_as_it_is_built)
    assert sorted(outcomes(results)) == [
        entry if entry[:2] != ("instance_noise", 0) else (*entry[:2], "failed")
        for entry in COMPLETE
    ]
    (failed,) = outcome.failed
    assert failed.error == (
        "its worker was lost 3 times, the last time killed after 1 seconds without a sign of "
        "life while starting; see --stall"
    )


def test_a_real_training_that_hangs_goes_on_from_its_checkpoint_bit_for_bit(
    tmp_path, own_torch, once_it_hangs
):
    plugin, marker = tmp_path / "hangs.py", tmp_path / "marker"
    plugin.write_text(HANGS)
    study = {
        **STUDY,
        "baseline": {**STUDY["baseline"], "tricks": {"hangs": {"marker": str(marker)}}},
        "factors": {},
        "seeds": [0],
        "evaluation": {**STUDY["evaluation"], "every": 4},
    }
    once_it_hangs(marker)
    tables = {}
    for name in ("hung", "undisturbed"):
        plan = plan_of(study, tmp_path / name, tmp_path / "cache", host=Host((plugin,)))
        log = Log()
        outcome = run_study(replace(plan, stall=2.0), log)
        assert outcome == supervisor_module.Outcome()
        assert len(log.notices) == (name == "hung")
        (trial,) = read_results(plan.report).trials
        tables[name] = [(point.step, point.figures) for point in trial.evaluations]
        resumed = {state.running[0].resumed_at for state in log.states if state.running}
        assert (4 in resumed) == (name == "hung")
    assert [step for step, _ in tables["hung"]] == [4, 8]
    assert tables["hung"] == tables["undisturbed"]


def test_a_worker_says_that_what_takes_long_gets_on_but_not_all_the_time(monkeypatch):
    ours, theirs = multiprocessing.Pipe()
    link = Link(theirs)
    for _ in range(100):
        link.progress("samples' features", 1, 2)
    assert not link.stopped_waiting()
    assert ours.recv() == Alive()
    assert not ours.poll()
    ours.close()
    theirs.close()
