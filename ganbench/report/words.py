"""Numbers and verdicts in words, for the terminal, the page and the Markdown alike."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, isinf, log10

from ganbench.report.ways import MARK, mixed_costs
from ganbench.study.comparison import Comparison, Effect, Rate
from ganbench.study.reasons import AGREED
from ganbench.study.results import StudyResults
from ganbench.study.sequential import schedule_of
from ganbench.study.statistics import compare, relative_change

SYMBOLS = {
    "baseline": "•",
    "full": "•",
    "helps": "✓",
    "hurts": "✗",
    "no effect": "≈",
    "inconclusive": "?",
    "n/a": "–",
}
"""A sign beside each verdict, so that nothing rests on colour alone."""
NOT_YET = ("…", "not yet")
"""In the place of ``n/a`` where trials are pending: then it may still come to a verdict."""
NOTHING = "–"
MOST_PERCENT = 9_999.5
"""From here on a change is a factor."""
LARGEST_FACTOR = 99_999.5
"""From here on its digits say nothing."""


@dataclass(frozen=True)
class VerdictRow:
    """A row of the verdict table, every cell as text.

    Attributes
    ----------
    arm, changes : str
        Its name, and what differs from the baseline; empty where the name says it.
    symbol, verdict, reason : str
    note : str
        The reason, where the numbers beside it do not say it already.
    change, interval : str
        Of the primary figure, in per cent; ``ranks last`` or ``ranks first`` without a size.
    p, p_holm : str
    final : str
        Mean ± standard deviation at the end.
    collapsed, diverged : str
        Count of trials, of those that ended.
    cost : str
        Time a step as a ratio to the baseline's; marked where the two were taken in other ways.
    seeds : str
        Pairs that the verdict rests on, or the baseline's complete trials.
    is_reference : bool
        Whether this is what the other arms are compared with.
    """

    arm: str
    changes: str
    symbol: str
    verdict: str
    reason: str
    note: str
    change: str
    interval: str
    p: str
    p_holm: str
    final: str
    collapsed: str
    diverged: str
    cost: str
    seeds: str
    is_reference: bool


def verdict_rows(
    results: StudyResults, comparisons: Sequence[Comparison] | None = None
) -> tuple[VerdictRow, ...]:
    """Return the verdict table, the baseline first."""
    mixed = mixed_costs(results)
    applying = {arm.name for arm in (*results.arms, *results.tuned) if arm.skipped is None}
    return tuple(
        _row(item, item.arm in mixed, item.arm in applying)
        for item in (comparisons or compare(results))
    )


def _row(item: Comparison, is_mixed: bool, applies: bool) -> VerdictRow:
    effect = item.effect
    symbol, verdict = SYMBOLS[item.verdict], str(item.verdict)
    if verdict == "n/a" and applies and item.outcomes["pending"]:
        symbol, verdict = NOT_YET
    pairs = len(effect.differences) if effect else item.outcomes["complete"]
    return VerdictRow(
        arm=item.arm,
        changes="" if _letters(item.changes) == _letters(item.arm) else item.changes,
        symbol=symbol,
        verdict=verdict,
        reason=item.reason,
        note=_note(item),
        change=size(effect) if effect else NOTHING,
        interval=interval(effect) if effect else NOTHING,
        p=p_value(effect.p) if effect else NOTHING,
        p_holm=p_value(item.p_holm),
        final=mean_and_deviation(item.mean, item.deviation),
        collapsed=rate(item.collapsed),
        diverged=rate(item.diverged),
        cost=cost_words(item.cost, is_mixed),
        seeds=str(pairs),
        is_reference=item.is_reference,
    )


def _note(item: Comparison) -> str:
    """Return reading and reason, less that interval and test agree: that can be seen."""
    reason = item.reason.removesuffix(AGREED).removesuffix("; ")
    return "; ".join(filter(None, [item.reading, reason]))


def _letters(name: str) -> str:
    """Return a name less its punctuation: ``a b=1`` and ``a: b 1`` say the same."""
    return re.sub(r"[^a-z0-9.]", "", name.casefold())


def size(effect: Effect) -> str:
    """Return an effect's estimate in per cent, or in words where ranks give it no size."""
    if isinf(effect.estimate):
        return "ranks last" if effect.estimate > 0 else "ranks first"
    return percent(effect.estimate)


