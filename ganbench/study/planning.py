"""What a number of seeds can and cannot show, before the hours are spent: no torch here."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from math import log, sqrt

import scipy

from ganbench.study.paired import ENUMERATED, smallest_p, t_quantile
from ganbench.study.power import power

POWER = 0.8
"""How often a test should find an effect that is there."""
MOST_SEEDS = 200
"""Beyond this no number of seeds is named."""


@dataclass(frozen=True)
class Plan:
    """What paired comparisons with so many seeds can show.

    Attributes
    ----------
    pairs : int
        Seeds, each of which pairs every arm with the baseline.
    arms : int
        Size of the family: arms compared with the baseline.
    alpha : float
        Family-wise error rate.
    smallest_p : float
        The smallest p that one test can give.
    smallest_holm : float
        The smallest p after Holm's correction, if only one arm is that extreme.
    can_conclude : bool
        Whether any arm can ever be called.
    seeds_needed : int or None
        The smallest number of seeds with which one can; None if no number will do.
    detectable : float or None
        The effect that is found with 80 % power at the strictest step of Holm's method, in
        standard deviations of the paired differences; None if none can be.
    text : str
        All that in plain words.
    """

    pairs: int
    arms: int
    alpha: float
    smallest_p: float
    smallest_holm: float
    can_conclude: bool
    seeds_needed: int | None
    detectable: float | None
    text: str


def plan(pairs: int, arms: int, alpha: float) -> Plan:
    """Say what ``pairs`` seeds can show of ``arms`` arms.

    Parameters
    ----------
    pairs : int, at least 0
    arms : int, at least 0
        Arms besides the baseline, those left out that do not apply.
    alpha : float in (0, 1)

    Raises
    ------
    ValueError
        If a number is out of its range.
    """
    if arms < 0 or not 0 < alpha < 1:
        raise ValueError(f"no plan for {arms} arms at alpha = {alpha}")
    family = max(arms, 1)
    least = smallest_p(pairs)
    needed = seeds_to_conclude(family, alpha)
    can = family * least < alpha
    effect = detectable_effect(pairs, alpha / family) if can else None
    return Plan(
        pairs=pairs,
        arms=arms,
        alpha=alpha,
        smallest_p=least,
        smallest_holm=min(1.0, family * least),
        can_conclude=can and arms > 0,
        seeds_needed=needed,
        detectable=effect,
        text=_in_words(pairs, arms, alpha, least, needed, effect),
    )


def seeds_to_conclude(arms: int, alpha: float) -> int | None:
    """Return the fewest seeds whose smallest p, times ``arms``, is below ``alpha``.

    None if there is no such number: beyond ``ENUMERATED`` pairs p is a share of random
    assignments, and gets no smaller.
    """
    return next((n for n in range(1, ENUMERATED + 1) if arms * smallest_p(n) < alpha), None)


def detectable_effect(pairs: int, alpha: float) -> float | None:
    """Return the effect found with 80 % power, in standard deviations; None if none is.

    Parameters
    ----------
    pairs : int
    alpha : float in (0, 1)
        Of the one test: already divided by the family's size.
    """
    if pairs < 2 or smallest_p(pairs) >= alpha:
        return None
    high = 1.0
    while power(pairs, high, alpha) < POWER:
        high *= 2
    return float(scipy.optimize.brentq(lambda effect: power(pairs, effect, alpha) - POWER, 0, high))


def seeds_for_power(effect: float, alpha: float) -> int | None:
    """Return how many seeds find an effect with 80 % power; None if over ``MOST_SEEDS``.

    Parameters
    ----------
    effect : float
        In standard deviations of the paired differences; may be infinite.
    alpha : float in (0, 1)
        Of the one test: already divided by the family's size.
    """
    return _fewest(lambda pairs: smallest_p(pairs) < alpha and power(pairs, effect, alpha) >= POWER)


def seeds_for_margin(mean: float, deviation: float, alpha: float, margin: float) -> int | None:
    """Return how many seeds would fit the interval into the margin; None if none would.

    Parameters
    ----------
    mean, deviation : float
        Of the paired differences of logarithms, as observed.
    alpha : float in (0, 1)
    margin : float in (0, 1)
        A relative change that does not matter.
    """
    room = min(mean - log(1 - margin), log(1 + margin) - mean)
    if room <= 0:
        return None
    return _fewest(
        lambda pairs: bool(t_quantile(1 - alpha / 2, pairs - 1) * deviation / sqrt(pairs) < room)
    )


def _fewest(enough: Callable[[int], bool]) -> int | None:
    """Return the fewest pairs that are enough, of 2 to ``MOST_SEEDS``; None if none are.

    More pairs never hurt, but for one place: beyond ``ENUMERATED`` the smallest p is that of
    random assignments, and larger than the last exact one.
    """
    for pairs in (range(2, ENUMERATED + 1), range(ENUMERATED + 1, MOST_SEEDS + 1)):
        if enough(pairs[-1]):
            return pairs[bisect_left(pairs, True, key=enough)]
    return None


def _in_words(
    pairs: int, arms: int, alpha: float, least: float, needed: int | None, effect: float | None
) -> str:
    seeds = f"{pairs} seed" + ("" if pairs == 1 else "s")
    if arms == 0:
        return "There is no arm to compare with the baseline."
    family = "one arm" if arms == 1 else f"{arms} arms"
    if needed is None:
        return (
            f"No number of seeds can tell {family} from the baseline at {alpha:g}: Holm needs a p "
            f"below {alpha / arms:.2g}, and the smallest that the test gives is "
            f"{smallest_p(ENUMERATED):.2g}, with {ENUMERATED} seeds. Raise the error rate, or "
            "compare fewer arms."
        )
    if pairs > needed and effect is None:
        some = f"{needed} to {ENUMERATED}" if needed < ENUMERATED else f"{needed}"
        return (
            f"Holm over {family} needs a p below {alpha / arms:.2g}, which {some} seeds can give, "
            f"since all their sign assignments are looked at; with {seeds} a random part of them "
            f"is, the smallest possible p is {least:.2g}, and no arm can be called better or worse."
        )
    if least >= alpha:
        return (
            f"With {seeds} the smallest possible p is {least:.4g}, which is not below {alpha:g}: "
            f"no arm can ever be called better or worse. Holm over {family} needs at least "
            f"{needed} seeds."
        )
    if effect is None:
        return (
            f"Holm over {family} needs at least {needed} seeds, you have {pairs}: the smallest "
            f"possible p is {least:.4g}, times {arms} it is {min(1.0, arms * least):.4g}, which "
            f"is not below {alpha:g}, so no arm can be called better or worse."
        )
    return (
        f"With {seeds} the smallest possible p is {least:.2g}, after Holm over {family} "
        f"{min(1.0, arms * least):.2g}: an arm can be called at {alpha:g}. An effect of about "
        f"{effect:.1f} standard deviations of the paired differences is found 8 times in 10; "
        f"smaller ones will mostly stay inconclusive."
    )
