"""Seeds added where the verdict is open, with no more false verdicts: no torch here.

A study of ``seeds: {min: 5, max: 20, step: 5}`` looks at its results at 5, 10, 15 and 20 seeds.
An arm whose verdict is settled at a look gets no more seeds; the baseline goes on as long as
any arm does.

**The test.** Before the study runs, the look at ``n_k`` seeds is given a share ``w_k`` of the
error rate; the shares sum to 1. With the exact sign-flip test's ``p_k`` at that look, an arm's p
after several looks is the smallest ``p_k / w_k`` so far. That is a p value: without an effect
``p_k / w_k <= u`` has a chance of at most ``u w_k``, and the sum of those is ``u``. To stop early,
for whatever reason, leaves terms out, which makes it larger. Holm's method, over the whole family
declared beforehand, then keeps the family-wise error under any dependence among arms and looks
(Holm, 1979); and since its corrected p values only fall as others fall, what is settled stays so.

**The shares** are the increments of the spending function ``t^2`` of the share ``t`` of the
most seeds (Lan & DeMets, 1983; Kim & DeMets, 1987, the power family). It lies between Pocock's
(1977), which stops earlier and finds less in the end, and O'Brien & Fleming's (1979), which
hardly ever stops at half of the seeds. A look at which no p could be small enough is not taken,
and its share goes to the next: with few pairs p comes in steps of 2 / 2^n.

**The interval** at a look has the level ``1 - alpha w_k``, so that those of all looks together
hold the truth with a chance of at least ``1 - alpha`` (repeated confidence intervals; Jennison
& Turnbull, 1989). The equivalence test at a look is held to ``alpha w_k`` likewise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from ganbench.study.comparison import Effect, Verdict
from ganbench.study.paired import ENUMERATED, holm, smallest_p
from ganbench.study.planning import detectable_effect
from ganbench.study.results import StudyResults
from ganbench.study.verdicts import decide, effect_of, pair_differences

LOOKS = 4
"""At most so many, where the study does not say how many seeds apart they are."""


@dataclass(frozen=True)
class Schedule:
    """At how many seeds a study is looked at.

    Attributes
    ----------
    fewest, most : int
        Seeds of the first and of the last look, 2 <= fewest <= most.
    step : int or None
        Seeds from one look to the next; None for ``LOOKS`` looks.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """

    fewest: int
    most: int
    step: int | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.fewest <= self.most or (self.step is not None and self.step < 1):
            raise ValueError(
                f"no looks from {self.fewest} to {self.most} seeds in steps of {self.step}"
            )

    @property
    def seeds(self) -> tuple[int, ...]:
        """How many seeds each look has."""
        step = self.step or max(1, ceil((self.most - self.fewest) / (LOOKS - 1)))
        return (*range(self.fewest, self.most, step), self.most)


@dataclass(frozen=True)
class Look:
    """A look at the results of the first ``seeds`` seeds, and its share of the error rate."""

    seeds: int
    share: float


@dataclass(frozen=True)
class Course:
    """How far an arm has come.

    Attributes
    ----------
    looks : int
        Taken at this arm.
    look : Look
        The last one taken, or the first one, if none is.
    effect : Effect or None
        At that look, its interval of the look's level; None before the first, or without a pair.
    p : float
        Corrected for the looks, not for the family.
    p_holm : float
        Corrected for both.
    verdict : str
        ``inconclusive`` as long as nothing is settled.
    is_open : bool
        Whether it gets more seeds.
    """

    looks: int
    look: Look
    effect: Effect | None = None
    p: float = 1.0
    p_holm: float = 1.0
    verdict: Verdict = "inconclusive"
    is_open: bool = True


@dataclass(frozen=True)
class Progress:
    """How far a sequential study has come.

    Attributes
    ----------
    looks : tuple of Look
        All that are planned.
    taken : int
        Looks taken.
    courses : mapping of str to Course
        Of every arm that applies, besides the baseline.
    wanted : mapping of str to tuple of int
        The seeds of each arm that applies, and of the baseline, whose results are wanted now
        or were: with them the next look can be taken. A study that is done wants no new ones.
    """

    looks: tuple[Look, ...]
    taken: int
    courses: Mapping[str, Course]
    wanted: Mapping[str, tuple[int, ...]]


Reader = Callable[[str, int], Mapping[int, float] | None]
"""Of an arm and a number of seeds: its paired differences, None if not all trials have ended."""


def plan_looks(schedule: Schedule, arms: int, alpha: float) -> tuple[Look, ...]:
    """Return the looks that are worth taking, with their shares of the error rate.

    Parameters
    ----------
    schedule : Schedule
    arms : int, at least 0
        Size of the family.
    alpha : float in (0, 1)
        Family-wise error rate.
    """
    looks, spent = [], 0.0
    for seeds in schedule.seeds:
        share = (seeds / schedule.most) ** 2 - spent
        if seeds == schedule.most or smallest_p(seeds) < share * alpha / max(arms, 1):
            looks.append(Look(seeds, share))
            spent += share
    return tuple(looks)


def can_conclude(looks: Sequence[Look], arms: int, alpha: float) -> bool:
    """Say whether any arm can ever be called better or worse."""
    return any(smallest_p(look.seeds) < look.share * alpha / max(arms, 1) for look in looks)


def fewest_most(schedule: Schedule, arms: int, alpha: float) -> int | None:
    """Return the smallest ``most`` with which an arm can be called; None if no number will do."""
    for most in range(schedule.most, ENUMERATED + 1):
        if can_conclude(plan_looks(replace(schedule, most=most), arms, alpha), arms, alpha):
            return most
    return None


def looks_in_words(schedule: Schedule, arms: int, alpha: float) -> str:
    """Say at how many seeds looks are taken, at what price, and what they can show."""
    looks = plan_looks(schedule, arms, alpha)
    *early, last = looks
    if not early:
        told = f"The one look that is worth taking is at {last.seeds} seeds"
    else:
        places = ", ".join(str(look.seeds) for look in early)
        shares = ", ".join(f"{look.share:.0%}" for look in early)
        told = (
            f"Looks at {places} and {last.seeds} seeds share the error rate of {alpha:g} "
            f"({shares} and {last.share:.0%})"
        )
    idle = [str(seeds) for seeds in schedule.seeds if seeds < looks[0].seeds]
    if idle:
        told += f"; at {' or '.join(idle)} no p could be small enough for a verdict"
    level = alpha * last.share / max(arms, 1)
    effect = detectable_effect(last.seeds, level)
    if effect is None:
        family = "one arm" if arms == 1 else f"{arms} arms"
        if can_conclude(looks, arms, alpha):
            cure = "but at an earlier look one can"
        else:
            enough = fewest_most(schedule, arms, alpha)
            cure = "no `max` can change that" if enough is None else f"`max: {enough}` would do"
        return (
            f"{told}. Of {family} none can be called better or worse at the last: it takes a p "
            f"below {level:.2g}, and the smallest possible is {smallest_p(last.seeds):.2g}; {cure}."
        )
    return (
        f"{told}. An effect of about {effect:.1f} standard deviations of the paired differences "
        "is found 8 times in 10 at the last alone, a larger one sooner; smaller ones will mostly "
        "stay inconclusive."
    )


def take_looks(
    arms: Sequence[str],
    looks: Sequence[Look],
    read: Reader,
    alpha: float,
    margin: float,
    apart: Sequence[str] = (),
) -> tuple[int, dict[str, Course]]:
    """Take every look whose trials have all ended; a pure function of the results.

    Parameters
    ----------
    arms : sequence of str
        The family.
    looks : sequence of Look
    read : callable
    alpha, margin : float
    apart : sequence of str
        Arms that are corrected as one more of the family, and not counted for the others; they
        get no more seeds than those.

    Returns
    -------
    taken : int
    courses : dict of str to Course
    """
    courses = {arm: Course(0, looks[0]) for arm in (*arms, *apart)}
    taken = 0
    for look in looks:
        open_arms = [arm for arm in courses if courses[arm].is_open]
        found = {arm: read(arm, look.seeds) for arm in open_arms}
        if not open_arms or any(differences is None for differences in found.values()):
            break
        taken += 1
        for arm, differences in found.items():
            effect = effect_of(differences or {}, alpha * look.share)
            p = min(1.0, effect.p / look.share) if effect else 1.0
            p = min(courses[arm].p, p)
            courses[arm] = Course(taken, look, effect, p)
        corrected = _correct({arm: courses[arm].p for arm in arms})
        for arm in apart:
            family = (*arms, arm)
            corrected[arm] = _correct({name: courses[name].p for name in family})[arm]
        last = taken == len(looks)
        for arm, course in courses.items():
            known = replace(course, p_holm=corrected[arm])
            courses[arm] = _settle(known, last, alpha, margin) if arm in found else known
        if not any(courses[arm].is_open for arm in arms):
            # A check on the others, which need it no longer.
            courses |= {arm: replace(courses[arm], is_open=False) for arm in apart}
    return taken, courses


def _correct(values: Mapping[str, float]) -> dict[str, float]:
    return dict(zip(values, holm(list(values.values())), strict=True))


def _settle(course: Course, last: bool, alpha: float, margin: float) -> Course:
    """Return an arm's course with its verdict, closed if that is settled or the look the last."""
    verdict: Verdict = "inconclusive"
    if course.effect and len(course.effect.differences) > 1:
        spent = alpha * course.look.share
        verdict = decide(course.effect, course.p_holm, alpha, margin, spent)
    return replace(course, verdict=verdict, is_open=verdict == "inconclusive" and not last)


