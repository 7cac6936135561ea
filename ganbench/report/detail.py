"""Which arms a report shows in detail: a thousand small curves tell a reader nothing."""

from collections.abc import Sequence
from dataclasses import replace

from ganbench.study.comparison import Comparison
from ganbench.study.results import StudyResults

MOST = 40
"""Arms, besides what they are compared with."""


def in_detail(results: StudyResults, comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Return the rows to show in detail, in their order: what is compared with, and ``MOST`` more.

    An A/A arm comes first, then those that help or hurt, then those that changed most.
    """
    reference, *arms = comparisons
    if len(arms) <= MOST:
        return tuple(comparisons)
    again = {arm.name for arm in results.arms if arm.is_again}

    def rank(row: Comparison) -> tuple[bool, bool, float]:
        change = abs(row.effect.estimate) if row.effect is not None else -1.0
        return row.arm not in again, row.verdict not in ("helps", "hurts"), -change

    chosen = {row.arm for row in sorted(arms, key=rank)[:MOST]}
    return (reference, *(row for row in arms if row.arm in chosen))


def limited(results: StudyResults, shown: Sequence[Comparison]) -> StudyResults:
    """Return results that have the arms of these rows alone."""
    names = {row.arm for row in shown}
    return replace(results, arms=tuple(arm for arm in results.arms if arm.name in names))


def what_is_left_out(results: StudyResults, shown: Sequence[Comparison]) -> str:
    """Say how many arms the sections below leave out, and where they are; empty if none."""
    count, total = len(shown) - 1, len(results.arms) - 1
    if count == total:
        return ""
    return (
        f"What follows shows {results.reference} and {count} of the {total:,} other arms: those "
        "that help or hurt first, then those that changed most. The table above has all of them, "
        "arms.csv every arm's figures, and results.csv every trial."
    )
