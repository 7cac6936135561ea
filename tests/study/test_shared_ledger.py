"""A ledger on a real PostgreSQL, at which several machines work with nobody in charge."""

import contextlib
import datetime
import multiprocessing
import time
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from test_ledger import LEVELS, THREE_ARMS, TWO_ARMS, cells, ending, states

from ganbench.plugin import GanbenchError
from ganbench.study.definition import Definition
from ganbench.study.ledger import Ledger
from ganbench.study.records import failures, settle
from ganbench.study.rivals import claim_name
from ganbench.study.server import address_of

BEAT = 1
"""Seconds between heartbeats here; a heart has stopped after two, and a second look."""


@pytest.fixture
def machine(database):
    """Open the ledger as another machine would."""
    with contextlib.ExitStack() as stack:

        def machine(definition=TWO_ARMS):
            address = replace(address_of(database, 1), heartbeat=BEAT, grace=2 * BEAT)
            ledger = Ledger(Path("nowhere"), definition, address)
            stack.callback(ledger.close)
            return ledger

        yield machine


def look_until_stopped(ledger, wanted):
    """Look, as a supervisor does, until a trial whose heart has stopped waits or has failed."""
    running = [state for _, state in states(ledger)].count("RUNNING")
    until = time.monotonic() + 30
    while [state for _, state in states(ledger)].count("RUNNING") == running:
        assert time.monotonic() < until
        time.sleep(0.3)
        ledger.queue(wanted)


class Bare:
    """An ending of which nothing is noted."""

    state, values = TrialState.COMPLETE, [1.5]

    def attributes(self):
        return {}


def claim_all(url, names, seeds):
    """Queue in small portions and claim, until nothing is left."""
    definition = Definition("study", TWO_ARMS.arms, TWO_ARMS.factors, tuple(seeds))
    ledger = Ledger(Path("nowhere"), definition, address_of(url, 2))
    wanted = cells(definition, seeds=seeds)
    while ledger.queue(wanted, window=12):
        while claim := ledger.claim():
            ledger.finish(claim.number, Bare())
            names.put((claim.arm, claim.seed))
    ledger.close()
    names.put(None)


def test_no_trial_is_handed_out_twice_to_two_that_queue_and_claim_at_once(database, machine):
    machine()  # the tables are there
    context = multiprocessing.get_context("spawn")
    names = context.Queue()
    seeds = range(150)
    workers = [context.Process(target=claim_all, args=(database, names, seeds)) for _ in "ab"]
    for worker in workers:
        worker.start()
    claimed, ended = [], 0
    while ended < len(workers):
        name = names.get(timeout=240)
        ended += name is None
        claimed += [name] if name else []
    for worker in workers:
        worker.join()
    assert len(claimed) == 300
    assert len(set(claimed)) == 300


def test_what_two_machines_queue_at_once_is_trained_once(machine):
    one, other = machine(), machine()
    wanted = cells(TWO_ARMS, seeds=(0,))
    one.queue(wanted, records=[])
    other.queue(wanted, records=[])  # it had looked before the first one queued
    assert len(one.records()) == 4
    claims = [one.claim(), other.claim()]
    assert [claim.arm for claim in claims] == ["baseline", "other"]
    assert one.claim() is None
    assert other.claim() is None
    assert [state for _, state in states(one)] == ["RUNNING", "RUNNING", "FAIL", "FAIL"]
    for ledger, claim in zip((one, other), claims, strict=True):
        assert ledger.finish(claim.number, ending())
    assert one.queue(wanted) == []


def test_a_duplicate_that_is_put_away_late_does_not_hide_that_its_cell_failed(machine, monkeypatch):
    one, other = machine(), machine()
    wanted = cells(TWO_ARMS, seeds=(0,))[:1]
    one.queue(wanted, records=[])
    other.queue(wanted, records=[])
    claim, take = one.claim(), Ledger._take

    def take_late(ledger, number):
        """Claim by what was read before the first one failed."""
        one.fail(claim.number, "failed", "OSError: gone")
        return take(ledger, number)

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "_take", take_late)
        assert other.claim() is None
    assert [state for _, state in states(one)] == ["FAIL", "FAIL"]
    (failed,) = failures(other.records()).values()
    assert failed.ending["error"] == "OSError: gone"
    assert settle(other.records())["key of baseline", 0, "f"].number == failed.number


