"""The table of figures on which no verdict rests, a row an arm, as text."""

from collections.abc import Mapping, Sequence
from math import isinf

from ganbench.report.words import NOTHING, interval_between, number
from ganbench.study.comparison import Comparison, Rate
from ganbench.study.exploratory import Estimate, Exploration, Pairing


def exploration_head(primary: str) -> tuple[str, ...]:
    """Return the head of the table; ``primary`` is the figure as a reader knows it."""
    return (
        *("Arm", f"Δ {primary}, BCa interval", "Chance of improvement", f"IQM {primary}"),
        *("Seed correlation", "Pairing gains", "Collapse rate", "Divergence rate"),
    )


def exploration_rows(
    explorations: Sequence[Exploration], comparisons: Sequence[Comparison]
) -> tuple[tuple[str, ...], ...]:
    """Return a row for each arm that has a trial which ended."""
    by_arm: Mapping[str, Comparison] = {item.arm: item for item in comparisons}
    return tuple(
        (
            item.arm,
            _change(item.change),
            _chance(item.improvement),
            _mean(item.iqm),
            _correlation(item.pairing),
            _gain(item.pairing),
            _rate(by_arm[item.arm].collapsed),
            _rate(by_arm[item.arm].diverged),
        )
        for item in explorations
        if item.iqm is not None
    )


def _change(change: Estimate | None) -> str:
    return NOTHING if change is None else interval_between(change.low, change.high)


def _chance(chance: Estimate | None) -> str:
    if chance is None:
        return NOTHING
    return f"{chance.value:.0%} ({chance.low:.0%} to {chance.high:.0%})"


def _mean(mean: Estimate | None) -> str:
    if mean is None:
        return NOTHING
    if isinf(mean.low):
        # A single seed has no interval; an arm that ranks last throughout has no figure.
        return "ranks last" if isinf(mean.value) else number(mean.value)
    if isinf(mean.high):
        middle = "ranks last" if isinf(mean.value) else number(mean.value)
        return f"{middle} (above {number(mean.low)})"
    return f"{number(mean.value)} ({number(mean.low)} to {number(mean.high)})"


def _correlation(pairing: Pairing | None) -> str:
    if pairing is None:
        return NOTHING
    text = f"{pairing.correlation:+.2f}".replace("-", "−")
    return f"{text} (ranks)" if pairing.ranked else text


def _gain(pairing: Pairing | None) -> str:
    if pairing is None or pairing.gain is None:
        return NOTHING
    if isinf(pairing.gain):
        return "all"
    return f"×{pairing.gain:.0f}" if pairing.gain >= 99.5 else f"×{pairing.gain:.2g}"


def _rate(rate: Rate) -> str:
    if not rate.total:
        return NOTHING
    return f"{rate.low:.0%} to {rate.high:.0%}"
