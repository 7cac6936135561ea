"""The forest plot: each arm's change, with its interval and a dot a seed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, log, log1p

from ganbench.report.svg import Figure, element, line, path, shorten, text
from ganbench.report.words import SYMBOLS, count, interval, percent, size
from ganbench.study.comparison import Effect, Verdict

TONES = {"helps": "helps", "hurts": "hurts"}
TICKS = (1, 0.5, 2, 0.75, 1.5, 0.9, 1.1, 0.8, 1.25, 0.25, 3, 5, 10, 0.1, 0.95, 1.05, 20, 50, 0.01)
"""Ratios that may be marked, the most wanted first."""
NEAR = log(4.0)
"""The axis makes room for arms that change less than this, if they are half of all: a broken arm
must not flatten the others, and what lies beyond is drawn at the edge, as an arrow."""


class Scale:
    """Maps differences of logarithms to x, and infinities to a lane at the side."""

    def __init__(self, effects: Sequence[Effect], margin: float, left: float, right: float) -> None:
        values = [log1p(-margin) * 2, log1p(margin) * 2]
        near = [effect for effect in effects if abs(effect.estimate) <= NEAR]
        for effect in near if 2 * len(near) >= len(effects) else effects:
            values += [*effect.differences.values(), effect.low, effect.high]
        finite = [value for value in values if isfinite(value)]
        self.low, self.high = min(finite), max(finite)
        seen = [value for effect in effects for value in effect.differences.values()]
        lane = 80.0
        self.left = left + (lane if -inf in seen else 10)
        self.right = right - (lane if inf in seen else 10)
        self.lanes = [x for x, there in ((left + 32, -inf), (right - 32, inf)) if there in seen]

    def inside(self, value: float) -> bool:
        """Whether a value can be drawn where it belongs."""
        return self.low - 1e-9 <= value <= self.high + 1e-9

    def __call__(self, value: float) -> float:
        """Return the x of a value, of the nearer edge if it lies outside."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)

    def lane(self, value: float) -> float:
        """Return the x where an infinite value is drawn."""
        return self.lanes[-1] if value > 0 else self.lanes[0]

    def ticks(self, apart: float) -> list[float]:
        """Return ratios to mark, at least ``apart`` pixels from one another."""
        chosen: list[float] = []
        for ratio in TICKS:
            taken = [self(log(other)) for other in chosen] + self.lanes
            far = all(abs(self(log(ratio)) - x) >= apart for x in taken)
            if self.inside(log(ratio)) and far:
                chosen.append(ratio)
        return sorted(chosen)


@dataclass(frozen=True)
class ForestRow:
    """What stands in a row: an arm, or a factor."""

    name: str
    verdict: Verdict
    effect: Effect | None


def forest_plot(
    items: Sequence[ForestRow],
    title: str,
    margin: float,
    width: float,
    stacked: bool,
    name: str = "forest",
) -> Figure | None:
    """Return the forest plot; None if no row has an effect yet.

    Parameters
    ----------
    items : sequence of ForestRow
    title : str
    margin : float
        Equivalence margin, shown as a band.
    width : float
        In pixels.
    stacked : bool
        For narrow screens: names above the rows instead of beside them.
    name : str
        Of the figure.
    """
    rows = [(item, item.effect) for item in items if item.effect is not None]
    if not rows:
        return None
    left, right = (0.0, width) if stacked else (262.0, width - 150.0)
    scale = Scale([effect for _, effect in rows], margin, left, right)
    top, pitch = (44.0, 72.0) if stacked else (44.0, 52.0)
    bottom = top + pitch * len(rows)
    body = [_ground(scale, margin, left, right, top, bottom, stacked)]
    for place, (item, effect) in enumerate(rows):
        centre = top + pitch * (place + 0.5) + (14 if stacked else 2)
        body.append(_names(item, effect, centre, width, stacked))
        body.append(_effect(item, effect, scale, centre))
        if place:
            y = top + pitch * place
            body.append(line(0, y, width, y, "rule"))
    description = "; ".join(
        f"{item.name}: {size(effect)}, interval {interval(effect)}, {item.verdict}"
        for item, effect in rows
    )
    return Figure(
        f"{name}-narrow" if stacked else name,
        title,
        description,
        width,
        bottom + 34,
        "".join(body),
    )


