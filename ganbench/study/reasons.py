"""Why an arm has the verdict it has, or none, in plain words; no torch here."""

from collections.abc import Mapping
from dataclasses import dataclass

from ganbench.study.comparison import Effect
from ganbench.study.planning import MOST_SEEDS
from ganbench.study.results import Outcome


@dataclass(frozen=True)
class Census:
    """What became of an arm's pairs.

    Attributes
    ----------
    figure : str
        The primary one.
    seeds : int
        Of the study.
    ours, theirs : mapping of str to int
        Trials of the arm and of the baseline by outcome.
    undefined : int
        Complete trials of the arm that ended without a finite figure, and rank last.
    both_last : int
        Seeds at which both the arm and the baseline rank last, so that there is no pair.
    """

    figure: str
    seeds: int
    ours: Mapping[Outcome, int]
    theirs: Mapping[Outcome, int]
    undefined: int
    both_last: int

    def why_too_few(self) -> str:
        """Say why there are fewer than two pairs."""
        causes: tuple[Outcome, ...] = ("failed", "pending")
        parts = [
            f"{owner}{cause}: {counts[cause]} of {self.seeds} trials"
            for owner, counts in (("", self.ours), ("baseline ", self.theirs))
            for cause in causes
            if counts[cause]
        ]
        if self.both_last:
            parts.append(self._both_last())
        return "; ".join(parts) or "a verdict needs two seeds, and the study has one"

    def annotated(self, reason: str) -> str:
        """Return a verdict's reason with what the reader must know of trials that rank last."""
        parts = [reason]
        if self.undefined:
            trials = "1 trial" if self.undefined == 1 else f"{self.undefined} trials"
            rank = "ranks" if self.undefined == 1 else "rank"
            parts.append(f"{trials} ended without a finite {self.figure} and {rank} last")
        if self.both_last:
            parts.append(self._both_last())
        return "; ".join(parts)

    def _both_last(self) -> str:
        return (
            f"at {self.both_last} of {self.seeds} seeds neither the arm nor the baseline has a "
            f"finite {self.figure}, and nothing can be compared"
        )


def why_inconclusive(effect: Effect, p_holm: float, alpha: float, needed: int | None) -> str:
    """Say what an inconclusive arm lacks, and how many seeds would probably settle it."""
    if effect.low <= 0 <= effect.high:
        why = "the interval holds both better and worse"
    elif p_holm >= alpha:
        why = f"the corrected test does not reach {alpha:g}"
    else:
        why = "interval and test disagree"
    pairs = len(effect.differences)
    if needed is None:
        return f"{why}; over {MOST_SEEDS} seeds would be needed"
    more = needed - pairs
    seeds = "1 more seed" if more == 1 else f"{more} more seeds"
    return f"{why}; about {seeds} would be needed ({needed} in all)"
