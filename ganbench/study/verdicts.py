"""The rule from paired differences to a verdict, on plain numbers: no torch here.

What ``ganbench.study.statistics`` says of whole studies, and ``ganbench.study.sequential`` of
studies that add seeds, is said here of one arm; the tests simulate it by the thousand.
"""

from collections.abc import Callable, Mapping
from math import inf, isfinite, isinf, log, log1p

from ganbench.study.comparison import Effect, Verdict
from ganbench.study.paired import (
    equivalence_test,
    sign_flip_test,
    signed_rank_interval,
    signed_ranks,
    t_interval,
)
from ganbench.study.results import TrialResult

Reading = Callable[[TrialResult], float | None]


def standing(trial: TrialResult, reading: Reading) -> float | None:
    """Return a trial's figure as it ranks: inf if it ranks last, None if it is no result.

    Parameters
    ----------
    trial : TrialResult
    reading : callable
        The figure of a complete trial, at least 0; None or not finite, the trial ranks last.
    """
    if trial.outcome in ("failed", "pending"):
        return None
    value = reading(trial) if trial.outcome == "complete" else None
    return value if value is not None and isfinite(value) else inf


def log_standing(trial: TrialResult, reading: Reading) -> float | None:
    """Return the logarithm of a trial's standing: -inf of a figure of 0."""
    value = standing(trial, reading)
    if value is None or value == inf:
        return value
    return log(value) if value > 0 else -inf


def pair_differences(
    arm: Mapping[int, TrialResult], baseline: Mapping[int, TrialResult], reading: Reading
) -> dict[int, float]:
    """Return an arm's log figure less the baseline's, over the seeds that give a pair.

    Where both rank last there is none.
    """
    differences = {}
    for seed in sorted(arm.keys() & baseline.keys()):
        ours, theirs = log_standing(arm[seed], reading), log_standing(baseline[seed], reading)
        if ours is None or theirs is None or ours == theirs == inf:
            continue
        differences[seed] = 0.0 if ours == theirs else ours - theirs
    return differences


def effect_of(differences: Mapping[int, float], alpha: float) -> Effect | None:
    """Return the effect that paired differences show; None without any.

    A single pair has an estimate, and an interval without ends.

    Parameters
    ----------
    differences : mapping of seed to float
        May be infinite: then ranks stand for the differences.
    alpha : float in (0, 1)
        One less the level of the interval.
    """
    if not differences:
        return None
    values = list(differences.values())
    if any(isinf(value) for value in values):
        estimate, low, high = signed_rank_interval(values, alpha)
        p, exact = sign_flip_test(signed_ranks(values))
        return Effect(differences, estimate, low, high, p, "signed rank", exact)
    if len(values) == 1:
        return Effect(differences, values[0], -inf, inf, 1.0, "mean", True)
    estimate, low, high = t_interval(values, alpha)
    p, exact = sign_flip_test(values)
    return Effect(differences, estimate, low, high, p, "mean", exact)


def is_significant(effect: Effect, p_holm: float, alpha: float) -> bool:
    """Say whether the interval and the corrected test agree that there is a change."""
    return p_holm < alpha and not effect.low <= 0 <= effect.high


def is_equivalent(effect: Effect, alpha: float, margin: float) -> bool:
    """Say whether interval and exact test agree that an effect lies inside the margin."""
    low, high = log1p(-margin), log1p(margin)
    if not (low < effect.low and effect.high < high):
        return False
    return equivalence_test(list(effect.differences.values()), low, high) < alpha


def decide(
    effect: Effect, p_holm: float, alpha: float, margin: float, spent: float | None = None
) -> Verdict:
    """Return the verdict on an arm that has at least two pairs.

    Parameters
    ----------
    effect : Effect
        Its interval of level ``1 - spent``.
    p_holm : float
        Corrected for the family, and for the looks if there are several.
    alpha : float in (0, 1)
        Family-wise error rate.
    margin : float in (0, 1)
    spent : float in (0, 1), optional
        Error rate of this one look at the arm; all of alpha if it is the only one.
    """
    if is_equivalent(effect, alpha if spent is None else spent, margin):
        return "no effect"
    if is_significant(effect, p_holm, alpha):
        return "helps" if effect.high < 0 else "hurts"
    return "inconclusive"
