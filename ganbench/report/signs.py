"""What was seen on the way: signs of collapse, early warnings, and which came first."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from ganbench.evaluation.collapse import SIGNS
from ganbench.evaluation.early import WARNINGS, rules
from ganbench.report.table import Table
from ganbench.report.words import number, p_value
from ganbench.study.precedence import precedence
from ganbench.study.results import EvaluationPoint, StudyResults

NO_OVERFITTING = (
    "Whether D overfits was nowhere to be told: the data have no items that are held out of "
    "training, or D had no opinion to measure it by."
)
Notes = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Seen:
    """A table of what was seen, an arm and a sign a row, and what each sign means."""

    table: Table
    meanings: Notes


@dataclass(frozen=True)
class EarlySection:
    """The early warnings of a study.

    Attributes
    ----------
    rules : tuple of str
    seen : Seen or None
        None where there was none.
    missing : str
        What could not be looked for; empty if everything could.
    before : Table or None
        How trials ended that were warned of while healthy; None if there was none.
    """

    rules: tuple[str, ...]
    seen: Seen | None
    missing: str
    before: Table | None


def signs_seen(results: StudyResults) -> Seen | None:
    """Return the signs of collapse; None if none was seen."""
    return _seen(results, "Sign of collapse", SIGNS, lambda point: point.signs)


def early_section(results: StudyResults) -> EarlySection | None:
    """Return the early warnings; None if no training was watched."""
    points = [point for trial in results.trials for point in trial.evaluations]
    if not any(point.watched for point in points):
        return None
    could = any("overfitting" in point.watched for point in points)
    shown = {arm.name for arm in results.arms}
    rows = tuple(
        (
            found.warning,
            f"{found.warned_bad} / {found.warned}",
            f"{found.quiet_bad} / {found.quiet}",
            p_value(found.p),
        )
        for found in precedence(trial for trial in results.trials if trial.arm in shown)
    )
    head = ("Warning", "Ended badly after it", "Ended badly without it", "p")
    return EarlySection(
        rules(),
        _seen(results, "Early warning", WARNINGS, lambda point: point.warnings),
        "" if could else NO_OVERFITTING,
        Table(head, rows) if rows else None,
    )


def _seen(
    results: StudyResults,
    kind: str,
    meanings: Mapping[Any, str],
    of: Callable[[EvaluationPoint], Sequence[str]],
) -> Seen | None:
    """Count what was seen, by arm, over the seeds that have an evaluation."""
    rows = []
    for arm in results.arms:
        trials = [t for t in results.of_arm(arm.name).values() if t.evaluations]
        for sign in meanings:
            found = [[p.step for p in trial.evaluations if sign in of(p)] for trial in trials]
            firsts = [steps[0] for steps in found if steps]
            if firsts:
                last = sum(sign in of(trial.evaluations[-1]) for trial in trials)
                shares = (f"{len(firsts)} / {len(trials)}", f"{last} / {len(trials)}")
                rows.append((arm.name, sign, *shares, number(median(firsts))))
    if not rows:
        return None
    head = ("Arm", kind, "Seeds", "At the last evaluation", "First seen at step")
    told = {row[1] for row in rows}
    shown = tuple((sign, meaning) for sign, meaning in meanings.items() if sign in told)
    return Seen(Table(head, tuple(rows), 2), shown)