def test_a_trial_that_somebody_is_at_is_left_alone_however_long_it_takes(machine):
    one, other = machine(), machine()
    wanted = cells(TWO_ARMS, seeds=(0,))
    one.queue(wanted)
    claim = one.claim()
    with one.alive(claim):
        until = time.monotonic() + 5 * BEAT
        while time.monotonic() < until:
            assert len(other.queue(wanted)) == 2
            time.sleep(BEAT / 2)
        assert states(other)[0] == ("baseline", "RUNNING")


def test_a_trial_whose_machine_is_gone_waits_again_and_a_late_result_is_welcome(machine):
    one, other = machine(), machine()
    wanted = cells(TWO_ARMS, seeds=(0,))
    one.queue(wanted)
    first = one.claim()  # and nothing more is heard of it
    look_until_stopped(other, wanted)
    assert states(other)[-1] == ("baseline", "WAITING")
    again = other.claim()
    assert (again.arm, again.seed) == (first.arm, first.seed)
    assert one.finish(first.number, ending(1.5))  # it was only slow
    assert not other.note(again.number, 8, 2.0)  # and the other hears of it
    assert not other.finish(again.number, ending(9.0))
    assert settle(other.records())["key of baseline", 0, "f"].trial.value == 1.5


def test_a_trial_that_costs_three_workers_fails_unless_it_got_on_between(machine):
    ledger = machine()
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    fates = []
    for step in (None, None, 4, None, None):
        claim = ledger.claim()
        assert claim.arm == "baseline"
        if step is not None:
            ledger.note(claim.number, step, 3.0)
        fates.append(ledger.lose(claim.number, "killed"))
    assert fates == ["waits"] * 4 + ["failed"]
    failed = ledger.records()[-1]
    assert failed.ending["error"] == "its worker was lost 3 times, the last time killed"


def test_a_loss_that_several_machines_notice_at_once_is_counted_once(machine):
    ledger, others = machine(), [machine() for _ in range(4)]
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    for _ in range(2):
        claim = ledger.claim()
        # All have found its heart still before the first of them lets it wait.
        assert [other.lose(claim.number, "killed") for other in others] == ["waits"] * 4
    claim = ledger.claim()
    assert [other.lose(claim.number, "killed") for other in others] == [
        "failed",
        *["had ended"] * 3,
    ]


def test_a_machine_takes_only_what_it_can_train_and_puts_away_nobody_else_s(machine):
    gpu, cpu = machine(), machine()
    on_gpu = cells(TWO_ARMS, seeds=(0,), fingerprint="gpu")
    on_cpu = cells(TWO_ARMS, seeds=(0,), fingerprint="cpu")
    gpu.queue(on_gpu)
    # The window is for one's own: others' trials do not close it.
    assert len(cpu.queue(on_cpu, window=2)) == 2
    claim = cpu.claim(lambda attributes: attributes["fingerprint"] == "cpu")
    assert (claim.arm, claim.fingerprint) == ("baseline", "cpu")
    assert cpu.withdraw("key of other", "not here", "cpu") == 1
    assert [state for _, state in states(gpu)] == ["WAITING", "WAITING", "RUNNING", "FAIL"]


def test_more_arms_keep_what_is_complete_and_other_people_s_studies_are_not_read(machine):
    stranger = machine(replace(TWO_ARMS, name="study-two"))
    stranger.queue(cells(TWO_ARMS, seeds=(0,), fingerprint="f"))
    stranger.finish(stranger.claim().number, ending(7.0))
    ledger = machine()
    assert ledger.records() == []
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    ledger.finish(ledger.claim().number, ending(2.0))
    extended = machine(THREE_ARMS)
    waiting = extended.queue(cells(THREE_ARMS, seeds=(0,)))
    assert [cell.arm for cell in waiting] == ["other", "third"]
    assert settle(extended.records())["key of baseline", 0, "f"].trial.value == 2.0


