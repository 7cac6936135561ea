import pytest

from ganbench.study import workload
from ganbench.study.monitor import RunningTrial
from ganbench.study.workload import Workload


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(workload.time, "monotonic", lambda: now[0])
    return now


def running(step, resumed_at=0):
    return RunningTrial(0, "baseline", 0, "key", resumed_at, step, 100)


def test_time_left_follows_the_pace_since_the_first_start(clock):
    load = Workload()
    load.add(400)
    clock[0] = 60.0  # loading
    trial = running(0)
    load.start(trial)
    assert load.remaining([trial]) is None
    trial.step = 50
    clock[0] = 70.0
    assert load.remaining([trial]) == 70.0  # 350 steps at 5 a second
    load.end(trial, 100)
    assert load.share([]) == 0.25
    clock[0] = 80.0
    assert load.remaining([]) == 60.0


def test_the_first_steps_of_trials_say_nothing_of_the_pace(clock):
    load = Workload()
    load.add(400)
    trials = [running(1) for _ in range(4)]  # of each arm the first, and then it is compiled
    for trial in trials:
        load.start(trial)
    clock[0] = 30.0
    assert load.remaining(trials) is None
    trials[0].step = 17
    clock[0] = 40.0
    assert load.remaining(trials) == 760.0  # 20 of 400 steps in 40 seconds


def test_steps_that_a_checkpoint_saved_are_no_work(clock):
    load = Workload()
    load.add(100)
    trial = running(80, resumed_at=80)
    load.start(trial)
    assert load.share([trial]) == 0.0
    trial.step = 90
    clock[0] = 10.0
    assert load.share([trial]) == 0.5
    assert load.remaining([trial]) == 10.0


def test_a_trial_put_back_is_to_be_done_again(clock):
    load = Workload()
    load.add(200)
    trial = running(60)
    load.start(trial)
    load.put_back(trial)
    assert load.share([]) == 0.0
