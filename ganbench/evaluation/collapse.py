"""When a generator counts as collapsed: one set of rules, for the code and for the reader."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal, Protocol

Health = Literal["healthy", "partial collapse", "total collapse", "diverged"]
Sign = Literal[
    "missing modes",
    "low diversity",
    "low diversity within modes",
    "near copies",
    "shrinking diversity",
    "oscillation",
]
"""What a collapse is seen by."""
SIGNS: Mapping[Sign, str] = {
    "missing modes": "Whole kinds of data, such as a digit, are absent from the samples or nearly "
    "so.",
    "low diversity": "The samples, all of them together, are much more alike than data are.",
    "low diversity within modes": "Samples of one kind are much more alike than data of one kind: "
    "a single style for each digit, say.",
    "near copies": "Most samples have another one that is almost the same: a few images are made "
    "again and again, as by a generator that has memorised a few training images.",
    "shrinking diversity": "The samples were more varied before, and have become more alike from "
    "evaluation to evaluation.",
    "oscillation": "The generator moves between modes: again and again most samples are of kinds "
    "that the evaluation before hardly had, and the kinds of then are gone.",
}
"""What each sign means, for whoever meets it for the first time."""

TOTAL_MODES = 0.1
PARTIAL_MODES = 0.8
"""Shares of the attainable modes: no more is a total, less a partial collapse."""
TOTAL_DIVERSITY = 0.2
PARTIAL_DIVERSITY = 0.5
"""Shares of the data's diversity: less is a total, less a partial collapse."""
NEAR = 0.01
"""Share of data that have a neighbour within the distance at which it would be a near copy."""
COPIES = 0.5
"""Share of samples with a near copy from which on it is most of them."""
SHRUNK = 0.75
"""Part of the best diversity so far under which a trend downwards counts."""
TREND, RISES = 5, 1
"""Evaluations that show a trend, and how many of their pairs may rise: by chance, of values
without order, so few do in 5 of 120 cases."""
MOVED, EMPTIED = 0.5, 0.1
"""Share of the samples that change modes in a swing: those of modes whose own share falls to a
tenth or less, or grew from that. Learning adds modes, and keeps those it has."""
SWINGS, WINDOW = 2, 5
"""Swings that make an oscillation, and the evaluations among which they are looked for."""
CHANCE = 6.0
"""Standard deviations of what draws of the data show that each limit keeps away from it: a
thousand draws of a normal figure cross that once in a million studies, and of any figure with
one peak at most one draw in 80 does (Vysochanskij and Petunin, 1980)."""


class Seen(Protocol):
    """An evaluation, as far as the rules look at it."""

    @property
    def figures(self) -> Mapping[str, float]:
        """The metrics' figures; those are read that there are."""

    @property
    def histogram(self) -> Sequence[int]:
        """Samples of each mode; empty without modes."""


@dataclass(frozen=True)
class Measurement:
    """What was measured of some samples, as ``Seen``."""

    figures: dict[str, float]
    histogram: tuple[int, ...] = ()


@dataclass(frozen=True)
class Finding:
    """The state that a generator is in, and the signs that it was seen by."""

    health: Health
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True)
class Spread:
    """What a figure comes to over draws of the data themselves.

    Attributes
    ----------
    mean, deviation : float
    """

    mean: float
    deviation: float

    def not_above(self, limit: float) -> float:
        """Return a lower limit that no draw of the data falls below by chance."""
        return min(limit, self.mean - CHANCE * self.deviation)

    def not_below(self, limit: float) -> float:
        """Return an upper limit that no draw of the data reaches by chance."""
        return max(limit, self.mean + CHANCE * self.deviation)


