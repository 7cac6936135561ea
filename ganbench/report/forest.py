"""The forest plot: each arm's change, with its interval and a dot a seed."""

from collections.abc import Sequence
from math import exp, inf, isfinite, log, log1p

from ganbench.report.svg import Figure, element, line, shorten, text
from ganbench.report.words import SYMBOLS, interval, percent
from ganbench.study.comparison import Comparison, Effect

TONES = {"helps": "helps", "hurts": "hurts"}
TICKS = (1.0, 0.5, 2.0, 0.75, 1.5, 0.9, 1.1, 0.25, 5.0, 10.0, 0.1, 0.95, 1.05, 20.0, 50.0, 0.01)
"""Ratios that may be marked, the most wanted first."""
WIDEST = log(60.0)
"""Changes beyond this are drawn at the edge, as arrows: one broken arm must not flatten all."""


class Scale:
    """Maps differences of logarithms to x, and infinities to a lane at the side."""

    def __init__(self, effects: Sequence[Effect], margin: float, left: float, right: float) -> None:
        values = [log1p(-margin) * 2, log1p(margin) * 2]
        values += [value for effect in effects for value in effect.differences.values()]
        values += [end for effect in effects for end in (effect.low, effect.high)]
        finite = [value for value in values if isfinite(value)]
        self.low = max(min(finite), -WIDEST)
        self.high = min(max(finite), WIDEST)
        seen = [value for effect in effects for value in effect.differences.values()]
        lane = 44.0
        self.left = left + (lane if -inf in seen else 10)
        self.right = right - (lane if inf in seen else 10)
        self.lanes = [x for x, there in ((left + 14, -inf), (right - 14, inf)) if there in seen]

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
            far = all(abs(self(log(ratio)) - self(log(other))) >= apart for other in chosen)
            if self.inside(log(ratio)) and far:
                chosen.append(ratio)
        return sorted(chosen)


def forest_plot(
    comparisons: Sequence[Comparison], primary: str, margin: float, width: float, stacked: bool
) -> Figure | None:
    """Return the forest plot; None if no arm has an effect yet.

    Parameters
    ----------
    comparisons : sequence of Comparison
    primary : str
        Label of the figure compared.
    margin : float
        Equivalence margin, shown as a band.
    width : float
        In pixels.
    stacked : bool
        For narrow screens: names above the rows instead of beside them.
    """
    rows = [(item, item.effect) for item in comparisons if item.effect is not None]
    if not rows:
        return None
    left, right = (0.0, width) if stacked else (218.0, width - 150.0)
    scale = Scale([effect for _, effect in rows], margin, left, right)
    top, pitch = (44.0, 66.0) if stacked else (44.0, 46.0)
    bottom = top + pitch * len(rows)
    body = [_ground(scale, margin, left, right, top, bottom, stacked)]
    for place, (item, effect) in enumerate(rows):
        centre = top + pitch * (place + 0.5) + (12 if stacked else 0)
        body.append(_names(item, effect, centre, width, stacked))
        body.append(_effect(item, effect, scale, centre))
        if place:
            y = top + pitch * place
            body.append(line(0, y, width, y, "rule"))
    description = "; ".join(
        f"{item.arm}: {percent(effect.estimate)}, interval {interval(effect)}, {item.verdict}"
        for item, effect in rows
    )
    return Figure(
        "forest-narrow" if stacked else "forest",
        f"Change of the final {primary} against the baseline",
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
        parts.append(text(x, bottom + 16, "diverged", "soft mid"))
    return "".join(parts)


def _names(item: Comparison, effect: Effect, centre: float, width: float, stacked: bool) -> str:
    """Return the arm's name, its verdict, and the numbers."""
    tone = TONES.get(item.verdict, "plain")
    verdict = f"{SYMBOLS[item.verdict]} {item.verdict}"
    change, span = percent(effect.estimate), interval(effect)
    if stacked:
        y = centre - 26
        return text(0, y, shorten(item.arm, 26), "strong") + text(
            width, y, f"{change}  {verdict}", f"{tone} strong end"
        )
    return (
        text(0, centre - 3, shorten(item.arm, 32), "strong")
        + text(0, centre + 13, verdict, tone)
        + text(width, centre - 3, change, "strong end")
        + text(width, centre + 13, span, "soft end")
    )


def _effect(item: Comparison, effect: Effect, scale: Scale, centre: float) -> str:
    """Return the dots, the interval and the estimate of one arm."""
    parts = []
    heights: dict[float, int] = {}
    for seed, value in sorted(effect.differences.items()):
        x = scale(value) if isfinite(value) else scale.lane(value)
        # Dots that would hide one another move apart.
        crowd = heights[round(x / 5)] = heights.get(round(x / 5), 0) + 1
        y = centre - 7 - 4.5 * (crowd - 1) if isfinite(value) else centre + 8 - 8 * crowd
        parts.append(
            element(
                "circle",
                element("title", f"seed {seed}: {percent(value)}"),
                cx=x,
                cy=y,
                r=3.2,
                class_="dot",
            )
        )
    y = centre + 7
    if len(effect.differences) > 1:
        low, high = scale(effect.low), scale(effect.high)
        parts.append(line(low, y, high, y, "bar"))
        if not scale.inside(effect.low):
            parts.append(_arrow(low, y, -1))
        if not scale.inside(effect.high):
            parts.append(_arrow(high, y, 1))
    kind = "mark" if item.verdict in TONES or item.verdict == "no effect" else "hollow"
    x, r = scale(effect.estimate), 5.5
    diamond = f"M{x:.2f} {y - r}L{x + r:.2f} {y}L{x:.2f} {y + r}L{x - r:.2f} {y}Z"
    if not isfinite(effect.estimate):
        x = scale.lane(effect.estimate)
        diamond = f"M{x:.2f} {y - r}L{x + r:.2f} {y}L{x:.2f} {y + r}L{x - r:.2f} {y}Z"
    parts.append(element("path", d=diamond, class_=kind))
    tone = TONES.get(item.verdict, "plain")
    return element("g", *parts, class_=tone)


def _arrow(x: float, y: float, side: int) -> str:
    """Return the head that says that an interval goes on beyond the axis."""
    tip = x + 7 * side
    return element("path", d=f"M{x:.2f} {y - 4.5}L{tip:.2f} {y}L{x:.2f} {y + 4.5}Z", class_="tone")


def axis_note(margin: float) -> str:
    """Say what the marks are."""
    return (
        "A dot is a seed, a bar the interval, a diamond the estimate (hollow: inconclusive). "
        f"The axis is logarithmic; the shaded band is the margin of ±{margin:.0%} inside which "
        "a change does not matter. Arrows point to what lies beyond the axis: more than "
        f"{exp(WIDEST):.0f}-fold, or without end because trials diverged."
    )