def _ground(
    scale: Scale,
    margin: float,
    left: float,
    right: float,
    top: float,
    bottom: float,
    stacked: bool,
) -> str:
    """Return the axis, the line of no change and the band that does not matter."""
    start, end = scale(log1p(-margin)), scale(log1p(margin))
    parts = [
        element("rect", x=start, y=top, width=end - start, height=bottom - top, class_="margin"),
        text(left, 14, "← lower, better", "soft"),
        text(right, 14, "higher, worse →", "soft end"),
    ]
    for ratio in scale.ticks(44 if stacked else 52):
        x = scale(log(ratio))
        parts.append(line(x, top, x, bottom, "zero" if ratio == 1 else "rule"))
        parts += [text(x, y, percent(log(ratio)), "soft mid") for y in (top - 8, bottom + 16)]
    for x in scale.lanes:
        parts.append(line(x, top, x, bottom, "rule dashed"))
        label = "ranks last" if x > scale.right else "ranks first"
        parts.append(text(x, bottom + 16, label, "soft mid"))
    return "".join(parts)


def _names(item: ForestRow, effect: Effect, centre: float, width: float, stacked: bool) -> str:
    """Return the arm's name, its verdict, and the numbers."""
    tone = TONES.get(item.verdict, "plain")
    verdict = f"{SYMBOLS[item.verdict]} {item.verdict}"
    change, span = size(effect), interval(effect)
    if stacked:
        y = centre - 30
        # The axis runs behind both: without a halo its lines strike them through.
        return text(0, y, shorten(item.name, 26), "strong halo") + text(
            width, y, f"{change}  {verdict}", f"{tone} strong end halo"
        )
    return (
        text(0, centre - 3, shorten(item.name, 35), "strong")
        + text(0, centre + 13, verdict, tone)
        + text(width, centre - 3, change, "strong end")
        + (text(width, centre + 13, span, "soft end") if span != change else "")
    )


def _effect(item: ForestRow, effect: Effect, scale: Scale, centre: float) -> str:
    """Return the dots, the interval and the estimate of one arm."""
    parts, y = [], centre - 7
    places: dict[int, float] = {}
    beyond: Counter[int] = Counter()
    for seed, value in sorted(effect.differences.items()):
        if isfinite(value) and not scale.inside(value):
            beyond[1 if value > 0 else -1] += 1
        else:
            places[seed] = scale(value) if isfinite(value) else scale.lane(value)
    crowds = Counter(round(x / 5) for x in places.values())
    above: Counter[int] = Counter()
    for seed, x in places.items():
        crowd = round(x / 5)
        # Dots that would hide one another move apart, but not into the next row.
        lifted = y - above[crowd] * min(4.5, 15 / crowds[crowd])
        above[crowd] += 1
        note = element("title", f"seed {seed}: {percent(effect.differences[seed])}")
        parts.append(element("circle", note, cx=x, cy=lifted, r=3.2, class_="dot"))
    for side, amount in beyond.items():
        edge = scale.right if side > 0 else scale.left
        parts.append(_arrow(edge - 7 * side, y, side))
        label = f"{count(amount, 'seed')} beyond"
        # Below the interval, where no dot can be under the words.
        parts.append(text(edge, centre + 20, label, "soft end" if side > 0 else "soft"))
    parts += _estimate(item, effect, scale, centre + 7)
    tone = TONES.get(item.verdict, "plain")
    return element("g", *parts, class_=tone)


def _estimate(item: ForestRow, effect: Effect, scale: Scale, y: float) -> list[str]:
    """Return the interval and the estimate, or the arrow that stands for both."""
    parts = []
    if isfinite(effect.estimate) and not scale.inside(effect.estimate):
        side = 1 if effect.estimate > 0 else -1
        return [_arrow((scale.right if side > 0 else scale.left) - 7 * side, y, side)]
    if len(effect.differences) > 1:
        low, high = scale(effect.low), scale(effect.high)
        parts.append(line(low, y, high, y, "bar"))
        if not scale.inside(effect.low):
            parts.append(_arrow(low, y, -1))
        if not scale.inside(effect.high):
            parts.append(_arrow(high, y, 1))
    kind = "mark" if item.verdict in TONES or item.verdict == "no effect" else "hollow"
    x = scale(effect.estimate) if isfinite(effect.estimate) else scale.lane(effect.estimate)
    diamond = [(x, y - 5.5), (x + 5.5, y), (x, y + 5.5), (x - 5.5, y)]
    return [*parts, path(diamond, kind, closed=True)]


def _arrow(x: float, y: float, side: int) -> str:
    """Return the head that says that something goes on, or lies, beyond the axis."""
    corners = [(x, y - 4.5), (x + 7 * side, y), (x, y + 4.5)]
    return path(corners, "tone", closed=True)


def axis_note(margin: float, reference: str) -> str:
    """Say what the marks are."""
    return (
        "A dot is a seed, a bar the interval, a diamond the estimate (hollow: inconclusive). "
        f"The axis is logarithmic; the shaded band is the margin of ±{margin:.0%} inside which "
        "a change does not matter. Arrows point to what lies beyond the axis, or has no end. An "
        "arm ranks last at a seed where it diverged or has no finite figure; first where only "
        f"{reference} did, or where its own figure is 0."
    )
