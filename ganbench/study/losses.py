"""Workers that were lost over one trial: how many are no accident."""

from ganbench.study.own_studies import Standing
from ganbench.study.records import ANSWERS, Record

RESUMED = "resumed at"
"""Attribute of a trial: the step at which it found the checkpoint of an earlier one."""
TRIES = 3
"""So many workers may be lost over one trial: then it is no accident."""


def times_lost(known: Standing) -> int:
    """Return how many workers the work of a trial has cost, its own loss included.

    Those are counted that were lost one after another since it last got on, that is, since one was
    measured at more steps than any before, or found a checkpoint further on than any before.
    """
    times, furthest = 0, (0, 0)
    for trial in known.trials:
        outcome = Record("", trial).ending.get("outcome")
        if trial.number == known.own.number or outcome == "lost":
            reached = (len(trial.intermediate_values), trial.user_attrs.get(RESUMED, 0))
            got_on = any(new > old for new, old in zip(reached, furthest, strict=True))
            times = 1 if got_on else times + 1
            furthest = (max(furthest[0], reached[0]), max(furthest[1], reached[1]))
        elif trial.state in ANSWERS or outcome == "failed":
            times, furthest = 0, (0, 0)
        if trial.number == known.own.number:
            break
    return times


def lost_for_good(cause: str) -> str:
    """Return what is said of a trial that cost ``TRIES`` workers."""
    return f"its worker was lost {TRIES} times, the last time {cause}"
