"""Warnings before collapses: who counts, and how, by hand."""

import pytest

from ganbench.study.precedence import precedence
from ganbench.study.results import EvaluationPoint, TrialResult

RIGHT = ("D always right",)
HEALTHY, ILL = "healthy", "partial collapse"


def trial(seed, *states, outcome="complete", watched=True):
    points = tuple(
        EvaluationPoint(
            step,
            1.0,
            {},
            health,
            {},
            watched={"accuracy": 1.0} if watched else {},
            warnings=warnings,
        )
        for step, (health, warnings) in enumerate(states)
    )
    return TrialResult("baseline", seed, "k", outcome, points)


def test_trials_are_counted_by_what_they_were_warned_of_in_health():
    trials = [
        trial(0, (HEALTHY, RIGHT), (ILL, ())),
        trial(1, (HEALTHY, ()), (HEALTHY, RIGHT), (ILL, RIGHT)),
        trial(2, (HEALTHY, RIGHT), (HEALTHY, ())),
        trial(3, (HEALTHY, ()), (HEALTHY, RIGHT)),  # warned at the end: nothing comes after
        trial(4, (HEALTHY, ()), (ILL, RIGHT)),  # warned in collapse
        trial(5, (HEALTHY, RIGHT), outcome="diverged"),
        trial(6, (ILL, RIGHT), (HEALTHY, ())),  # never healthy before its end
        trial(7, (HEALTHY, RIGHT), (ILL, ()), watched=False),
        trial(8, (HEALTHY, RIGHT), (ILL, ()), outcome="failed"),
    ]
    (found,) = precedence(trials)
    assert found.warning == "D always right"
    assert (found.warned, found.warned_bad) == (4, 3)
    assert (found.quiet, found.quiet_bad) == (2, 1)


def test_fishers_exact_p_is_the_textbooks():
    # Fisher's tea (1935): 3 and 1 against 1 and 3 of four cups each, p = 34/70 two-sided.
    warned = [trial(i, (HEALTHY, RIGHT), (ILL if i < 3 else HEALTHY, ())) for i in range(4)]
    quiet = [trial(i, (HEALTHY, ()), (ILL if i < 1 else HEALTHY, ())) for i in range(4)]
    assert precedence([*warned, *quiet])[0].p == pytest.approx(34 / 70)


def test_without_a_warning_there_is_nothing_to_read():
    assert precedence([trial(0, (HEALTHY, ()), (ILL, ()))]) == ()