def schedule_of(study: Mapping[str, Any]) -> Schedule | None:
    """Return a resolved study's schedule; None if its seeds are fixed."""
    seeds = study["seeds"]
    if not isinstance(seeds, Mapping):
        return None
    return Schedule(seeds["min"], seeds["max"], seeds.get("step"))


def asked_for(results: StudyResults) -> StudyResults:
    """Return results without the trials that nobody has asked for: of seeds still to be added."""
    progress = progress_of(results)
    if progress is None:
        return results
    wanted = {arm: set(seeds) for arm, seeds in progress.wanted.items()}
    trials = tuple(
        trial
        for trial in results.trials
        if trial.outcome != "pending" or trial.seed in wanted.get(trial.arm, ())
    )
    return replace(results, trials=trials)


def progress_of(results: StudyResults) -> Progress | None:
    """Return how far a study has come, and which seeds it wants next; None if they are fixed.

    Looks are taken at the results as they are, in order: which were taken is no state of its
    own, so that a resumed run, another machine and a report come to the same verdicts. A trial
    of an arm beyond its last look counts for nothing.
    """
    schedule = schedule_of(results.study)
    if schedule is None:
        return None
    seeds, alpha = results.seeds, results.alpha
    baseline, family = results.arms[0].name, [arm.name for arm in results.family]
    again = [arm.name for arm in results.arms if arm.is_again]
    trials = {arm: results.of_arm(arm) for arm in (baseline, *family, *again)}
    ended = {
        arm: {seed for seed, trial in found.items() if trial.outcome != "pending"}
        for arm, found in trials.items()
    }

    def read(arm: str, amount: int) -> Mapping[int, float] | None:
        first = set(seeds[:amount])
        if not (first <= ended[arm] and first <= ended[baseline]):
            return None
        ours, theirs = ({s: trials[a][s] for s in first} for a in (arm, baseline))
        return pair_differences(ours, theirs, lambda trial: trial.final(results.primary))

    looks = plan_looks(schedule, len(family), alpha)
    taken, courses = take_looks(family, looks, read, alpha, results.margin, again)
    amounts = {
        arm: looks[taken].seeds if course.is_open else course.look.seeds
        for arm, course in courses.items()
    }
    amounts = {baseline: max(amounts.values(), default=looks[0].seeds), **amounts}
    wanted = {arm: tuple(seeds[:amount]) for arm, amount in amounts.items()}
    return Progress(looks, taken, courses, wanted)
