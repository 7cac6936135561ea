"""Worker processes: their environment, their deaths, their end. Played by short scripts."""

import os
import signal
import time
from pathlib import Path

import pytest

from ganbench.config.model import Component, Evaluation
from ganbench.study import pool as pool_module
from ganbench.study.definition import Definition
from ganbench.study.messages import Idle, Job, Notice
from ganbench.study.pool import Pool

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by signal")


def tells_its_environment(job, connection):
    connection.send(Notice(f"{job.device} {os.environ.get('OMP_NUM_THREADS')}"))
    connection.send(Idle())


def listens(job, connection):
    connection.send(Notice("ready"))
    connection.recv()


def ignores_everything(job, connection):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection.send(Notice("ready"))
    time.sleep(600)


def is_killed(job, connection):
    os.kill(os.getpid(), signal.SIGKILL)


def leaves(job, connection):
    os._exit(3)


def tells_what_is_new(job, connection):
    connection.send(Notice(os.environ.get("GANBENCH_NEWS", "none")))


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Start workers that play a script instead of training."""
    pools = []

    def start(script, count=1, devices=("cpu",)):
        monkeypatch.setattr(pool_module.worker, "main", script)
        job = Job(
            report=Path(tmp_path),
            definition=Definition("tiny", ("baseline",), {}, (0,)),
            dataset=Component(name="ring"),
            evaluation=Evaluation(),
            configs={},
            plugins=(),
            data_root=None,
            cache=tmp_path,
            device=devices[0],
        )
        pool = Pool(job, devices)
        pools.append(pool)
        for index in range(count):
            pool.start(index)
        return pool

    yield start
    for pool in pools:
        pool.kill()


def said(worker):
    """Return the next thing that a worker says."""
    assert worker.connection.poll(120)
    return next(worker.receive())


def test_a_worker_has_the_environment_that_the_supervisor_has_when_it_starts_it(start, monkeypatch):
    for news in ("one", "two"):
        monkeypatch.setenv("GANBENCH_NEWS", news)
        (only,) = start(tells_what_is_new).workers
        assert said(only) == Notice(news)
    monkeypatch.delenv("GANBENCH_NEWS")
    (only,) = start(tells_what_is_new).workers
    assert said(only) == Notice("none")


def test_workers_share_the_devices_and_have_one_thread_on_a_cpu(start, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    pool = start(tells_its_environment, count=3, devices=("cpu", "mps"))
    assert [said(worker).text for worker in pool.workers] == ["cpu 1", "mps 7", "cpu 1"]
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(
    ("script", "cause"),
    [(is_killed, "killed by SIGKILL, as when memory runs out"), (leaves, "ended with exit code 3")],
)
def test_a_death_wakes_the_supervisor_and_has_a_cause(start, script, cause):
    pool = start(script)
    (worker,) = pool.workers
    while worker.alive:
        pool.wait(120)  # returns at once, or this test never ends
    assert list(worker.receive()) == []
    assert worker.cause_of_death == cause
    pool.remove(worker)
    assert pool.workers == []


def test_workers_are_asked_to_stop_before_they_are_made_to(start):
    pool = start(listens)
    (worker,) = pool.workers
    said(worker)
    pool.end(lambda: False)
    assert pool.workers == []
    assert worker.process.exitcode == 0


@pytest.mark.parametrize("patience", ["none left", "in a hurry"])
def test_a_worker_that_does_not_listen_is_killed(start, monkeypatch, patience):
    if patience == "none left":
        monkeypatch.setattr(pool_module, "GRACE_SECONDS", 0.0)
    pool = start(ignores_everything)
    (worker,) = pool.workers
    said(worker)
    pool.end(lambda: patience == "in a hurry")
    assert pool.workers == []
    assert worker.process.exitcode == -signal.SIGKILL