class Yesterday(datetime.datetime):
    """A clock that is a day behind."""

    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.now(tz) - datetime.timedelta(days=1)


def test_a_machine_whose_clock_jumps_loses_nothing_and_takes_nothing(machine, monkeypatch):
    one, other = machine(), machine()
    wanted = cells(TWO_ARMS, seeds=(0,))
    one.queue(wanted)
    with monkeypatch.context() as patch:
        patch.setattr("optuna.storages._rdb.storage.datetime", Yesterday)
        patch.setattr(time, "time", lambda: 0.0)
        claim = one.claim()
        with one.alive(claim):
            until = time.monotonic() + 4 * BEAT
            while time.monotonic() < until:
                other.queue(wanted)
                time.sleep(BEAT / 2)
            assert states(other)[0] == ("baseline", "RUNNING")
        assert other.claim().arm == "other"
        assert one.finish(claim.number, ending(1.5))
    started = other.records()[0].trial.datetime_start
    assert datetime.datetime.now() - started > datetime.timedelta(hours=23)
    assert settle(other.records())["key of baseline", 0, "f"].trial.value == 1.5
    assert [cell.arm for cell in other.queue(wanted)] == ["other"]


def test_another_study_of_a_name_is_refused_with_what_differs_and_an_extension_is_not(machine):
    settings = {
        "dataset": {"name": "ring"},
        "baseline": {"steps": 100, "batch_size": 8},
        "evaluation": {"samples": 64, "primary": "fid", "judgement": {"alpha": 0.05}},
    }
    claim_name(machine(), settings)
    longer = {**settings, "baseline": {"steps": 200, "batch_size": 8}}
    judged = {**longer, "evaluation": {**settings["evaluation"], "judgement": {"alpha": 0.01}}}
    claim_name(machine(THREE_ARMS), judged)
    other = {**settings, "dataset": {"name": "grid"}, "baseline": {"steps": 1, "batch_size": 4}}
    with pytest.raises(GanbenchError) as caught:
        claim_name(machine(), other)
    assert str(caught.value) == (
        "the storage holds another study of the name study:\n"
        "  dataset.name is 'ring' there and 'grid' here\n"
        "  baseline.batch_size is 8 there and 4 here\n"
        "Give this one another name: --set name=NAME"
    )


@pytest.mark.parametrize("where", ["journal", "postgresql"])
def test_optuna_s_own_tools_make_sense_of_the_trials(where, tmp_path, request):
    if where == "journal":
        ledger = Ledger(tmp_path, TWO_ARMS)
        file = optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal.log"))
        storage = optuna.storages.JournalStorage(file)
    else:
        ledger = request.getfixturevalue("machine")()
        storage = optuna.storages.RDBStorage(request.getfixturevalue("database"))
    ledger.describe({"question": "Does it help?", "primary": "fid"})
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    first, second = ledger.claim(), ledger.claim()
    ledger.note(first.number, 10, 3.0)
    ledger.note(first.number, 20, 1.5)
    ledger.finish(first.number, ending(1.5))
    ledger.finish(second.number, ending(float("inf"), "diverged"))

    study = optuna.load_study(study_name=TWO_ARMS.study_name, storage=storage)
    assert study.user_attrs["question"] == "Does it help?"
    assert study.direction == optuna.study.StudyDirection.MINIMIZE
    best = study.best_trial
    assert best.params == {"trick": "off", "arm": "baseline", "seed": 0}
    assert best.value == 1.5
    assert best.intermediate_values == {10: 3.0, 20: 1.5}
    assert best.user_attrs["outcome"] == "complete"
    assert best.duration.total_seconds() >= 0
    diverged = study.trials[1]
    assert (diverged.value, diverged.params["trick"]) == (float("inf"), LEVELS["other"])
    if where == "postgresql":
        storage.remove_session()
        storage.engine.dispose()