def percent(difference: float) -> str:
    """Return a difference of logarithms as a signed relative change: ``−23%``.

    One decimal under ten per cent and next to minus a hundred, where it tells things apart; from
    a hundred times on as a factor, ``×3,200``.
    """
    change = 100 * relative_change(difference)
    if isinf(change):
        return "+∞"
    if change >= MOST_PERCENT:
        factor = change / 100 + 1
        return f"×{factor:,.0f}" if factor < LARGEST_FACTOR else f"×{factor:.1e}".replace("e+", "e")
    digits = 1 if abs(change) < 9.95 or -100 < change < -98.5 else 0
    text = f"{abs(change):,.{digits}f}%"
    if not text.strip("0.,%"):
        return "0%"
    return ("−" if change < 0 else "+") + text


def interval_head(results: StudyResults) -> str:
    """Return what stands above intervals: ``95% interval``; a look's have a level of their own."""
    if schedule_of(results.study) is not None:
        return "interval at its look"
    return f"{100 * (1 - results.alpha):.3g}% interval"


def interval(effect: Effect) -> str:
    """Return an effect's interval: ``−31% to −14%``, or ``above +20%`` without an upper end."""
    if effect.low == -inf and effect.high == inf:
        # Of enough seeds too, where the arm alone ranks last at some and first at others.
        both = {-inf, inf} <= set(effect.differences.values())
        return "without limits" if both else "too few seeds"
    if effect.low == effect.high and isinf(effect.low):
        return size(effect)
    return interval_between(effect.low, effect.high)


def interval_between(low: float, high: float) -> str:
    """Return an interval of differences of logarithms, in per cent; one end may be infinite."""
    if low == high:
        return percent(low)
    if isinf(high):
        return f"above {_end(low)}"
    if isinf(low):
        return f"below {_end(high)}"
    return f"{_end(low)} to {_end(high)}"


def _end(difference: float) -> str:
    """Return an interval's end in per cent; on which side of zero it lies decides a verdict."""
    text = percent(difference)
    if text != "0%" or difference == 0:
        return text
    size = abs(100 * relative_change(difference))
    digits = min(9, 1 - ceil(log10(size)))
    return f"{'−' if difference < 0 else '+'}{size:.{digits}f}%"


def p_value(p: float | None) -> str:
    """Return a p value with three decimals; smaller ones as such."""
    if p is None:
        return NOTHING
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def number(value: float | None) -> str:
    """Return a number with three significant digits; a whole number with all of its own."""
    if value is None:
        return NOTHING
    whole = abs(value) >= 100 or float(value).is_integer()
    text = f"{value:,.0f}" if whole else f"{value:#.3g}"
    return text.replace("-", "−")


def mean_and_deviation(mean: float | None, deviation: float | None) -> str:
    """Return ``21.4 ± 2.1``: two digits of the deviation, and as many decimals of the mean."""
    if mean is None:
        return NOTHING
    if not deviation:
        return number(mean)
    digits = min(max(1 - floor(log10(deviation)), 0), 4)
    return f"{mean:,.{digits}f}\u00a0±\u00a0{deviation:,.{digits}f}"


def cost_words(cost: float | None, is_mixed: bool) -> str:
    """Return a cost as ``×1.20``; ``×1.20*`` where it counts another way of taking steps too."""
    return NOTHING if cost is None else f"×{cost:.2f}{MARK if is_mixed else ''}"


def rate(share: Rate) -> str:
    """Return ``3 / 10``."""
    return f"{share.count} / {share.total}" if share.total else NOTHING


def cost_interval_words(found: tuple[float, float] | None) -> str:
    """Return the interval of a cost as ``×1.15 to ×1.26``."""
    return NOTHING if found is None else f"×{found[0]:.2f} to ×{found[1]:.2f}"


def duration(seconds: float) -> str:
    """Return seconds as a reader would say them."""
    if seconds < 1:
        milliseconds = 1000 * seconds
        return f"{milliseconds:.0f} ms" if milliseconds >= 99.5 else f"{milliseconds:.3g} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def count(amount: int, noun: str) -> str:
    """Return ``1 seed`` or ``3 seeds``."""
    return f"{amount:,} {noun}" + ("" if amount == 1 else "s")


def listing(parts: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
