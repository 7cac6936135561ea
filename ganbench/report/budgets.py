"""Pictures of searches: what each configuration came to, and the best that a budget buys."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log

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
from ganbench.report.words import count, number
from ganbench.study.search_result import (
    SearchResult,
    SearchTrial,
    best_so_far,
    budget_curve,
    worst_value,
)

WIDTH, HEIGHT = 316.0, 216.0
LEFT, RIGHT, TOP, BOTTOM = 38.0, 40.0, 44.0, 26.0

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Frame:
    """The axes that all panels share: configurations, and the figure, logarithmic."""

    low: float
    high: float
    reach: float

    def x(self, value: float) -> float:
        return LEFT + value / self.reach * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = log(value / self.low) / log(self.high / self.low)
        return HEIGHT - BOTTOM - min(max(share, 0.0), 1.0) * (HEIGHT - TOP - BOTTOM)

    def axes(self, title: str, note: str) -> list[str]:
        parts = [text(0, 13, shorten(title, 44), "strong"), text(0, 28, note, "plain")]
        for value in log_ticks(self.low, self.high, 5):
            parts.append(line(LEFT, self.y(value), WIDTH - RIGHT, self.y(value), "rule"))
            parts.append(text(LEFT - 6, self.y(value) + 4, f"{value:,.6g}", "soft end"))
        whole = [value for value in linear_ticks(self.reach, 5) if value == int(value)]
        marks = [text(self.x(value), HEIGHT - 8, f"{value:,g}", "soft mid") for value in whole]
        return parts + marks


def history_panels(searches: Sequence[SearchResult], label: str) -> list[Figure]:
    """Return a panel a search: a mark a configuration, and the best so far as a line."""
    frame = _frame(searches)
    if frame is None:
        return []
    return [_history(search, frame, label, place) for place, search in enumerate(searches)]


def budget_panels(searches: Sequence[SearchResult], label: str) -> list[Figure]:
    """Return a panel a search: the expected best against the budget, the first's dashed."""
    frame, worst = _frame(searches), worst_value(searches)
    if frame is None or worst is None:
        return []
    curves = [
        [(n, value) for n, value in enumerate(budget_curve(search, worst), 1) if value > 0]
        for search in searches
    ]
    first, *others = range(len(searches))
    return [
        _budget(searches[place], curves[place], curves[first], frame, label, place)
        for place in (others or [first])
        if curves[place] and curves[first]
    ]


def _frame(searches: Sequence[SearchResult]) -> _Frame | None:
    values = [
        trial.value
        for search in searches
        for trial in search.trials
        if trial.value is not None and isfinite(trial.value) and trial.value > 0
    ]
    if not values:
        return None
    low, high = min(values), max(values)
    if low == high:
        low, high = low / 2, high * 2
    widest = max(max(search.budget, len(search.trials)) for search in searches)
    return _Frame(low, high, widest + 0.5)


def _history(search: SearchResult, frame: _Frame, label: str, place: int) -> Figure:
    ended = [trial for trial in search.trials if trial.state != "open"]
    parts = frame.axes(search.arm, f"{count(search.done, 'configuration')} of {search.budget}")
    best = [(index, value) for index, value in best_so_far(search) if value > 0]
    steps: list[tuple[float, float]] = []
    for index, value in best:
        if steps:
            steps.append((frame.x(index + 1), steps[-1][1]))
        steps.append((frame.x(index + 1), frame.y(value)))
    if steps:
        steps.append((frame.x(len(ended)), steps[-1][1]))
        parts.append(group(0, 0, path(steps, "line"), class_="ink"))
        parts.append(text(steps[-1][0] + 6, steps[-1][1] + 4, number(best[-1][1]), "strong"))
    marks = [_mark(trial, frame, trial.index == search.winner) for trial in ended]
    parts.append(group(0, 0, *marks, class_="base"))
    came = f"the best came to {number(best[-1][1])}" if best else "none came to its end"
    return Figure(
        f"search-{place}",
        f"{label} of each configuration: {search.arm}",
        f"{search.arm}: {count(len(ended), 'configuration')}, {came}.",
        WIDTH,
        HEIGHT,
        "".join(parts),
    )


def _mark(trial: SearchTrial, frame: _Frame, chosen: bool) -> str:
    """Draw a configuration: filled if complete, hollow if pruned, a cross at the top if lost."""
    x = frame.x(trial.index + 1)
    if trial.value is None or not isfinite(trial.value) or trial.value <= 0:
        route = [(x - 3, TOP - 3), (x + 3, TOP + 3)]
        return group(
            0, 0, path(route, "cross"), path([(x - 3, TOP + 3), (x + 3, TOP - 3)], "cross")
        )
    y = frame.y(trial.value)
    if trial.state == "pruned":
        return element("circle", cx=x, cy=y, r=3, class_="hollow")
    if chosen:
        return group(0, 0, element("circle", cx=x, cy=y, r=5, class_="mark"), class_="helps")
    return element("circle", cx=x, cy=y, r=3, class_="tone")


def _budget(
    search: SearchResult, curve: Points, first: Points, frame: _Frame, label: str, place: int
) -> Figure:
    parts = frame.axes(search.arm, "expected best of so many configurations")
    drawn = [(curve, "ink", "line")]
    if first is not curve:
        drawn.insert(0, (first, "base", "line dashed"))
    for points, tone, style in drawn:
        route = [(frame.x(n), frame.y(value)) for n, value in points]
        parts.append(group(0, 0, path(route, style), class_=tone))
    parts.append(
        text(frame.x(curve[-1][0]) + 6, frame.y(curve[-1][1]) + 4, number(curve[-1][1]), "strong")
    )
    return Figure(
        f"budget-{place}",
        f"Expected best {label} against the budget: {search.arm}",
        f"{search.arm}: from {number(curve[0][1])} with one configuration to "
        f"{number(curve[-1][1])} with {len(curve)}.",
        WIDTH,
        HEIGHT,
        "".join(parts),
    )
