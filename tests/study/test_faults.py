"""A study that meets a fault ends with the table of one that met none, bit for bit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import full_disk
import jumping_clock
import numpy as np
import pytest
from machine import plan_of
from test_ledger import TWO_ARMS, cells, ending
from test_supervisor import STUDY, Log

from ganbench.plugin import GanbenchError, Host
from ganbench.report import write_report
from ganbench.study.archive import Archive, read_results
from ganbench.study.journal import JOURNAL, JournalFile, open_journal
from ganbench.study.ledger import Ledger
from ganbench.study.records import read_records, settle
from ganbench.study.supervisor import run_study

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by signal")

LONGER = {
    **STUDY,
    "baseline": {**STUDY["baseline"], "steps": 40},
    "evaluation": {**STUDY["evaluation"], "every": 10},
}
CHECKPOINT = 40_000
"""Bytes that a checkpoint of it has at least."""


def table_of(plan):
    """Return what the report's table is made of: each trial with all that was measured."""
    return [
        [trial.arm, trial.seed, trial.outcome, trial.steps]
        + [
            [point.step, dict(point.figures), point.health, dict(point.losses)]
            for point in trial.evaluations
        ]
        for trial in read_results(plan.report).trials
    ]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, cache):
    """The plan of a study that nothing happened to, and its table."""
    plan = plan_of(LONGER, tmp_path_factory.mktemp("alone"), cache)
    run_study(plan, Log())
    return plan, table_of(plan)


def resumed_at(monitor):
    return {trial.resumed_at for state in monitor.states for trial in state.running}


def test_a_checkpoint_cut_off_by_a_full_disk_is_not_gone_on_from(tmp_path, cache, undisturbed):
    report = tmp_path / "report"
    plugin = full_disk.copy_to(
        tmp_path, journal=Archive(report).journal, room=CHECKPOINT // 2, kills=True
    )
    monitor = Log()
    plan = plan_of(LONGER, report, cache, host=Host([plugin]))
    run_study(plan, monitor)
    told, lost = monitor.notices
    assert "no checkpoint could be written, the previous one stays: File too large" in told
    assert "was lost (killed by SIGKILL" in lost
    # The checkpoint before the one that was cut off.
    assert resumed_at(monitor) == {0, 10}
    assert table_of(plan) == undisturbed[1]
    assert not list(report.rglob("*.tmp"))


def test_a_journal_that_cannot_grow_ends_the_run_and_the_next_one_goes_on(
    tmp_path, cache, undisturbed
):
    report = tmp_path / "report"
    plugin = full_disk.copy_to(tmp_path, journal=Archive(report).journal, room=50)
    plan = plan_of(LONGER, report, cache, host=Host([plugin]))
    with pytest.raises(GanbenchError, match="the ledger cannot be written: File too large"):
        run_study(plan, Log())
    monitor = Log()
    run_study(plan, monitor)
    assert monitor.notices == []  # what was cut off was taken back
    assert 10 in resumed_at(monitor)
    assert table_of(plan) == undisturbed[1]


def test_a_disk_without_room_ends_the_run_and_the_next_one_goes_on(tmp_path, cache, undisturbed):
    """On a real one, as far as the system lets somebody without rights have one."""
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        not shutil.which("unshare")
        or subprocess.run(
            [*alone, "mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True
        ).returncode
    ):
        pytest.skip("this system gives nobody a file system of one's own")
    plugin = full_disk.copy_to(tmp_path, ballast=disk / "ballast")
    command = [sys.executable, full_disk.__file__, json.dumps(LONGER), disk, plugin, cache]
    done = subprocess.run([*alone, *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "the previous one stays: No space left on device" in found["notices"][0]
    (error,) = found["errors"]
    assert "cannot be written: No space left on device" in error
    assert found["table"] == undisturbed[1]


def test_clocks_that_jump_change_nothing(tmp_path, cache, undisturbed):
    plan = plan_of(
        LONGER, tmp_path / "report", cache, workers=2, host=Host([Path(jumping_clock.__file__)])
    )
    run_study(plan, Log())
    assert table_of(plan) == undisturbed[1]
    ends = [
        record.trial.datetime_complete
        for record in read_records(open_journal(Archive(plan.report).journal))
    ]
    assert max(ends) - min(ends) > jumping_clock.DAY
    results = read_results(plan.report)
    assert all(0 < trial.training_seconds < 600 for trial in results.trials)
    write_report(results, plan.report, [])


TAILS = [b"", b"\0" * 700, b'{"op_code":5,"worker_id']
"""What may stand behind a cut: nothing, what a power cut leaves, half a record."""


@pytest.mark.parametrize("rest", TAILS[:2], ids=["nothing", "zeros"])
def test_a_study_whose_journal_was_cut_off_in_its_middle_goes_on(
    rest, tmp_path, cache, undisturbed
):
    before, table = undisturbed
    plan = plan_of(LONGER, tmp_path / "report", cache)
    shutil.copytree(before.report, plan.report)
    journal = Archive(plan.report).journal
    whole = journal.read_bytes()
    cut = int(np.random.default_rng(len(rest)).integers(len(whole) // 2, len(whole)))
    journal.write_bytes(whole[:cut] + rest)
    monitor = Log()
    run_study(plan, monitor)
    assert monitor.outcomes
    assert ("the last record was torn" in "".join(monitor.notices)) == (
        whole[cut - 1 : cut] != b"\n" or bool(rest)
    )
    assert table_of(plan) == table


def work_off(folder):
    """Do the rest of a study, with a figure for each cell; return its table."""
    ledger = Ledger(folder, TWO_ARMS)
    while ledger.queue(cells(TWO_ARMS), window=3):
        while claim := ledger.claim():
            value = claim.seed + len(claim.arm) / 7
            ledger.note(claim.number, 10, 2 * value)
            ledger.finish(claim.number, ending(value))
    return {
        identity: (record.trial.values, record.trial.intermediate_values, record.evaluations)
        for identity, record in settle(ledger.records()).items()
    }


def test_a_journal_may_be_cut_off_at_any_byte(tmp_path):
    table = work_off(tmp_path / "whole")
    assert len(table) == 6
    whole = (tmp_path / "whole" / JOURNAL).read_bytes()
    chance = np.random.default_rng(5)
    for number in range(30):
        folder = tmp_path / str(number)
        folder.mkdir()
        cut = int(chance.integers(len(whole)))
        (folder / JOURNAL).write_bytes(whole[:cut] + TAILS[number % len(TAILS)])
        JournalFile(folder / JOURNAL).repair()
        assert work_off(folder) == table, cut
