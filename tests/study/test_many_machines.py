"""A study on several machines and one PostgreSQL, through everything that can happen to them."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import jumping_clock
import machine
import optuna
import pytest
from machine import BEAT, plan_of
from test_supervisor import COMPLETE, STUDY, Log, next_claim, outcomes

from ganbench.plugin import Host
from ganbench.study import pool as pool_module
from ganbench.study import supervisor as supervisor_module
from ganbench.study.archive import read_results
from ganbench.study.ledger import Ledger
from ganbench.study.messages import Ended, Started
from ganbench.study.records import Ending
from ganbench.study.supervisor import run_study

LONGER = {
    **STUDY,
    "baseline": {**STUDY["baseline"], "steps": 300},
    "evaluation": {**STUDY["evaluation"], "every": 50},
}


def fails_once(job, connection):
    """Fail the first trial, and do of the others what a worker does, less the training."""
    ledger = Ledger(job.report, job.definition, job.storage)
    while claim := next_claim(ledger, connection):
        connection.send(Started(claim.number, claim.arm, claim.seed, claim.key, 0, 8))
        own = claim.number, claim.arm, claim.seed, claim.key
        if not (job.report / "failed").exists():
            (job.report / "failed").touch()
            ledger.fail(claim.number, "failed", "ValueError: no")
            connection.send(Ended(*own, "failed", 0, None, 1.0, "ValueError: no", "here"))
            continue
        ledger.finish(claim.number, Ending("complete", 1.0, (), 1.0, 1.0, 8, None, {}))
        connection.send(Ended(*own, "complete", 8, 1.0, 1.0))


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture
def quick_looks(monkeypatch):
    monkeypatch.setattr(supervisor_module, "LOOK_SECONDS", 0.5)


def table(results):
    """All that was measured, by arm and seed."""
    return {
        (trial.arm, trial.seed): [(point.step, point.figures) for point in trial.evaluations]
        for trial in results.trials
    }


def trials_of(url):
    storage = optuna.storages.RDBStorage(url)
    try:
        return [t for s in storage.get_all_studies() for t in storage.get_all_trials(s._study_id)]
    finally:
        storage.remove_session()
        storage.engine.dispose()


class Trouble(Log):
    """A monitor that restarts the server once a trial runs, and later cuts it off for a while."""

    def __init__(self, postgres):
        super().__init__()
        self.postgres, self.seen = postgres, []

    def tick(self, state):
        super().tick(state)
        if not self.seen and any(trial.step > 0 for trial in state.running):
            self.seen.append("restart")
            self.postgres.stop()
            self.postgres.start_later(seconds=1)
        elif len(self.seen) == 1 and state.done >= 2:
            self.seen.append("cut")
            self.postgres.freeze()
            # Longer than a heart may be silent.
            threading.Timer(3 * BEAT, self.postgres.thaw).start()


@pytest.mark.slow
def test_a_study_comes_through_a_loss_a_restart_a_cut_network_and_clocks_that_jump_bit_for_bit(
    tmp_path,
    postgres,
    host,
    own_torch,
    quick_looks,
):
    cache = tmp_path / "cache"
    run_study(plan_of(LONGER, tmp_path / "alone", cache, host=host), Log())
    undisturbed = table(read_results(tmp_path / "alone"))

    url = postgres.database()
    jumps = Host([Path(jumping_clock.__file__)])
    together = plan_of(LONGER, tmp_path / "together", cache, url, workers=2, host=jumps)
    arguments = [json.dumps(LONGER), str(together.report), str(cache), url]
    lost = subprocess.Popen([sys.executable, machine.__file__, *arguments])
    until = time.monotonic() + 120
    while not any(t.state.name == "RUNNING" and t.intermediate_values for t in trials_of(url)):
        assert time.monotonic() < until
        assert lost.poll() is None
        time.sleep(0.1)
    lost.kill()
    lost.wait()

    monitor = Trouble(postgres)
    assert run_study(together, monitor) == supervisor_module.Outcome()
    assert monitor.seen == ["restart", "cut"]
    assert table(read_results(together.report, together.storage)) == undisturbed
    assert sorted(outcomes(read_results(together.report, together.storage))) == COMPLETE
    trials = trials_of(url)
    starts = [trial.datetime_start for trial in trials if trial.datetime_start is not None]
    assert max(starts) - min(starts) > jumping_clock.DAY / 2
    assert "lost" in {trial.user_attrs.get("failure", {}).get("outcome") for trial in trials}
    assert monitor.states[-1].done == monitor.states[-1].total == 4


def test_what_failed_is_tried_again_by_a_new_run_and_by_no_worker_that_joins(
    tmp_path,
    database,
    host,
    monkeypatch,
    own_torch,
    quick_looks,
):
    monkeypatch.setattr(pool_module.worker, "main", fails_once)
    plan = plan_of(STUDY, tmp_path / "report", tmp_path / "cache", database, host=host)
    first = run_study(plan, Log())
    assert len(first.failed) == 1
    assert first.trained == 3
    joining = run_study(plan, Log(), joining=True)
    assert (joining.trained, joining.last.failed, joining.last.done) == (0, 1, 3)
    again = run_study(plan, Log())
    assert (again.trained, again.failed) == (1, ())
    assert sorted(outcomes(read_results(plan.report, plan.storage))) == COMPLETE
