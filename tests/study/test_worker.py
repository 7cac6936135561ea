"""A worker records nothing once its supervisor is gone."""

import multiprocessing

import pytest

from ganbench.study.messages import Notice, Stop
from ganbench.study.worker import Link, OrphanedError, kind_of


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