class CollapseRules:
    """The rules, with the limits that the data of a study allow.

    A state is a function of what was recorded of the trial's evaluations so far and of
    nothing else, so that a trial comes out the same however often it was resumed.

    Parameters
    ----------
    attainable : Spread or None
        Modes that a perfect generator shows with as many samples. None, or so few that by
        chance it may show a single one, and modes say nothing.
    draws : mapping of str to Spread
        Over draws of the data: ``diversity``, ``diversity_within``, ``near_copies``. For one
        that is not among them the constants hold as they are.
    """

    def __init__(self, attainable: Spread | None, draws: Mapping[str, Spread]) -> None:
        telling = attainable is not None and attainable.not_above(math.inf) > 1
        self._attainable = attainable if telling else None
        self._draws = dict(draws)

    def judge(self, history: Sequence[Seen]) -> Finding:
        """Name the state of a generator.

        Parameters
        ----------
        history : sequence of Seen
            The trial's evaluations, the one to judge last. Each of its figures must be
            finite, or the trial has diverged.
        """
        figures = history[-1].figures
        if not all(math.isfinite(value) for value in figures.values()):
            return Finding("diverged")
        total = self._few_modes(figures, total=True)
        total |= self._below("diversity", figures, TOTAL_DIVERSITY)
        found: dict[Sign, bool] = {
            "missing modes": self._few_modes(figures),
            "low diversity": self._below("diversity", figures, PARTIAL_DIVERSITY),
            "low diversity within modes": self._below(
                "diversity_within", figures, PARTIAL_DIVERSITY
            ),
            "near copies": figures.get("near_copies", 0.0) >= self._most_copies(),
            "shrinking diversity": any(
                self._shrinking(key, history) for key in ("diversity", "diversity_within")
            ),
            "oscillation": self._oscillating(history),
        }
        signs = tuple(sign for sign, seen in found.items() if seen)
        if total:
            return Finding("total collapse", signs)
        return Finding("partial collapse" if signs else "healthy", signs)

    def _few_modes(self, figures: Mapping[str, float], total: bool = False) -> bool:
        if self._attainable is None or "modes" not in figures:
            return False
        modes, most = figures["modes"], self._attainable.mean
        if modes <= max(1, TOTAL_MODES * most):
            return True
        return not total and modes < self._attainable.not_above(PARTIAL_MODES * most)

    def _not_above(self, key: str, limit: float) -> float:
        draws = self._draws.get(key)
        return limit if draws is None else draws.not_above(limit)

    def _most_copies(self) -> float:
        draws = self._draws.get("near_copies")
        return COPIES if draws is None else draws.not_below(COPIES)

    def _below(self, key: str, figures: Mapping[str, float], limit: float) -> bool:
        return key in figures and figures[key] < self._not_above(key, limit)

    def _shrinking(self, key: str, history: Sequence[Seen]) -> bool:
        """Say whether a trend downwards was seen, and what it took away has not come back."""
        if key not in history[-1].figures:
            return False
        values = [seen.figures[key] for seen in history if key in seen.figures]
        # More varied than the data is no asset to be lost: noise is.
        usual = self._draws[key].mean if key in self._draws else 1.0
        best, seen = 0.0, False
        for place, value in enumerate(values):
            limit = self._not_above(key, SHRUNK * best)
            recent = values[max(0, place + 1 - TREND) : place + 1]
            rises = sum(later >= earlier for earlier, later in combinations(recent, 2))
            falls = len(recent) == TREND and rises <= RISES
            seen = (seen or falls) and value < limit
            best = max(best, min(value, usual))
        return seen

    def _oscillating(self, history: Sequence[Seen]) -> bool:
        if not self._few_modes(history[-1].figures):
            return False
        recent = [seen for seen in history[-WINDOW:] if seen.histogram]
        return (
            sum(
                self._few_modes(earlier.figures)
                and moved(earlier.histogram, later.histogram) >= MOVED
                for earlier, later in pairwise(recent)
            )
            >= SWINGS
        )

    def describe(self, figures: frozenset[str]) -> str:
        """Say the rules in words, one a line, as they stand for a study.

        Parameters
        ----------
        figures : frozenset of str
            The figures that the study measures.
        """
        total, partial = [], []
        if self._attainable is not None and "modes" in figures:
            most = self._attainable.mean
            of = f"of the {most:.3g} modes that a perfect generator would show"
            total.append(f"at most one mode, or at most {TOTAL_MODES:.0%} {of}")
            share = self._attainable.not_above(PARTIAL_MODES * most) / most
            partial.append(f"Missing modes: fewer than {share:.0%} of those modes.")
        if "diversity" in figures:
            limit = self._not_above("diversity", TOTAL_DIVERSITY)
            total.append(f"diversity below {limit:.2g} of the data's")
            limit = self._not_above("diversity", PARTIAL_DIVERSITY)
            partial.append(f"Low diversity: below {limit:.2g} of the data's.")
        if "diversity_within" in figures:
            limit = self._not_above("diversity_within", PARTIAL_DIVERSITY)
            partial.append(f"Low diversity within modes: below {limit:.2g} of the data's.")
        if "near_copies" in figures and (share := self._most_copies()) <= 1:
            partial.append(
                f"Near copies: at least {share:.0%} of the samples have another as near as "
                f"{NEAR:.0%} of data have a neighbour."
            )
        if figures & {"diversity", "diversity_within"}:
            partial.append(
                f"Shrinking diversity: it fell over {TREND} evaluations, and is still below "
                f"{SHRUNK:.0%} of the trial's best, or of the data's if that is less."
            )
        if self._attainable is not None and "modes" in figures:
            partial.append(
                f"Oscillation: modes are missing, and {SWINGS} times within {WINDOW} evaluations "
                f"{MOVED:.0%} of the samples or more moved, out of modes that were left nearly "
                "empty, into modes that had been."
            )
        rules = ["Diverged: a loss, a sample or a figure is not finite."]
        if total:
            rules.append(f"Total collapse: {'; or '.join(total)}.")
        if partial:
            rules += ["Partial collapse: otherwise, any of the signs that follow.", *partial]
        else:
            rules.append("Neither modes nor diversity is measured, so no collapse can be seen.")
        rules.append("Healthy: anything else.")
        shown = [
            f"{key.replace('_', ' ')} {draws.mean:.2f} ± {draws.deviation:.2g}"
            for key, draws in self._draws.items()
            if key in figures
        ]
        if shown:
            rules.append(
                "Draws of the data themselves show, as mean and standard deviation: "
                f"{'; '.join(shown)}. No limit is nearer to that than {CHANCE:g} standard "
                "deviations."
            )
        return "\n".join(rules)


def moved(before: Sequence[int], after: Sequence[int]) -> float:
    """Return the share of samples that changed modes: out of emptied ones, into others.

    The smaller of two shares: of the samples before, those of modes whose share has fallen to
    a tenth or less; and of the samples after, those of modes whose share was a tenth or less.
    A mode that is added, or one that is lost, is no move.

    Parameters
    ----------
    before, after : sequence of int
        Samples of each mode. Without any, nothing has moved.
    """
    if not sum(before) or not sum(after) or len(before) != len(after):
        return 0.0
    p = [count / sum(before) for count in before]
    q = [count / sum(after) for count in after]
    left = sum(old for old, new in zip(p, q, strict=True) if new <= EMPTIED * old)
    came = sum(new for old, new in zip(p, q, strict=True) if old <= EMPTIED * new)
    return min(left, came)
