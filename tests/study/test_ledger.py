import errno
import multiprocessing
import os
import signal
import subprocess
import sys

import pytest
from optuna.trial import TrialState

from ganbench.study import journal
from ganbench.study.archive import Archive
from ganbench.study.definition import Definition
from ganbench.study.journal import JournalFile, LedgerError
from ganbench.study.ledger import Ledger
from ganbench.study.records import Cell, Ending, settle
from ganbench.study.results import EvaluationPoint

TWO_ARMS = Definition("study", ("baseline", "other"), {"trick": ("off", "on")}, (0, 1, 2))
THREE_ARMS = Definition(
    "study", ("baseline", "other", "third"), {"trick": ("off", "on", "more")}, (0, 1, 2)
)
LEVELS = {"baseline": "off", "other": "on", "third": "more"}


def cells(definition, seeds=(0, 1, 2), fingerprint="f"):
    return [
        Cell(arm, seed, f"key of {arm}", fingerprint, {"trick": LEVELS[arm]})
        for seed in seeds
        for arm in definition.arms
    ]


def ending(value=1.5, outcome="complete"):
    point = EvaluationPoint(20, 0.5, {"fid": value}, "healthy", {"generator": 0.7})
    return Ending(outcome, value, (point,), 0.5, 0.1, 20, None, {})


def states(ledger):
    return [(record.attributes["arm"], record.state.name) for record in ledger.records()]


def test_trials_are_handed_out_in_order_and_then_none(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0, 1)))
    claims = [ledger.claim() for _ in range(4)]
    assert [(c.arm, c.seed) for c in claims] == [
        ("baseline", 0),
        ("other", 0),
        ("baseline", 1),
        ("other", 1),
    ]
    assert ledger.claim() is None
    assert len(ledger.records()) == 4  # nothing was sampled to fill the empty queue


def claim_all(folder, names):
    ledger = Ledger(folder, TWO_ARMS)
    while claim := ledger.claim():
        names.put((claim.arm, claim.seed))
    names.put(None)


def test_no_trial_is_handed_out_twice(tmp_path):
    many = range(30)
    definition = Definition("study", TWO_ARMS.arms, TWO_ARMS.factors, tuple(many))
    Ledger(tmp_path, definition).queue(cells(definition, seeds=many))
    context = multiprocessing.get_context("spawn")
    names = context.Queue()
    workers = [context.Process(target=claim_all, args=(tmp_path, names)) for _ in range(3)]
    for worker in workers:
        worker.start()
    claimed, ended = [], 0
    while ended < len(workers):
        name = names.get(timeout=120)
        ended += name is None
        claimed += [name] if name else []
    for worker in workers:
        worker.join()
    assert len(claimed) == 60
    assert len(set(claimed)) == 60


