"""Whether early warnings come before collapses in a study: exploratory counts."""

from collections.abc import Iterable
from dataclasses import dataclass

from ganbench.evaluation.early import WARNINGS, EarlyWarning
from ganbench.study.results import TrialResult

BAD = ("partial collapse", "total collapse", "diverged")


@dataclass(frozen=True)
class Precedence:
    """How trials ended that were warned of while they were healthy, and how the others.

    Attributes
    ----------
    warning : str
    warned, warned_bad : int
        Trials with the warning at an evaluation that was healthy and not the last, and those
        of them that ended collapsed or diverged.
    quiet, quiet_bad : int
        The same of trials that were healthy before their end, and never had it then.
    p : float
        Fisher's exact test, two-sided.
    """

    warning: EarlyWarning
    warned: int
    warned_bad: int
    quiet: int
    quiet_bad: int
    p: float


def precedence(trials: Iterable[TrialResult]) -> tuple[Precedence, ...]:
    """Return a reading of each warning that some trial had while it was healthy.

    Only trials that ended count, and were healthy at an evaluation before their end: the others
    had nothing left to be warned of.

    Parameters
    ----------
    trials : iterable of TrialResult
        With evaluations at which training was watched.
    """
    cases = [case for trial in trials if (case := _case(trial)) is not None]
    found = []
    for warning in WARNINGS:
        warned = [bad for warnings, bad in cases if warning in warnings]
        quiet = [bad for warnings, bad in cases if warning not in warnings]
        if warned:
            counts = (len(warned), sum(warned), len(quiet), sum(quiet))
            found.append(Precedence(warning, *counts, _fisher(*counts)))
    return tuple(found)


def _case(trial: TrialResult) -> tuple[frozenset[EarlyWarning], bool] | None:
    """Return the warnings that a trial had in health, and whether it ended badly."""
    if trial.outcome not in ("complete", "diverged") or not trial.evaluations:
        return None
    diverged = trial.outcome == "diverged"
    before = trial.evaluations if diverged else trial.evaluations[:-1]
    healthy = [point for point in before if point.health == "healthy"]
    if not any(point.watched for point in healthy):
        return None
    warnings = frozenset(warning for point in healthy for warning in point.warnings)
    return warnings, diverged or trial.evaluations[-1].health in BAD


def _fisher(warned: int, warned_bad: int, quiet: int, quiet_bad: int) -> float:
    from scipy.stats import fisher_exact  # late: it takes a second

    table = [[warned_bad, warned - warned_bad], [quiet_bad, quiet - quiet_bad]]
    return float(fisher_exact(table).pvalue)
