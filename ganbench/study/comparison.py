"""What comparing an arm with the baseline gives: values that tables and reports read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ganbench.study.results import Outcome

Verdict = Literal["baseline", "full", "helps", "hurts", "no effect", "inconclusive", "n/a"]
"""The first two of the reference, which the other arms are compared with: it has none."""
REFERENCES = ("baseline", "full")
Method = Literal["mean", "signed rank"]


@dataclass(frozen=True)
class Effect:
    """The change of a figure's logarithm, arm against baseline.

    Attributes
    ----------
    differences : mapping of int to float
        Seed to the change; ``inf`` if only the arm ranks last there (it diverged, or has no
        finite figure), ``-inf`` if only the baseline does, or the arm's figure is 0.
    estimate, low, high : float
        Mean and t interval, or Hodges-Lehmann and signed-rank interval; may be infinite.
    p : float
        Of the sign-flip test, not corrected.
    method : {"mean", "signed rank"}
        The second as soon as one difference is infinite.
    exact : bool
        Whether every assignment of signs was looked at.
    """

    differences: Mapping[int, float]
    estimate: float
    low: float
    high: float
    p: float
    method: Method
    exact: bool


@dataclass(frozen=True)
class Rate:
    """A share of trials, with its Wilson interval of level 1 - alpha."""

    count: int
    total: int
    low: float
    high: float


@dataclass(frozen=True)
class Looks:
    """The looks at one arm, or at the baseline, in a study that adds seeds.

    Attributes
    ----------
    taken, planned : int
    seeds : int
        At the last one; those of the first, if none is taken.
    level : float
        One less the level of the intervals at that look.
    p : float or None
        Corrected for the looks, not for the family; None before the first.
    is_open : bool
        Whether more seeds are wanted.
    """

    taken: int
    planned: int
    seeds: int
    level: float
    p: float | None
    is_open: bool


@dataclass(frozen=True)
class Comparison:
    """One row of the verdict table.

    Attributes
    ----------
    arm, changes : str
        Its name, and what differs from the reference.
    verdict : str
    reason : str
        Why that verdict, in plain words.
    reading : str
        In ``leave-one-out``: what the verdict says of what is left out; else empty.
    effect : Effect or None
        The primary figure at the final step; None without any pair.
    p_holm : float or None
        Corrected for the family.
    best, area : Effect or None
        Exploratory: the lowest value of the run, and its mean level.
    mean, deviation : float or None
        Of the primary figure at the end of the arm's complete trials that have it.
    outcomes : mapping of str to int
        Trials that are complete, diverged, failed, pending.
    collapsed, totally_collapsed, diverged : Rate
        Of the ended trials: final state partial or total collapse, total collapse alone, and
        those that diverged; the first and the last do not overlap.
    seconds_per_step : float or None
        Median over the arm's complete trials.
    cost : float or None
        Seconds a step as a ratio to the baseline's: median over the seeds.
    left_out : int
        Seeds of the study that give no pair: failed, pending, or both trials rank last.
    cost_interval : (float, float) or None
        Of that median, of level 1 - alpha at least; None of the reference itself, with too few
        seeds, or where seeds were trained together and so measured as one.
    seeds_for_effect, seeds_for_margin : int or None
        For an inconclusive arm: how many seeds in all would probably show an effect of the size
        seen, and how many that it lies within the margin, if what was observed is the truth;
        None if over 200, if the question does not arise, or in a quick run.
    looks : Looks or None
        Of a study that adds seeds; the row tells of the seeds of the arm's last look alone.
    """

    arm: str
    changes: str
    verdict: Verdict
    reason: str
    effect: Effect | None
    p_holm: float | None
    best: Effect | None
    area: Effect | None
    mean: float | None
    deviation: float | None
    outcomes: Mapping[Outcome, int]
    collapsed: Rate
    totally_collapsed: Rate
    diverged: Rate
    seconds_per_step: float | None
    cost: float | None
    left_out: int
    cost_interval: tuple[float, float] | None = None
    seeds_for_effect: int | None = None
    seeds_for_margin: int | None = None
    levels: Mapping[str, Any] = field(default_factory=dict)
    reading: str = ""
    looks: Looks | None = None

    @property
    def is_reference(self) -> bool:
        """Whether this is the arm that the others are compared with."""
        return self.verdict in REFERENCES
