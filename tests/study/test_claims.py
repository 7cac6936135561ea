"""A claim is its owner's: what an earlier owner says of a trial never reaches a later one's."""

import contextlib
import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from searching_studies import SEARCH, Play, study_of
from test_ledger import TWO_ARMS, cells, ending, states

from ganbench.plugin import Host
from ganbench.study.claim import Claim
from ganbench.study.ledger import Ledger
from ganbench.study.losses import TRIES
from ganbench.study.records import failures, settle
from ganbench.study.search import tried
from ganbench.study.server import address_of

WANTED = cells(TWO_ARMS, seeds=(0,))[:1]
SLOW = {
    "puts back": lambda ledger, number: ledger.put_back(number),
    "fails": lambda ledger, number: ledger.fail(number, "failed", "OSError: gone"),
    "loses it again": lambda ledger, number: ledger.lose(number, "killed") == "failed",
}


@pytest.fixture(params=["journal", "postgresql"])
def machine(request, tmp_path):
    """Open one ledger as each of several machines would."""
    if request.param == "journal":
        yield lambda definition=TWO_ARMS: Ledger(tmp_path, definition)
        return
    url = request.getfixturevalue("database")
    with contextlib.ExitStack() as stack:

        def machine(definition=TWO_ARMS):
            ledger = Ledger(Path("nowhere"), definition, address_of(url, 2))
            stack.callback(ledger.close)
            return ledger

        yield machine


def taken_over(machine):
    """Let a slow machine's trial be taken for lost and claimed by another; return both."""
    slow, other = machine(), machine()
    slow.queue(WANTED)
    old = slow.claim()
    assert other.lose(old.number, "no sign of life") == "waits"
    return slow, old, other, other.claim()


def result(ledger):
    return settle(ledger.records())["key of baseline", 0, "f"]


@pytest.mark.parametrize("act", SLOW)
def test_no_end_by_an_earlier_owner_reaches_the_claim_of_the_next(machine, act):
    slow, old, other, new = taken_over(machine)
    assert not SLOW[act](slow, old.number)
    assert states(other) == [("baseline", "FAIL"), ("baseline", "RUNNING")]
    assert other.note(new.number, 8, 2.0)
    assert other.finish(new.number, ending(1.5))
    assert result(slow).trial.value == 1.5


def test_nothing_an_earlier_owner_notes_reaches_the_trial_of_the_next(machine):
    slow, old, other, new = taken_over(machine)
    assert slow.note(old.number, 8, 7.0)  # it goes on, until a result is there
    slow.remember(old.number, {"rung": 7.0})
    (running,) = [one for one in other.records() if one.number != 0]
    assert (running.trial.intermediate_values, running.trial.system_attrs) == ({}, {})
    assert other.finish(new.number, ending(1.5))
    assert not slow.note(old.number, 12, 7.0)


def test_a_late_result_stands_whole_and_puts_away_who_is_at_it_again(machine):
    slow, old, other, new = taken_over(machine)
    slow.note(old.number, 10, 3.0)
    slow.remember(old.number, {"rung": 3.0})
    assert slow.finish(old.number, ending(1.5))
    record = result(other)
    assert record.evaluations == ending(1.5).evaluations
    assert record.trial.intermediate_values == {10: 3.0}
    assert record.trial.system_attrs == {"rung": 3.0}
    assert [state for _, state in states(other)] == ["FAIL", "FAIL", "COMPLETE"]
    assert not other.note(new.number, 12, 2.0)
    assert not other.finish(new.number, ending(9.0))
    assert result(other).trial.value == 1.5
    assert other.queue(WANTED) == []


def test_of_an_earlier_owner_and_the_next_the_first_to_finish_stands(machine):
    slow, old, other, new = taken_over(machine)
    assert other.finish(new.number, ending(1.5))
    assert not slow.finish(old.number, ending(9.0))
    assert [state for _, state in states(other)] == ["FAIL", "COMPLETE"]


def test_a_result_of_a_trial_that_was_lost_three_times_meanwhile_answers_it(machine):
    slow, old, other, new = taken_over(machine)
    fates = [other.lose(new.number, "killed")]
    while fates[-1] == "waits":
        fates.append(other.lose(other.claim().number, "killed"))
    assert fates == ["waits"] * (TRIES - 2) + ["failed"]
    (failed,) = failures(other.records()).values()
    assert failed.ending["error"] == "its worker was lost 3 times, the last time killed"
    assert slow.finish(old.number, ending(1.5))
    assert failures(other.records()) == {}
    assert result(other).trial.value == 1.5
    assert other.queue(WANTED) == []


def test_losses_are_counted_since_a_checkpoint_was_last_found_further_on(machine):
    ledger = machine()
    ledger.queue(WANTED)
    fates = []
    for step in (0, 100, 200, 300, 300, 300):  # none is ever measured
        claim = ledger.claim()
        ledger.resume(claim.number, step)
        fates.append(ledger.lose(claim.number, "preempted"))
    assert fates == ["waits"] * 5 + ["failed"]


@pytest.mark.parametrize("moment", range(1, 8))
def test_a_trial_given_up_while_its_result_is_recorded_loses_nothing(machine, moment, monkeypatch):
    """Give it up before each of the writes that a result consists of."""
    slow, other = machine(), machine()
    slow.queue(WANTED)
    claim, writes = slow.claim(), itertools.count(1)
    update = Ledger._update

    def slowly(ledger, *arguments):
        if ledger is slow and next(writes) == moment:
            other.lose(claim.number, "killed")
        return update(ledger, *arguments)

    monkeypatch.setattr(Ledger, "_update", slowly)
    assert slow.finish(claim.number, ending(1.5))
    assert next(writes) > moment
    record = result(other)
    assert (record.ending["outcome"], record.trial.value) == ("complete", 1.5)
    assert other.queue(WANTED) == []
    assert other.claim() is None


def test_a_machine_that_dies_as_it_gives_a_trial_up_leaves_it_to_any_other(machine, monkeypatch):
    slow, other = machine(), machine()
    slow.queue(WANTED)
    claim = slow.claim()
    with monkeypatch.context() as patch:
        patch.setattr("ganbench.study.ledger.next_trial", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            other.lose(claim.number, "killed")
    assert [cell.arm for cell in other.queue(WANTED)] == ["baseline"]
    assert other.claim().arm == "baseline"


def test_a_search_goes_on_with_what_was_given_up_as_if_nothing_had_happened(tmp_path):
    host = Host()
    study = study_of(host, design=SEARCH)
    alone, lossy = (Play(tmp_path / name, study, host) for name in ("alone", "lossy"))
    alone.to_the_end()
    for _ in range(3):
        lossy.to_the_end(most=5)
        lossy.ledger.queue(lossy.wanted(), orphans=False)
        lossy.ledger.put_back(lossy.ledger.claim().number)
    lossy.to_the_end()
    assert lossy.tried() == alone.tried()
    rules = lossy.search.rules
    known = tried(rules, lossy.ledger.records()).values()
    assert {one.state for one in known} == {"complete"}


def test_a_configuration_s_files_are_found_again_by_any_trial_of_it_and_by_no_other():
    one = Claim(7, "arm", 0, "key", "print", "study/arm-1", 3)
    assert replace(one, number=8).place == one.place
    others = [
        replace(one, search=None, index=-1),
        replace(one, search="study/arm-2"),
        replace(one, index=4),
        replace(one, key="other key"),
        replace(one, fingerprint="another kind of device's"),
    ]
    assert len({claim.place for claim in (one, *others)}) == 6
    assert others[0].place == "key-print"
