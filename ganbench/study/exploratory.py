"""More figures of each arm, on which no verdict rests: no torch here.

None of them is corrected for the number of arms. A trial that ranks last does so here too,
and is never left out: an interquartile mean may be infinite, the chance of improvement counts
it as worse, and the correlation is of ranks then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from ganbench.study.comparison import Comparison
from ganbench.study.paired import wilson_interval
from ganbench.study.results import StudyResults, TrialResult
from ganbench.study.verdicts import log_standing, standing

RESAMPLES = 9_999
"""Of a bootstrap, from a fixed seed."""
FEWEST = 3
"""Seeds for a correlation: two points always lie on a line."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval of level 1 - alpha; any of them may be infinite."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Pairing:
    """How alike an arm and the baseline move over the seeds.

    Attributes
    ----------
    correlation : float in [-1, 1]
    ranked : bool
        Spearman's, of ranks, as a trial ranks last; else Pearson's, of logarithms.
    gain : float or None
        How many times the seeds unpaired arms would need for an interval as narrow: the sum of
        both variances over the variance of the differences. None of ranks, and if nothing
        varies; infinite if the differences are all the same.
    seeds : int
        Those at which both trials have ended.
    """

    correlation: float
    ranked: bool
    gain: float | None
    seeds: int


@dataclass(frozen=True)
class Exploration:
    """The figures of one arm; None where there is too little for one.

    Attributes
    ----------
    arm : str
    change : Estimate or None
        Mean difference of logarithms with its BCa interval; None where an arm is judged by
        ranks.
    improvement : Estimate or None
        Chance that the arm ends better than the baseline at the same seed.
    iqm : Estimate or None
        Interquartile mean of the primary figure at the end.
    pairing : Pairing or None
    """

    arm: str
    change: Estimate | None
    improvement: Estimate | None
    iqm: Estimate | None
    pairing: Pairing | None


def explore(results: StudyResults, comparisons: Sequence[Comparison]) -> tuple[Exploration, ...]:
    """Return the figures of every arm, as ``compare`` orders them; the baseline's first."""
    alpha, found = results.alpha, []
    for row in comparisons:
        view = results.of_first(row.looks.seeds) if row.looks else results
        ours, theirs = view.of_arm(row.arm), view.of_arm(results.arms[0].name)
        ends = [end for trial in ours.values() if (end := _end(results, trial)) is not None]
        iqm = interquartile_mean(ends, alpha) if ends else None
        if row.is_reference:
            found.append(Exploration(row.arm, None, None, iqm, None))
            continue
        change = None
        if row.effect and row.effect.method == "mean" and len(row.effect.differences) > 1:
            level = row.looks.level if row.looks else alpha
            change = bca_interval(list(row.effect.differences.values()), level)
        both = _both(results, ours, theirs)
        found.append(
            Exploration(
                row.arm,
                change,
                improvement(*both, alpha) if both[0] else None,
                iqm,
                pairing(*both) if len(both[0]) >= FEWEST else None,
            )
        )
    return tuple(found)


def bca_interval(differences: ArrayLike, alpha: float) -> Estimate:
    """Return the mean and its bias-corrected and accelerated bootstrap interval (Efron, 1987).

    Parameters
    ----------
    differences : array of shape (pairs,), finite, pairs >= 2
    alpha : float in (0, 1)
    """
    numbers = np.asarray(differences, dtype=np.float64)
    mean = float(numbers.mean())
    if np.ptp(numbers) <= 1e-12 * float(np.abs(numbers).max()):
        return Estimate(mean, mean, mean)
    interval = scipy.stats.bootstrap(
        (numbers,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=1 - alpha,
        method="BCa",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Estimate(mean, float(interval.low), float(interval.high))


def interquartile_mean(figures: ArrayLike, alpha: float) -> Estimate:
    """Return the mean of the middle half, and its percentile bootstrap interval.

    As Agarwal et al. (2021, section 4.3) advise: a quarter of the runs, rounded down, is cut
    from each end.

    Parameters
    ----------
    figures : array of shape (seeds,), at least one; inf for a trial that ranks last
    alpha : float in (0, 1)
    """
    numbers = np.asarray(figures, dtype=np.float64)
    if numbers.size == 1:
        return Estimate(float(numbers[0]), -inf, inf)
    drawn = np.random.default_rng(0).integers(0, numbers.size, (RESAMPLES, numbers.size))
    means = scipy.stats.trim_mean(numbers[drawn], 0.25, axis=1)
    # Between an infinite mean and another there is nothing to interpolate.
    low, high = np.quantile(means, [alpha / 2, 1 - alpha / 2], method="closest_observation")
    return Estimate(float(scipy.stats.trim_mean(numbers, 0.25)), float(low), float(high))


def improvement(arm: Sequence[float], baseline: Sequence[float], alpha: float) -> Estimate:
    """Return the share of seeds at which an arm is lower, with its Wilson interval.

    The probability of improvement of Agarwal et al. (2021, section 4.3), but within pairs: they
    compare every run with every other, since theirs share no seed. A tie counts as a half, also
    one of two trials that rank last.

    Parameters
    ----------
    arm, baseline : sequence of float
        By seed; inf ranks last.
    alpha : float in (0, 1)
    """
    pairs = list(zip(arm, baseline, strict=True))
    better = sum((ours < theirs) + 0.5 * (ours == theirs) for ours, theirs in pairs)
    return Estimate(better / len(pairs), *wilson_interval(better, len(pairs), alpha))


def pairing(arm: Sequence[float], baseline: Sequence[float]) -> Pairing | None:
    """Return how alike two arms move over the seeds; None if one does not move at all.

    Parameters
    ----------
    arm, baseline : sequence of float
        Log figures by seed, which may be infinite.
    """
    ours, theirs = np.asarray(arm, dtype=np.float64), np.asarray(baseline, dtype=np.float64)
    ranked = not (np.isfinite(ours).all() and np.isfinite(theirs).all())
    if ranked:
        ours, theirs = scipy.stats.rankdata(ours), scipy.stats.rankdata(theirs)
    if np.ptp(ours) == 0 or np.ptp(theirs) == 0:
        return None
    correlation = float(np.corrcoef(ours, theirs)[0, 1])
    gain = None
    if not ranked:
        rest = float(np.var(ours - theirs))
        gain = float(np.var(ours) + np.var(theirs)) / rest if rest > 0 else inf
    return Pairing(max(-1.0, min(1.0, correlation)), ranked, gain, ours.size)


def _end(results: StudyResults, trial: TrialResult) -> float | None:
    return standing(trial, lambda trial: trial.final(results.primary))


def _both(
    results: StudyResults, ours: Mapping[int, TrialResult], theirs: Mapping[int, TrialResult]
) -> tuple[list[float], list[float]]:
    """Return log figures of arm and baseline over the seeds at which both have ended."""
    arm, baseline = [], []
    for seed in sorted(ours.keys() & theirs.keys()):
        pair = [
            log_standing(trials[seed], lambda trial: trial.final(results.primary))
            for trials in (ours, theirs)
        ]
        if pair[0] is not None and pair[1] is not None:
            arm.append(pair[0])
            baseline.append(pair[1])
    return arm, baseline
