"""Why an arm has the verdict it has, or none, in plain words; no torch here."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log1p

from ganbench.study.comparison import Effect, Looks
from ganbench.study.planning import MOST_SEEDS
from ganbench.study.results import Outcome

AGREED = "interval and corrected test agree"


@dataclass(frozen=True)
class Census:
    """What became of an arm's pairs.

    Attributes
    ----------
    figure : str
        The primary one, as a reader knows it.
    seeds : int
        Of the study.
    ours, theirs : mapping of str to int
        Trials of the arm and of the baseline by outcome.
    undefined, their_undefined : int
        Complete trials of the arm, and of the baseline, that ended without a finite figure, and
        rank last.
    both_last : int
        Seeds at which both the arm and the baseline rank last, so that there is no pair.
    reference : str
        What the arm is compared with: that is meant by the baseline here.
    """

    figure: str
    seeds: int
    ours: Mapping[Outcome, int]
    theirs: Mapping[Outcome, int]
    undefined: int
    their_undefined: int
    both_last: int
    reference: str = "the baseline"

    def why_too_few(self) -> str:
        """Say why there are fewer than two pairs."""
        causes: tuple[Outcome, ...] = ("failed", "pending")
        parts = [
            f"{owner}{cause}: {counts[cause]} of {self.seeds} trials"
            for owner, counts in (
                ("", self.ours),
                (f"{self.reference.removeprefix('the ')} ", self.theirs),
            )
            for cause in causes
            if counts[cause]
        ]
        parts += self._ranked_last()
        return "; ".join(parts) or "a verdict needs two seeds, and the study has one"

    def annotated(self, reason: str, looks: Looks | None = None, settled: bool = True) -> str:
        """Return a verdict's reason after what the reader must know.

        That is of trials that rank last and, where seeds are added, of the looks taken.
        """
        told = [_told(looks, settled)] if looks is not None else []
        return "; ".join([*self._ranked_last(), *told, reason])

    def own(self) -> str:
        """Say how many of the arm's own trials rank last, and why; empty if none does."""
        return "; ".join(self._of("", self.ours["diverged"], self.undefined))

    def _ranked_last(self) -> list[str]:
        parts = self._of("", self.ours["diverged"], self.undefined)
        parts += self._of(f"{self.reference} ", self.theirs["diverged"], self.their_undefined)
        if self.both_last:
            parts.append(
                f"where both rank last ({self._seeds(self.both_last)}), nothing can be compared"
            )
        return parts

    def _of(self, owner: str, diverged: int, undefined: int) -> list[str]:
        """Return a clause on trials that diverged, and one on those without a figure."""
        parts = []
        if diverged:
            parts.append(f"{owner}diverged at {self._seeds(diverged)}, and ranks last there")
        if undefined:
            parts.append(
                f"{owner}ended without a finite {self.figure} at {self._seeds(undefined)}, and "
                "ranks last there"
            )
        return parts

    def _seeds(self, amount: int) -> str:
        if amount < self.seeds:
            return f"{amount} of {self.seeds} seeds"
        return "its only seed" if amount == 1 else f"all {amount} seeds"


def _told(looks: Looks, settled: bool) -> str:
    """Say after which look an arm stands where it does."""
    if settled:
        state = f"settled at look {looks.taken} of {looks.planned}"
    elif looks.is_open:
        state = f"open after look {looks.taken} of {looks.planned}"
    else:
        state = f"still open at the last of {looks.planned} looks"
    return f"{state}, with {looks.seeds} seeds"


def why_not_yet(looks: Looks) -> str:
    """Say why nothing is known of an arm before the first look."""
    return f"no look has been taken yet: the first of {looks.planned} is at {looks.seeds} seeds"


def why_inconclusive(effect: Effect, p_holm: float, alpha: float) -> str:
    """Say what an inconclusive arm lacks."""
    if effect.low <= 0 <= effect.high:
        return "the interval holds both better and worse"
    if p_holm >= alpha:
        return f"the corrected test does not reach {alpha:g}"
    return "interval and test disagree"


def more_seeds(
    effect: Effect, margin: float, for_effect: int | None, for_margin: int | None
) -> str:
    """Say how many seeds would probably settle an arm: one number for each way that is open.

    An effect that was seen outside the margin is not to be shown to lie within it.

    Parameters
    ----------
    effect : Effect
        As observed.
    margin : float in (0, 1)
    for_effect, for_margin : int or None
        In all; None if over ``MOST_SEEDS``.
    """

    def about(needed: int | None) -> str:
        if needed is None:
            return f"over {MOST_SEEDS} seeds"
        return f"about {needed} seeds ({needed - len(effect.differences)} more)"

    shown = f"to show an effect of the size seen would take {about(for_effect)}"
    inside = log1p(-margin) < effect.estimate < log1p(margin)
    if effect.method == "signed rank" or not inside:
        return shown
    return f"{shown}; that it lies within the margin of ±{margin:.0%}, {about(for_margin)}"
