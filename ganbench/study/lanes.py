"""Trials that a worker trains at the same time, side by side or as one."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ganbench.config.model import TrialConfig
from ganbench.study.claim import Claim
from ganbench.study.lane import Course, Lane
from ganbench.study.records import Cell
from ganbench.training import Together, Trial, row_of


def room(config: TrialConfig, claim: Claim, auto: int) -> int:
    """Return how many trials of a configuration are trained together, a claimed one included.

    A search's are trained one by one: what they come to decides which are wanted next.

    Parameters
    ----------
    config : TrialConfig
    claim : Claim
    auto : int
        What ``execution.together: auto`` is.
    """
    return 1 if claim.search is not None else config.execution.company(auto)


def parties(cells: Iterable[Cell], room_of: Callable[[Cell], int]) -> list[list[Cell]]:
    """Return cells in groups, each of one worker's at a time, in the order of their first.

    Parameters
    ----------
    cells : iterable of Cell
    room_of : callable (cell) -> int
        How many of its configuration are trained together.
    """
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    seen: Counter[tuple[Any, ...]] = Counter()
    for cell in cells:
        kind, room = (cell.key, cell.fingerprint), room_of(cell)
        own = *kind, row_of(cell.seed, room)
        groups.setdefault((*kind, seen[own]), []).append(cell)
        seen[own] += 1
    return list(groups.values())


@dataclass
class _Running:
    """A trial on its way."""

    course: Course
    trial: Trial
    wanted: int


def lead(lanes: Sequence[Lane], together: int) -> None:
    """Lead trials of one configuration to their ends.

    Those that are at one step take their steps together from there on: a trial that goes on from
    its checkpoint is with those that it was with.

    Parameters
    ----------
    lanes : sequence of Lane
    together : int
        How many there may be.

    Raises
    ------
    LedgerError, OrphanedError, FilesError
        As of ``Lane.course``.
    """
    waiting: list[_Running] = []
    for lane in lanes:
        course = lane.course()
        wish = next(course, None)
        if wish is not None:
            waiting.append(_Running(course, *wish))
    steps = sorted({running.trial.step for running in waiting})
    cohorts = [[one for one in waiting if one.trial.step == step] for step in steps]
    groups = [(Together([one.trial for one in own], together), own) for own in cohorts]
    while groups:
        for group, members in groups:
            _take(group, members)
        groups = [(group, members) for group, members in groups if members]


def _take(group: Together, members: list[_Running]) -> None:
    """Let some trials take steps together, and take leave of those that have ended."""
    began = time.monotonic()
    group.advance([one.trial for one in members], min(one.wanted for one in members))
    seconds = time.monotonic() - began
    for one in list(members):
        failure = group.failures.get(one.trial)
        try:
            one.trial, one.wanted = (
                one.course.send(seconds) if failure is None else one.course.throw(failure)
            )
        except StopIteration:
            members.remove(one)
