"""Tests and intervals for paired differences: pure functions of arrays, no torch here.

A difference is an arm's log figure less the baseline's at the same seed. It is ``+inf`` where
only the arm diverged and ``-inf`` where only the baseline did, so differences with such
values are handled by ranks.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

ENUMERATED = 20
"""Up to this many pairs a sign-flip test looks at every one of the 2^pairs assignments."""
DRAWS = 199_999
"""Random sign assignments of a Monte Carlo test, beyond that."""

Floats = NDArray[np.float64]


def sign_flip_test(values: ArrayLike) -> tuple[float, bool]:
    """Test that values are symmetric around zero, by flipping their signs.

    The two-sided sign-flip (Fisher's paired) permutation test of the mean: the share of all
    sign assignments whose mean lies at least as far from zero as the one observed. It is
    exact: under the null hypothesis it rejects at most as often as it says.

    Parameters
    ----------
    values : array of shape (pairs,), finite
        Differences, or their signed ranks.

    Returns
    -------
    p : float in (0, 1]
    exact : bool
        Every assignment was looked at. Beyond ``ENUMERATED`` pairs ``DRAWS`` random ones
        are, from a fixed seed, and the observed one is counted with them, which keeps the
        test valid (Phipson & Smyth, 2010, equation 2).

    Raises
    ------
    ValueError
        If there is no value, or one is not finite.
    """
    numbers = _vector(values)
    if not np.isfinite(numbers).all():
        raise ValueError("a sign-flip test needs finite values; rank the differences first")
    # Sums that are equal on paper differ in their last digits: they must still count.
    threshold = abs(float(numbers.sum())) - 1e-12 * float(np.abs(numbers).sum())
    if numbers.size <= ENUMERATED:
        # Turning every sign turns the sum, so as many lie on the other side.
        return (1.0 if threshold <= 0 else 2 * _exact_share(numbers, threshold)), True
    return _drawn_share(numbers, lambda sums: np.abs(sums) >= threshold), False


def equivalence_test(differences: ArrayLike, low: float, high: float) -> float:
    """Test that differences are centred outside (low, high); a small p says inside.

    Two one-sided tests (Schuirmann, 1987), each an exact sign-flip test of the differences
    from one bound; the larger p counts. From few pairs it cannot be small: with ``n`` it is
    at least 1 / 2^n, which a normal interval does not know.

    Parameters
    ----------
    differences : array of shape (pairs,), without NaN
        Where one is infinite, signed ranks of the distances to the bounds are flipped.
    low, high : float
        The equivalence margin.

    Returns
    -------
    float in (0, 1]
    """
    numbers = _vector(differences)
    above, below = numbers - low, high - numbers
    if np.isinf(numbers).any():
        above, below = signed_ranks(above), signed_ranks(below)
    return max(_one_sided(above), _one_sided(below))


def _one_sided(numbers: Floats) -> float:
    """Return the share of sign assignments whose sum is at least the observed one."""
    total = float(numbers.sum())
    threshold = total - 1e-12 * float(np.abs(numbers).sum())
    if numbers.size <= ENUMERATED:
        return _exact_share(numbers, threshold)
    return _drawn_share(numbers, lambda sums: sums >= threshold)


def _exact_share(numbers: Floats, threshold: float) -> float:
    """Return the share of sign assignments whose sum is at least ``threshold``.

    A sum is one of the first half's and one of the second's, so 2^(pairs / 2) of each are
    enough: for each of the former the latter are counted by bisection.
    """
    half = numbers.size // 2
    first, second = _signed_sums(numbers[:half]), np.sort(_signed_sums(numbers[half:]))
    below = np.searchsorted(second, threshold - first, side="left")
    return 1 - float(below.sum()) / (first.size * second.size)


def _signed_sums(numbers: Floats) -> Floats:
    """Return the sums of all sign assignments, in no order."""
    sums = np.zeros(1)
    for number in numbers:
        sums = np.concatenate([sums + number, sums - number])
    return sums


def _drawn_share(numbers: Floats, extreme: Callable[[Floats], NDArray[np.bool_]]) -> float:
    """Return the share of random sign assignments with an extreme sum, the observed with them."""
    stream = np.random.default_rng(20)
    found, left = 1, DRAWS
    while left:
        chunk = min(left, 10_000)
        signs = stream.integers(0, 2, size=(chunk, numbers.size)) * 2 - 1
        found += int(np.count_nonzero(extreme(signs @ numbers)))
        left -= chunk
    return found / (DRAWS + 1)


def smallest_p(pairs: int) -> float:
    """Return the smallest p that ``sign_flip_test`` can give: 2 / 2^pairs when exact.

    Raises
    ------
    ValueError
        If ``pairs`` is negative.
    """
    if pairs < 0:
        raise ValueError(f"pairs cannot be negative, and {pairs} is")
    if pairs <= ENUMERATED:
        return float(min(1.0, 2.0 ** (1 - pairs)))
    return 1 / (DRAWS + 1)


def signed_ranks(differences: ArrayLike) -> Floats:
    """Return the ranks of the sizes of differences, with the differences' signs.

    Ties share their mean rank, infinite ones tie on top, and a zero takes up a rank but
    counts for neither side (Pratt, 1959).

    Parameters
    ----------
    differences : array of shape (pairs,), without NaN
    """
    numbers = _vector(differences)
    ranks: Floats = np.sign(numbers) * scipy.stats.rankdata(np.abs(numbers))
    return ranks


def t_interval(differences: ArrayLike, alpha: float) -> tuple[float, float, float]:
    """Return the mean and its 1 - alpha interval by Student's t.

    Parameters
    ----------
    differences : array of shape (pairs,), finite, pairs >= 2
    alpha : float in (0, 1)
    """
    numbers = _vector(differences)
    if numbers.size < 2:
        raise ValueError("an interval needs at least two differences")
    mean = float(numbers.mean())
    error = float(numbers.std(ddof=1)) / numbers.size**0.5
    half = t_quantile(1 - alpha / 2, numbers.size - 1) * error
    return mean, mean - half, mean + half


@cache
def t_quantile(share: float, freedom: int) -> float:
    """Return a quantile of Student's t; a study asks for the same few again and again."""
    return float(scipy.stats.t.ppf(share, freedom))


def signed_rank_interval(differences: ArrayLike, alpha: float) -> tuple[float, float, float]:
    """Return the Hodges-Lehmann estimate and its exact signed-rank interval.

    Both are order statistics of the Walsh averages (d_i + d_j) / 2, i <= j; which ones
    follows from the exact null distribution of Wilcoxon's statistic (Hollander, Wolfe &
    Chicken, 2014, section 3.3). The ends are infinite where differences are, or where there
    are too few pairs for an interval of that level (fewer than 6 at 95 %).

    Parameters
    ----------
    differences : array of shape (pairs,), may hold infinities, no NaN
    alpha : float in (0, 1)
    """
    numbers = _vector(differences)
    first, second = np.triu_indices(numbers.size)
    with np.errstate(invalid="ignore"):
        walsh = (numbers[first] + numbers[second]) / 2
    # Of an infinity on either side the average could be anything: take the wider reading
    # for each end, and the middle for the estimate.
    lower = np.sort(np.where(np.isnan(walsh), -np.inf, walsh))
    upper = np.sort(np.where(np.isnan(walsh), np.inf, walsh))
    estimate = float(np.median(np.where(np.isnan(walsh), 0.0, walsh)))
    depth = _signed_rank_depth(numbers.size, alpha)
    if depth == 0:
        return estimate, -np.inf, np.inf
    return estimate, float(lower[depth - 1]), float(upper[-depth])


def median_interval(values: ArrayLike, alpha: float) -> tuple[float, float] | None:
    """Return an interval of a median: the two order statistics that the sign test says.

    It presumes no distribution, and covers the median with probability 1 - alpha at least (Conover,
    1999, section 3.2). None where there are too few values for that: fewer than 6 at 95 %.

    Parameters
    ----------
    values : array of shape (values,), finite
    alpha : float in (0, 1)
    """
    test = scipy.stats.quantile_test(_vector(values), p=0.5)
    found = test.confidence_interval(1 - alpha)
    return (float(found.low), float(found.high)) if np.isfinite(found.low) else None


@cache
def _signed_rank_depth(pairs: int, alpha: float) -> int:
    """Return the largest k with P(W < k) <= alpha / 2, for Wilcoxon's statistic W."""
    chances = np.ones(1)
    for rank in range(1, pairs + 1):
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    # The tolerance keeps a tail of exactly alpha / 2, such as 2/64 at alpha = 1/16.
    return int(np.searchsorted(np.cumsum(chances), alpha / 2 + 1e-12, side="right"))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return p values adjusted for their family by Holm's step-down method (1979).

    Parameters
    ----------
    p_values : sequence of float in [0, 1]

    Returns
    -------
    tuple of float in [0, 1], in the same order
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [1.0] * len(p_values)
    reached = 0.0
    for place, index in enumerate(order):
        reached = max(reached, min(1.0, (len(order) - place) * p_values[index]))
        adjusted[index] = reached
    return tuple(adjusted)


def wilson_interval(count: float, total: int, alpha: float) -> tuple[float, float]:
    """Return the 1 - alpha interval of a share (Wilson, 1927).

    Parameters
    ----------
    count : float, 0 <= count <= total
        Whole, but for ties that count as a half.
    total : int
    alpha : float in (0, 1)

    Returns
    -------
    low, high : float in [0, 1]; (0, 1) of nothing at all.
    """
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no share")
    if total == 0:
        return 0.0, 1.0
    z = float(scipy.stats.norm.ppf(1 - alpha / 2))
    share = count / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * (share * (1 - share) / total + (z / (2 * total)) ** 2) ** 0.5 / (1 + z * z / total)
    # At the ends the formula gives 0 and 1 up to rounding.
    low = 0.0 if count == 0 else max(0.0, centre - half)
    return low, 1.0 if count == total else min(1.0, centre + half)


def _vector(values: ArrayLike) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ValueError(f"expected one row of numbers, at least one, not shape {numbers.shape}")
    if np.isnan(numbers).any():
        raise ValueError("a difference is not a number")
    return numbers
