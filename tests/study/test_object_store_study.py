"""A study whose machines have nothing in common but a database and an object store."""

import json
import subprocess
import sys
import time
from contextlib import closing

import machine
import pytest
from machine import plan_of
from test_many_machines import LONGER, table
from test_supervisor import Log

from ganbench.plugin import Host
from ganbench.report import write_report
from ganbench.study import supervisor as supervisor_module
from ganbench.study.archive import Archive, read_header, read_results
from ganbench.study.merging import merge
from ganbench.study.places import BucketPlace
from ganbench.study.supervisor import run_study


@pytest.mark.slow
def test_a_trial_begun_on_a_machine_that_is_killed_goes_on_on_another_bit_for_bit(
    tmp_path, database, object_store, monkeypatch, own_torch
):
    monkeypatch.setattr(supervisor_module, "LOOK_SECONDS", 0.5)
    host = Host()
    alone = plan_of(LONGER, tmp_path / "alone", tmp_path / "alone" / "cache", host=host)
    run_study(alone, Log())
    undisturbed = table(read_results(alone.report))

    place = BucketPlace(object_store.bucket(), "tiny")
    report, cache = tmp_path / "lost", Archive(tmp_path / "lost", place).evaluation
    arguments = [json.dumps(LONGER), str(report), str(cache), database, str(place)]
    lost = subprocess.Popen([sys.executable, machine.__file__, *arguments])
    with closing(Archive(report, place).open_files()) as files:
        until = time.monotonic() + 120
        while not files.names(report / "ledger" / "checkpoints"):
            assert time.monotonic() < until
            assert lost.poll() is None
            time.sleep(0.02)
        lost.kill()
        lost.wait()
        (begun,) = files.names(report / "ledger" / "checkpoints")
        shared = files.names(cache)
    # Made on the machine that is lost.
    assert {name.partition("-")[0] for name in shared} == {"reference", "draws"}
    assert not [path for path in report.rglob("*") if path.name == begun]

    report = tmp_path / "other"
    plan = plan_of(
        LONGER, report, Archive(report, place).evaluation, database, host=host, files=place
    )
    monitor = Log()
    assert run_study(plan, monitor) == supervisor_module.Outcome()
    resumed = {
        (trial.key, f"{trial.seed}.pt")
        for state in monitor.states
        for trial in state.running
        if trial.resumed_at > 0
    }
    key, _, seed = begun.split("-")
    assert resumed == {(key, seed)}
    results = read_results(report, plan.storage)
    assert table(results) == undisturbed

    with closing(Archive(report, place).open_files()) as files:
        assert files.names(report / "ledger" / "checkpoints") == set()
    assert all(trial.samples.read_bytes().startswith(b"\x89PNG") for trial in results.trials)
    write_report(results, report, [])
    header = read_header(Archive(report))
    assert (header.files, header.storage) == (str(place), plan.storage.shown)

    merge(tmp_path / "merged", report)
    merged = read_results(tmp_path / "merged")
    assert table(merged) == undisturbed
    assert [trial.samples.name for trial in merged.trials] == [
        trial.samples.name for trial in results.trials
    ]