def test_the_first_complete_result_stands(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    claim = ledger.claim()
    assert ledger.finish(claim.number, ending(1.5))
    assert not ledger.finish(claim.number, ending(9.0))
    assert not ledger.fail(claim.number, "failed", "too late")
    record = settle(ledger.records())["key of baseline", 0, "f"]
    assert record.trial.value == 1.5
    assert record.evaluations == ending(1.5).evaluations


def test_a_diverged_trial_is_complete_and_ranks_last(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    ledger.finish(ledger.claim().number, ending(float("inf"), "diverged"))
    record = Ledger(tmp_path, TWO_ARMS).records()[0]
    assert record.state == TrialState.COMPLETE
    assert record.trial.value == float("inf")
    assert record.attributes["outcome"] == "diverged"


def test_more_seeds_and_more_arms_keep_what_is_complete(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    for value in (1.0, 2.0):
        ledger.finish(ledger.claim().number, ending(value))
    extended = Ledger(tmp_path, THREE_ARMS)  # other choices: another Optuna study
    waiting = extended.queue(cells(THREE_ARMS, seeds=(0, 1)))
    assert [(cell.arm, cell.seed) for cell in waiting] == [
        ("third", 0),
        ("baseline", 1),
        ("other", 1),
        ("third", 1),
    ]
    assert settle(extended.records())["key of other", 0, "f"].trial.value == 2.0
    # And back again: nothing of the first is to be done twice.
    assert Ledger(tmp_path, TWO_ARMS).queue(cells(TWO_ARMS, seeds=(0,))) == []


def test_other_data_or_another_plugin_file_is_another_result(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    ledger.finish(ledger.claim().number, ending())
    assert len(ledger.queue(cells(TWO_ARMS, seeds=(0,), fingerprint="g"))) == 2


def test_orphans_wait_again_and_unwanted_trials_do_not(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0, 1)))
    ledger.claim()  # by a process that is killed now
    after = Ledger(tmp_path, TWO_ARMS)
    after.queue(cells(TWO_ARMS, seeds=(0,)))
    assert states(after) == [
        ("baseline", "FAIL"),
        ("other", "WAITING"),
        ("baseline", "FAIL"),
        ("other", "FAIL"),
        ("baseline", "WAITING"),
    ]
    assert after.claim().arm == "baseline"  # what was begun comes first


def test_no_more_trials_wait_than_the_window_lets_in(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    assert len(ledger.queue(cells(TWO_ARMS), window=2)) == 6  # unanswered, though not all wait
    assert states(ledger) == [("baseline", "WAITING"), ("other", "WAITING")]
    claim = ledger.claim()
    ledger.queue(cells(TWO_ARMS), window=2, orphans=False)
    assert [state for _, state in states(ledger)] == ["RUNNING", "WAITING", "WAITING"]
    ledger.finish(claim.number, ending())
    for _ in range(5):
        ledger.queue(cells(TWO_ARMS), window=2, orphans=False)
        ledger.finish(ledger.claim().number, ending())
    assert ledger.queue(cells(TWO_ARMS), window=2) == []
    assert len(ledger.records()) == 6  # none was queued twice


def test_a_failed_trial_is_tried_again_by_the_next_run(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    ledger.fail(ledger.claim().number, "failed", "ValueError: no")
    assert len(ledger.queue(cells(TWO_ARMS, seeds=(0,)))) == 2


def test_a_torn_last_record_is_cut_off(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    path = tmp_path / journal.JOURNAL
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":6,"worker_id":"a-1","tri')
    said = JournalFile(path).repair()
    assert path.read_bytes() == whole
    assert "35 bytes" in said
    assert JournalFile(path).repair() is None
    assert Ledger(tmp_path, TWO_ARMS).claim().arm == "baseline"


def test_an_append_after_a_torn_record_does_not_grow_on_to_it(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    path = tmp_path / journal.JOURNAL
    with path.open("ab") as file:
        file.write(b'{"op_code":6,"wor')
    assert ledger.claim().arm == "baseline"
    assert Ledger(tmp_path, TWO_ARMS).claim().arm == "other"


def test_damage_in_the_middle_is_named_by_its_line(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS))
    path = tmp_path / journal.JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b"not a record\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(LedgerError, match="line 3 is not a record"):
        Ledger(tmp_path, TWO_ARMS)


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    path = tmp_path / journal.JOURNAL
    whole = path.read_bytes()

    def half(file, text):
        os.write(file, text[: len(text) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(journal, "write_all", half)
        with pytest.raises(LedgerError, match="No space left"):
            ledger.claim()
    assert path.read_bytes() == whole
    assert Ledger(tmp_path, TWO_ARMS).claim().arm == "baseline"


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_the_lock_of_a_killed_process_does_not_block(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0,)))
    code = (
        "import sys, time; from filelock import FileLock;"
        "lock = FileLock(sys.argv[1]); lock.acquire(); print('held', flush=True); time.sleep(600)"
    )
    lock = f"{tmp_path / journal.JOURNAL}.flock"
    holder = subprocess.Popen([sys.executable, "-c", code, lock], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert ledger.claim().arm == "baseline"  # would hang


def test_a_worker_of_an_earlier_run_adds_nothing_to_a_ledger_started_afresh(tmp_path):
    archive = Archive(tmp_path)
    orphan = Ledger(archive.folder, TWO_ARMS)
    orphan.queue(cells(TWO_ARMS, seeds=(0,), fingerprint="old"))
    claim = orphan.claim()
    archive.clear()
    fresh = Ledger(archive.folder, TWO_ARMS)
    fresh.queue(cells(TWO_ARMS, seeds=(0,), fingerprint="new"))
    assert fresh.claim().number == claim.number  # the same number, and another trial
    before = archive.journal.read_bytes()
    for record in (
        lambda: orphan.note(claim.number, 4, 3.0),
        lambda: orphan.finish(claim.number, ending()),
        lambda: orphan.fail(claim.number, "failed", "too late"),
        orphan.claim,
    ):
        with pytest.raises(LedgerError, match="was deleted or replaced"):
            record()
    assert archive.journal.read_bytes() == before


def test_a_deleted_ledger_is_not_made_again_by_a_worker_of_it(tmp_path):
    archive = Archive(tmp_path)
    orphan = Ledger(archive.folder, TWO_ARMS)
    orphan.queue(cells(TWO_ARMS, seeds=(0,)))
    archive.clear()
    with pytest.raises(LedgerError, match="was deleted or replaced"):
        orphan.claim()
    assert not archive.journal.exists()


def test_a_trial_that_cost_two_workers_is_alone_with_the_third(tmp_path):
    ledger = Ledger(tmp_path, TWO_ARMS)
    ledger.queue(cells(TWO_ARMS, seeds=(0,))[:1])
    first = ledger.claim()
    assert ledger.lose(first.number, "killed") == "waits"
    second = ledger.claim()
    assert not first.alone
    assert not second.alone
    assert ledger.lose(second.number, "killed") == "waits"
    third = ledger.claim()
    assert third.alone
    ledger.put_back(third.number)  # as by who presses Ctrl-C
    fourth = ledger.claim()
    assert fourth.alone
    assert ledger.lose(fourth.number, "killed") == "failed"
