"""From results to verdicts: each arm against the baseline, paired by seed; no torch here.

The primary figure is compared on the logarithmic scale, where a difference is a relative
change; lower is better. The family that Holm's method corrects for is declared by the design:
every arm but the baseline that applies, whether or not it has finished. An A/A arm is corrected
as if it were one more of them, but is not counted for the others: that it differs in nothing is
known, and a hypothesis that nobody holds must not cost the others power. In ``leave-one-out``
the full arm takes the baseline's place. Intervals are plain
ones of level 1 - alpha, each on its own. Everything besides the primary figure at the final
step is exploratory and is not corrected.

**Verdicts.** *no effect*: the interval lies wholly inside the equivalence margin and the exact
equivalence test is below alpha, so that any change is too small to matter; this comes first,
since a change that is surely there and surely too small is still no reason to act, and
``reason`` says which it is. *helps* and *hurts*: the interval lies wholly on one side of zero
and Holm's p is below alpha; both must agree. *n/a*: the arm does not apply, or there are fewer
than two pairs. *inconclusive*: the rest.

**Ranking last.** A trial that diverged, or that ended without a finite primary figure, is worse
than any that has one: to leave it out would praise an arm for the seeds it survives. Where both
trials of a pair rank last, neither is better by any known amount, and there is no pair. A
figure of 0 is as good as it gets, and ranks first.

**Seeds that are added.** Where the study file has ``seeds: {min, max, step}``, an arm is judged
at its last look, by ``ganbench.study.sequential``, and its row is of that look's seeds alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import expm1, inf, isfinite, log2
from statistics import fmean, median, stdev

from ganbench.study.comparison import Comparison, Effect, Looks, Rate, Verdict
from ganbench.study.paired import holm, median_interval, signed_ranks, wilson_interval
from ganbench.study.planning import seeds_for_margin, seeds_for_power
from ganbench.study.reasons import AGREED, Census, more_seeds, why_inconclusive, why_not_yet
from ganbench.study.results import ArmResult, Outcome, StudyResults, TrialResult, label
from ganbench.study.sequential import Progress, progress_of
from ganbench.study.verdicts import (
    Reading,
    decide,
    effect_of,
    is_significant,
    pair_differences,
    standing,
)


def compare(results: StudyResults) -> tuple[Comparison, ...]:
    """Compare every arm with the baseline; one row an arm, the baseline's first."""
    progress = progress_of(results)
    if progress is not None:
        return _compare_in_progress(results, progress)
    baseline, *arms = results.arms
    rows = [_describe(results, arm, baseline) for arm in arms]
    known = {row.arm: row for row in rows}
    family = [known[arm.name] for arm in results.family]
    corrected = _corrected(family)
    for arm in arms:
        if arm.is_again:
            corrected[arm.name] = _corrected([*family, known[arm.name]])[arm.name]
    judged = [
        _judge(results, row, arm, corrected.get(row.arm, 1.0), len(family) + arm.is_again)
        for row, arm in zip(rows, arms, strict=True)
    ]
    return (_describe_baseline(results), *judged)


def _compare_in_progress(results: StudyResults, progress: Progress) -> tuple[Comparison, ...]:
    """Compare every arm with the baseline over the seeds of its last look."""
    rows = []
    for arm in results.arms[1:]:
        course = progress.courses.get(arm.name)
        if course is None:
            rows.append(_judge(results, _describe(results, arm, results.arms[0]), arm, 1.0, 1))
            continue
        level = results.alpha * course.look.share
        view = results.of_first(course.look.seeds)
        row = _describe(view, arm, results.arms[0], level)
        looks = Looks(
            taken=course.looks,
            planned=len(progress.looks),
            seeds=course.look.seeds,
            level=level,
            p=course.p if course.looks else None,
            is_open=course.is_open,
        )
        row = replace(row, looks=looks)
        family = len(results.family) + arm.is_again
        rows.append(_judge(view, row, arm, course.p_holm, family, course.verdict))
    amount = len(progress.wanted[results.arms[0].name])
    looks = Looks(
        taken=progress.taken,
        planned=len(progress.looks),
        seeds=amount,
        level=results.alpha,
        p=None,
        is_open=any(course.is_open for course in progress.courses.values()),
    )
    return (replace(_describe_baseline(results.of_first(amount)), looks=looks), *rows)


def _describe_baseline(results: StudyResults) -> Comparison:
    """Return the baseline's row."""
    baseline = results.arms[0]
    return replace(
        _describe(results, baseline, baseline),
        effect=None,
        best=None,
        area=None,
        verdict="full" if results.leaves_out else "baseline",
        reason=_census(results, baseline).own(),
        left_out=0,
        cost=None,
        cost_interval=None,
    )


