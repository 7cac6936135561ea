"""A worker records nothing once its supervisor is gone."""

import multiprocessing
import os
import subprocess
import sys

import pytest

from ganbench.study import worker as worker_module
from ganbench.study.lane import kind_of
from ganbench.study.link import Link, OrphanedError
from ganbench.study.messages import Notice, Stop
from ganbench.testing import tiny_config


@pytest.fixture
def pipe():
    ours, theirs = multiprocessing.Pipe()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_worker_stops_when_it_is_told_to_and_not_before(pipe):
    supervisor, end = pipe
    link = Link(end)
    assert not link.stopped()
    supervisor.send(Stop())
    assert link.stopped()
    assert link.stopped()


@pytest.mark.parametrize(
    "act", [Link.stopped, Link.check, lambda link: link.send(Notice("still here"))]
)
def test_a_worker_notices_that_its_supervisor_is_gone(pipe, act):
    supervisor, end = pipe
    link = Link(end)
    supervisor.close()
    with pytest.raises(OrphanedError):
        act(link)


def test_a_notice_is_passed_on_once_whichever_trial_it_is_about(pipe):
    supervisor, end = pipe
    link = Link(end)
    for seed in (0, 1):
        link.notice(f"checkpoints/{seed}.pt: no space left")
    assert supervisor.recv() == Notice("checkpoints/0.pt: no space left")
    assert not supervisor.poll()


def test_failures_are_of_one_kind_by_the_line_that_raised_first():
    def fail(text):
        try:
            try:
                raise ValueError(text)
            except ValueError as error:
                raise RuntimeError(f"about {text}") from error
        except RuntimeError as error:
            return kind_of(error)

    assert fail("one") == fail("two")
    assert fail("one").startswith("ValueError at test_worker.py:")


SUPERVISOR = """
import multiprocessing, sys, time

from ganbench.study.link import end_with_the_supervisor


def work():
    end_with_the_supervisor()
    print("works", flush=True)
    time.sleep(120)  # as in an evaluation: it does not look at its pipe


if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=work).start()
    time.sleep(120)
"""


@pytest.mark.skipif(os.name == "nt", reason="kills by signal")
def test_a_worker_ends_with_its_supervisor_whatever_it_is_at(tmp_path):
    script = tmp_path / "supervisor.py"
    script.write_text(SUPERVISOR)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE) as supervisor:
        assert supervisor.stdout.readline() == b"works\n"
        supervisor.kill()
        # The worker holds the other end: this returns when it has ended too.
        assert supervisor.communicate(timeout=60)[0] == b""


def test_a_configuration_of_another_ganbench_is_declined():
    worker = object.__new__(worker_module._Worker)
    stated = {**tiny_config().model_dump(mode="json"), "key of tomorrow": 1}
    assert worker._config_of("key", stated) is None
    assert worker._config_of("key", tiny_config().model_dump(mode="json")) == tiny_config()
