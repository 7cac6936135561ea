"""The primary figure over training: a small panel an arm, the baseline behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import median
from typing import Literal

import numpy as np

from ganbench.report.forest import TONES
from ganbench.report.svg import (
    Figure,
    element,
    group,
    line,
    linear_ticks,
    log_ticks,
    path,
    shorten,
    text,
)
from ganbench.report.words import SYMBOLS, number
from ganbench.study.comparison import Comparison
from ganbench.study.results import StudyResults, TrialResult

Axis = Literal["steps", "seconds"]
WIDTH, HEIGHT = 316.0, 216.0
LEFT, RIGHT, TOP, BOTTOM = 38.0, 40.0, 44.0, 26.0


@dataclass(frozen=True)
class Curve:
    """Quartiles over the seeds at each evaluation: x, lower, median, upper."""

    points: tuple[tuple[float, float, float, float], ...]
    seeds: int


def curve_of(trials: Sequence[TrialResult], figure: str, axis: Axis) -> Curve:
    """Return an arm's quartiles, at each step that at least half of its seeds reached.

    Parameters
    ----------
    trials : sequence of TrialResult
        Failed ones are left out; one that diverged counts as long as it ran.
    figure : str
        Positive values only, for the axis is logarithmic.
    axis : {"steps", "seconds"}
        Seconds are the median of training time at that evaluation.
    """
    used = [trial for trial in trials if trial.outcome in ("complete", "diverged")]
    found: dict[int, list[tuple[float, float]]] = {}
    for trial in used:
        for point in trial.evaluations:
            value = point.figures.get(figure)
            if value is not None and value > 0:
                found.setdefault(point.step, []).append((point.seconds, value))
    points = []
    for step, pairs in sorted(found.items()):
        if 2 * len(pairs) < len(used):
            continue
        x = step if axis == "steps" else median(seconds for seconds, _ in pairs)
        low, middle, high = np.quantile([value for _, value in pairs], [0.25, 0.5, 0.75])
        points.append((float(x), float(low), float(middle), float(high)))
    return Curve(tuple(points), len(used))


def curve_panels(
    results: StudyResults, comparisons: Sequence[Comparison], label: str, axis: Axis
) -> list[Figure]:
    """Return a panel an arm, all on the same axes; without arms, the baseline's alone."""
    curves = {
        item.arm: curve_of(list(results.of_arm(item.arm).values()), results.primary, axis)
        for item in comparisons
    }
    drawn = [curve for curve in curves.values() if curve.points]
    if not drawn:
        return []
    low = min(point[1] for curve in drawn for point in curve.points)
    high = max(point[3] for curve in drawn for point in curve.points)
    if low == high:
        low, high = low / 2, high * 2
    reach = max(curve.points[-1][0] for curve in drawn) or 1.0
    frame = _Frame(low, high, reach, axis)
    baseline, *arms = comparisons
    shown = [item for item in arms if curves[item.arm].points] or [baseline]
    return [
        _panel(item, curves[item.arm], curves[baseline.arm], frame, label, place)
        for place, item in enumerate(shown)
    ]


@dataclass(frozen=True)
class _Frame:
    """The axes that all panels share."""

    low: float
    high: float
    reach: float
    axis: Axis

    def x(self, value: float) -> float:
        return LEFT + value / self.reach * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = log(value / self.low) / log(self.high / self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _panel(
    item: Comparison, curve: Curve, baseline: Curve, frame: _Frame, label: str, place: int
) -> Figure:
    tone = TONES.get(item.verdict, "ink")
    parts = [
        text(0, 13, shorten(item.arm, 44), "strong"),
        text(0, 28, f"{SYMBOLS[item.verdict]} {item.verdict}", TONES.get(item.verdict, "plain")),
        *_axes(frame),
    ]
    if not item.is_reference:
        parts.append(_draw(baseline, frame, "base", dashed=True))
    parts.append(_draw(curve, frame, tone, dashed=False))
    parts += _ends(item, curve, baseline, frame)
    unit = "steps" if frame.axis == "steps" else "seconds of training"
    ends = f"{label} from {number(curve.points[0][2])} to {number(curve.points[-1][2])}"
    against = f", baseline to {number(baseline.points[-1][2])}" if baseline.points else ""
    return Figure(
        f"curve-{frame.axis}-{place}",
        f"{label} over {unit}: {item.arm}",
        f"{item.arm}: median {ends}{against}.",
        WIDTH,
        HEIGHT,
        "".join(parts),
    )


def _axes(frame: _Frame) -> list[str]:
    parts = []
    for value in log_ticks(frame.low, frame.high, 5):
        y = frame.y(value)
        parts.append(line(LEFT, y, WIDTH - RIGHT, y, "rule"))
        parts.append(text(LEFT - 6, y + 4, f"{value:,.6g}", "soft end"))
    for value in linear_ticks(frame.reach, 5):
        x = frame.x(value)
        unit = " s" if frame.axis == "seconds" and value else ""
        parts.append(text(x, HEIGHT - 8, f"{value:,g}{unit}", "soft mid"))
        parts.append(line(x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 4, "rule"))
    return parts


def _draw(curve: Curve, frame: _Frame, tone: str, dashed: bool) -> str:
    if not curve.points:
        return ""
    upper = [(frame.x(x), frame.y(high)) for x, _, _, high in curve.points]
    lower = [(frame.x(x), frame.y(low)) for x, low, _, _ in curve.points]
    middle = [(frame.x(x), frame.y(value)) for x, _, value, _ in curve.points]
    parts = []
    if curve.seeds > 1:
        parts.append(path([*upper, *reversed(lower)], "band", closed=True))
    parts.append(path(middle, "line dashed" if dashed else "line"))
    x, y = middle[-1]
    parts.append(element("circle", cx=x, cy=y, r=2.5, class_="tone"))
    return group(0, 0, *parts, class_=tone)


def _ends(item: Comparison, curve: Curve, baseline: Curve, frame: _Frame) -> list[str]:
    """Label both lines at their ends, apart from one another."""
    x, _, value, _ = curve.points[-1]
    tone = TONES.get(item.verdict, "")
    ours = frame.y(value)
    if item.is_reference or not baseline.points:
        return [text(frame.x(x) + 6, ours + 4, number(value), f"{tone} strong".strip())]
    other = baseline.points[-1]
    theirs = frame.y(other[2])
    middle, apart = (ours + theirs) / 2, max(abs(ours - theirs), 13.0)
    sign = 1 if ours > theirs else -1
    return [
        text(
            frame.x(x) + 6, middle + sign * apart / 2 + 4, number(value), f"{tone} strong".strip()
        ),
        text(frame.x(other[0]) + 6, middle - sign * apart / 2 + 4, number(other[2]), "base"),
    ]