def _corrected(family: Sequence[Comparison]) -> dict[str, float]:
    """Return each arm's p after Holm; one that has none yet stays in the family all the same."""
    adjusted = holm([row.effect.p if row.effect else 1.0 for row in family])
    return {row.arm: p for row, p in zip(family, adjusted, strict=True)}


def paired_effect(
    arm: Mapping[int, TrialResult],
    baseline: Mapping[int, TrialResult],
    reading: Reading,
    alpha: float,
) -> Effect | None:
    """Return an arm's effect over the seeds that give a pair; None without any.

    A single pair has an estimate, and an interval without ends.

    Parameters
    ----------
    arm, baseline : mapping of seed to TrialResult
    reading : callable
        The figure of a complete trial, at least 0; None or not finite, the trial ranks last.
    alpha : float in (0, 1)
        One less the level of the interval.
    """
    return effect_of(pair_differences(arm, baseline, reading), alpha)


def relative_change(difference: float) -> float:
    """Return a difference of logarithms as a relative change: -0.2 is a fifth less."""
    return inf if difference > 700 else expm1(difference)


def _describe(
    results: StudyResults, arm: ArmResult, baseline: ArmResult, level: float | None = None
) -> Comparison:
    """Return an arm's row without its verdict; ``level`` of its effect's interval, or alpha."""
    primary, alpha = results.primary, results.alpha
    ours, theirs = results.of_arm(arm.name), results.of_arm(baseline.name)
    complete = [trial for trial in ours.values() if trial.outcome == "complete"]
    ended = [trial for trial in ours.values() if trial.outcome in ("complete", "diverged")]
    ends = [trial.final(primary) for trial in complete]
    finals = [value for value in ends if value is not None and isfinite(value)]
    speeds = {t.seed: t.seconds_per_step for t in complete if t.seconds_per_step}
    both = [
        (speed, reference)
        for seed, speed in speeds.items()
        if seed in theirs
        and theirs[seed].outcome == "complete"
        and (reference := theirs[seed].seconds_per_step)
    ]
    ratios = [speed / reference for speed, reference in both]
    # Seeds that were trained together have one time, which is one measurement and not several.
    apart = all(len(set(measured)) == len(both) for measured in zip(*both, strict=True))
    states = [t.evaluations[-1].health for t in complete if t.evaluations]

    def rate(count: int) -> Rate:
        return Rate(count, len(ended), *wilson_interval(count, len(ended), alpha))

    effect = paired_effect(ours, theirs, lambda trial: trial.final(primary), level or alpha)
    total = states.count("total collapse")
    return Comparison(
        arm=arm.name,
        changes=results.changes(arm),
        levels=arm.levels,
        verdict="n/a",
        reason="",
        effect=effect,
        p_holm=None,
        best=paired_effect(ours, theirs, lambda trial: trial.best(primary), alpha),
        area=paired_effect(ours, theirs, lambda trial: trial.area(primary), alpha),
        mean=fmean(finals) if finals else None,
        deviation=stdev(finals) if len(finals) > 1 else None,
        outcomes=_count_outcomes(results, arm, ours),
        collapsed=rate(states.count("partial collapse") + total),
        totally_collapsed=rate(total),
        diverged=rate(len(ended) - len(complete)),
        seconds_per_step=median(speeds.values()) if speeds else None,
        cost=median(ratios) if ratios else None,
        left_out=len(results.seeds) - (len(effect.differences) if effect else 0),
        cost_interval=median_interval(ratios, alpha) if ratios and apart else None,
    )


def _count_outcomes(
    results: StudyResults, arm: ArmResult, trials: Mapping[int, TrialResult]
) -> dict[Outcome, int]:
    """Count an arm's trials; one that the ledger does not know yet is pending."""
    counts: dict[Outcome, int] = {"complete": 0, "diverged": 0, "failed": 0, "pending": 0}
    for trial in trials.values():
        counts[trial.outcome] += 1
    if arm.skipped is None:
        counts["pending"] += sum(seed not in trials for seed in results.seeds)
    return counts


