"""The signs of collapse that were seen: of each arm which, in how many seeds, from when on."""

from statistics import median

from ganbench.evaluation.collapse import SIGNS, Sign
from ganbench.report.table import Table
from ganbench.report.words import number
from ganbench.study.results import StudyResults

HEAD = ("Arm", "Sign of collapse", "Seeds", "At the last evaluation", "First seen at step")


def signs_table(results: StudyResults) -> Table | None:
    """Return a row for each arm and sign; None if none was seen.

    Seeds are counted of those with an evaluation, diverged trials too; the step is the median
    over the seeds that show the sign.
    """
    rows = []
    for arm in results.arms:
        trials = [t for t in results.of_arm(arm.name).values() if t.evaluations]
        for sign in SIGNS:
            seen = [[p.step for p in t.evaluations if sign in p.signs] for t in trials]
            firsts = [steps[0] for steps in seen if steps]
            if firsts:
                last = sum(sign in trial.evaluations[-1].signs for trial in trials)
                row = (f"{len(firsts)} / {len(trials)}", f"{last} / {len(trials)}")
                rows.append((arm.name, sign, *row, number(median(firsts))))
    return Table(HEAD, tuple(rows), 2) if rows else None


def sign_notes(table: Table | None) -> tuple[tuple[Sign, str], ...]:
    """Return what the signs in a table mean."""
    shown = {row[1] for row in table.rows} if table is not None else set()
    return tuple((sign, meaning) for sign, meaning in SIGNS.items() if sign in shown)
