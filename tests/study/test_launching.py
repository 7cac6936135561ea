"""Workers that a launcher starts: followed, stopped, and not started again."""

import os
import signal

import pytest
from optuna.trial import TrialState, create_trial

from ganbench.plugin import GanbenchError, Launcher, LauncherParameters, WorkerStatus
from ganbench.study import launching
from ganbench.study.launching import Order, Tally, View, launch, tally_of
from ganbench.study.records import Record


class Scripted(Launcher):
    """Gives each command the states of a script in turn, the last one for ever."""

    name = "scripted"

    def __init__(self, *scripts):
        super().__init__(LauncherParameters())
        self.scripts = [list(script) for script in scripts]
        self.started, self.stopped, self.polls = [], [], 0
        self.on_poll = {}

    def start(self, command, count, environment, folder):
        first = len(self.started)
        self.started += [tuple(command)] * count
        return [f"job {number}" for number in range(first, first + count)]

    def poll(self, handles):
        self.polls += 1
        self.on_poll.get(self.polls, lambda: None)()
        states = {}
        for handle in handles:
            script = self.scripts[int(handle.removeprefix("job "))]
            states[handle] = WorkerStatus(script.pop(0) if len(script) > 1 else script[0])
        return states

    def stop(self, handles, at_once=False):
        self.stopped.append((list(handles), at_once))
        for handle in handles:
            self.scripts[int(handle.removeprefix("job "))] = ["failed"]


class Diary(View):
    def __init__(self):
        self.lines = []

    def started(self, handles):
        self.lines.append(("started", *handles))

    def failed(self, handle, status, leads):
        self.lines.append(("failed", handle, leads))

    def stopping(self, at_once):
        self.lines.append(("stopping", at_once))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(launching, "LOOK_SECONDS", 0.0)


def order(tmp_path, count):
    return Order(("run",), ("worker",), count, {}, tmp_path)


def test_one_leads_and_the_others_work(tmp_path):
    launcher, diary = Scripted(["running", "done"], ["done"], ["running", "done"]), Diary()
    result = launch(launcher, order(tmp_path, 3), diary)
    assert launcher.started == [("run",), ("worker",), ("worker",)]
    assert (result.written, result.interrupted) == (True, False)
    assert launcher.stopped == []
    assert diary.lines == [("started", "job 0", "job 1", "job 2")]


def test_who_still_waits_for_a_turn_when_the_study_is_over_is_called_off(tmp_path):
    launcher, diary = Scripted(["running", "done"], ["waiting"]), Diary()
    assert launch(launcher, order(tmp_path, 2), diary).written
    assert launcher.stopped == [(["job 1"], False)]
    assert diary.lines == [("started", "job 0", "job 1")]  # and that is no failure


def test_what_fails_is_told_once_and_not_started_again(tmp_path):
    launcher, diary = Scripted(["running"] * 4 + ["done"], ["running", "failed"]), Diary()
    assert launch(launcher, order(tmp_path, 2), diary).written
    assert diary.lines[1:] == [("failed", "job 1", False)]
    assert len(launcher.started) == 2


def test_without_the_lead_the_others_go_on_and_no_report_is_claimed(tmp_path):
    launcher, diary = Scripted(["failed"], ["running"] * 3 + ["done"]), Diary()
    assert not launch(launcher, order(tmp_path, 2), diary).written
    assert diary.lines[1:] == [("failed", "job 0", True)]
    assert launcher.stopped == []
    assert launcher.scripts[1] == ["done"]


def test_ctrl_c_stops_them_and_a_second_one_kills_them(tmp_path):
    class Stubborn(Scripted):
        def stop(self, handles, at_once=False):
            self.stopped.append((list(handles), at_once))
            if at_once:
                self.scripts = [["failed"], ["failed"]]

    launcher, diary = Stubborn(["running"], ["running"]), Diary()
    launcher.on_poll = {n: lambda: os.kill(os.getpid(), signal.SIGINT) for n in (2, 5)}
    result = launch(launcher, order(tmp_path, 2), diary)
    assert (result.written, result.interrupted) == (False, True)
    assert launcher.stopped == [(["job 0", "job 1"], False), (["job 0", "job 1"], True)]
    assert diary.lines[1:] == [("stopping", False), ("stopping", True)]


def test_what_was_started_is_stopped_when_the_rest_cannot_be(tmp_path):
    class Full(Scripted):
        def start(self, command, count, environment, folder):
            if self.started:
                raise GanbenchError("no more jobs")
            return super().start(command, count, environment, folder)

    launcher = Full(["running"])
    with pytest.raises(GanbenchError, match="no more jobs"):
        launch(launcher, order(tmp_path, 2), Diary())
    assert launcher.stopped == [(["job 0"], False)]


def record(state, key="a", seed=0, machine="cpu", outcome=None):
    value = 1.0 if state == TrialState.COMPLETE else None
    own = {"key": key, "seed": seed, "fingerprint": machine, "outcome": outcome}
    return Record("study-1", create_trial(state=state, value=value, user_attrs=own))


def test_trials_are_counted_once_each_as_they_are_now():
    records = [
        record(TrialState.COMPLETE),
        record(TrialState.COMPLETE, machine="cuda"),  # the same on another kind of machine
        record(TrialState.FAIL, seed=1, outcome="failed"),
        record(TrialState.RUNNING, seed=1),  # tried again
        record(TrialState.FAIL, seed=2, outcome="failed"),
        record(TrialState.FAIL, seed=3, outcome="superseded"),
        record(TrialState.FAIL, seed=4, outcome="not applicable"),
        record(TrialState.WAITING, seed=5),
    ]
    assert tally_of(records) == Tally(done=1, running=1, failed=1)