def _judge(
    results: StudyResults,
    row: Comparison,
    arm: ArmResult,
    p_holm: float,
    family: int,
    verdict: Verdict | None = None,
) -> Comparison:
    """Return the row with its verdict, by the rules at the top of this module.

    In a study that adds seeds, ``ganbench.study.sequential`` has come to the verdict.
    """
    alpha, margin = results.alpha, results.margin
    effect, looks = row.effect, row.looks
    if arm.skipped is not None:
        reason = f"does not apply: {arm.skipped}"
        return replace(row, reason=reason, effect=None, best=None, area=None)
    census = _census(results, arm)
    if looks is not None and looks.taken == 0:
        return replace(row, verdict="inconclusive", reason=census.annotated(why_not_yet(looks)))
    if effect is None or len(effect.differences) < 2:
        return replace(row, reason=census.why_too_few())
    row = replace(row, p_holm=p_holm)
    verdict = verdict or decide(effect, p_holm, alpha, margin)
    if verdict == "no effect":
        changed = is_significant(effect, p_holm, alpha)
        kind = "a change, but one too small to matter" if changed else "too small to matter"
        text = f"{kind}: the whole interval lies within {margin:.0%} of {results.reference}"
        if not any(effect.differences.values()):
            text = (
                f"equal to {results.reference} at every seed: here the change does nothing at all"
            )
        row = replace(row, reading=_reading(verdict, arm))
        return replace(row, verdict=verdict, reason=census.annotated(text, looks))
    if verdict != "inconclusive":
        row = replace(row, reading=_reading(verdict, arm))
        return replace(row, verdict=verdict, reason=census.annotated(AGREED, looks))
    lacking = why_inconclusive(effect, p_holm, alpha)
    if looks is not None and looks.is_open:
        reason = census.annotated(lacking, looks, settled=False)
        return replace(row, verdict=verdict, reason=reason)
    found, within = _seeds_needed(effect, looks.level if looks else alpha, family, margin)
    if arm.is_again:
        found = within = None
        advice = "as it should be, since nothing differs"
    elif results.quick:
        found = within = None
        advice = "a quick run cannot tell how many seeds would settle it"
    else:
        advice = more_seeds(effect, margin, found, within)
    return replace(
        row,
        verdict=verdict,
        reason=census.annotated(f"{lacking}; {advice}", looks, settled=False),
        seeds_for_effect=found,
        seeds_for_margin=within,
    )


def _reading(verdict: Verdict, arm: ArmResult) -> str:
    """Return what a verdict on an arm without something says of that, or on an A/A arm."""
    said = {"hurts": "helps", "helps": "hurts", "no effect": "has no effect"}
    if arm.is_again and verdict != "no effect":
        return "a false alarm: nothing differs"
    if arm.leaves_out is None:
        return ""
    return f"so {arm.leaves_out} {said[verdict]}, beside all the others"


def _census(results: StudyResults, arm: ArmResult) -> Census:
    """Count why an arm's pairs are fewer than the seeds, or rank last."""
    figure = results.primary
    ours, theirs = results.of_arm(arm.name), results.of_arm(results.arms[0].name)

    def last(trials: Mapping[int, TrialResult]) -> set[int]:
        return {s for s, t in trials.items() if standing(t, lambda t: t.final(figure)) == inf}

    def complete(trials: Mapping[int, TrialResult]) -> set[int]:
        return {seed for seed, trial in trials.items() if trial.outcome == "complete"}

    return Census(
        figure=label(figure),
        seeds=len(results.seeds),
        ours=_count_outcomes(results, arm, ours),
        theirs=_count_outcomes(results, results.arms[0], theirs),
        undefined=len(last(ours) & complete(ours)),
        their_undefined=len(last(theirs) & complete(theirs)),
        both_last=len(last(ours) & last(theirs)),
        reference=results.reference,
    )


def _seeds_needed(
    effect: Effect, alpha: float, family: int, margin: float
) -> tuple[int | None, int | None]:
    """Return how many seeds in all would settle an arm in either way, were the truth as observed.

    The first find the effect with 80 % power at the strictest step of Holm's method; with the
    second the interval fits into the margin. With diverged trials there is no standard
    deviation, so their signed ranks stand for the differences (Conover & Iman, 1981), and only
    the first way is open.
    """
    differences = list(effect.differences.values())
    ranked = effect.method == "signed rank"
    values = [float(rank) for rank in signed_ranks(differences)] if ranked else differences
    mean, deviation = fmean(values), stdev(values)
    size = abs(mean) / deviation if deviation > 0 else (inf if mean else 0.0)
    found = seeds_for_power(size, alpha / family)
    within = None if ranked else seeds_for_margin(mean, deviation, alpha, margin)
    # The exact equivalence test over n pairs gives no p below 1 / 2^n.
    least = max(len(values), int(-log2(alpha))) + 1
    return (
        None if found is None else max(found, len(values) + 1),
        None if within is None else max(within, least),
    )
