"""Collapse timelines: a row a seed, a cell an evaluation, an arm a panel.

The state is told by a cell's height and mark as well as by its colour.
"""

from collections.abc import Mapping, Sequence

from ganbench.evaluation.collapse import Health
from ganbench.report.svg import Figure, element, shorten, text
from ganbench.report.words import count
from ganbench.study.comparison import Comparison
from ganbench.study.results import StudyResults, TrialResult

STATES: tuple[Health, ...] = ("healthy", "partial collapse", "total collapse", "diverged")
FILLED: Mapping[Health, tuple[float, str]] = {
    "healthy": (0.2, "base"),
    "partial collapse": (0.6, "partial"),
    "total collapse": (1.0, "hurts"),
}
"""How high a cell is filled, and its tone."""
MOST_SEEDS = 50
"""Rows of a panel; the counts above them are of all seeds."""
ROOM, LABEL, PITCH, TOP = 280.0, 36.0, 15.0, 40.0


def timeline_panels(results: StudyResults, comparisons: Sequence[Comparison]) -> list[Figure]:
    """Return a panel an arm that has any evaluation."""
    steps = sorted({step for trial in results.trials for step in _states(trial)})
    if not steps:
        return []
    shown = [
        item
        for item in comparisons
        if any(_states(trial) for trial in results.of_arm(item.arm).values())
    ]
    return [_panel(results, item, steps, f"collapse-{place}") for place, item in enumerate(shown)]


def legend() -> tuple[Figure, ...]:
    """Return the key to the cells, an entry a figure."""
    entries = []
    for place, state in enumerate((*STATES, None)):
        words = state or "no evaluation"
        body = element("rect", x=0, y=4, width=14, height=12, class_="cell")
        body += _cells(state, [0], 4, 14, 12) if state else ""
        body += text(20, 14, words)
        name = f"collapse-key-{place}"
        entries.append(Figure(name, words, f"The cell of: {words}", 28 + 7 * len(words), 20, body))
    return tuple(entries)


def _panel(results: StudyResults, item: Comparison, steps: Sequence[int], name: str) -> Figure:
    pitch = min(34.0, ROOM / len(steps))
    trials = results.of_arm(item.arm)
    parts = [
        text(0, 13, shorten(item.arm, 44), "strong"),
        text(0, 28, _counts(item), "soft"),
    ]
    every = results.seeds[: item.looks.seeds] if item.looks else results.seeds
    seeds = every[:MOST_SEEDS]
    for row, seed in enumerate(seeds):
        y = TOP + row * PITCH
        parts.append(text(LABEL - 8, y + 10, str(seed), "soft end"))
        parts.append(_row(trials.get(seed), steps, y, pitch))
    bottom = TOP + PITCH * len(seeds)
    parts.append(text(0, bottom + 14, "step", "soft"))
    parts.append(text(LABEL, bottom + 14, f"{steps[0]:,}", "soft"))
    if len(steps) > 1:
        parts.append(text(LABEL + pitch * len(steps), bottom + 14, f"{steps[-1]:,}", "soft end"))
    if len(seeds) < len(every):
        bottom += 16
        parts.append(text(0, bottom + 14, f"the first {len(seeds)} of {len(every)} seeds", "soft"))
    return Figure(
        name,
        f"State of {item.arm} over training",
        f"{item.arm}: {_counts(item)}.",
        LABEL + ROOM,
        bottom + 20,
        "".join(parts),
    )


def _states(trial: TrialResult) -> dict[int, Health]:
    """Return the state at each evaluation before divergence, which may fall between two."""
    return {p.step: p.health for p in trial.evaluations if p.health != "diverged"}


def _row(trial: TrialResult | None, steps: Sequence[int], y: float, pitch: float) -> str:
    states = _states(trial) if trial is not None else {}
    gap = 2.0 if pitch > 6 else 0.5
    places: dict[Health, list[float]] = {}
    for column, step in enumerate(steps):
        if step in states:
            places.setdefault(states[step], []).append(LABEL + column * pitch)
    if trial is not None and trial.outcome == "diverged":
        column = sum(step in states for step in steps)
        if column < len(steps):
            places["diverged"] = [LABEL + column * pitch]
    width, height = pitch - gap, PITCH - 3
    whole = pitch * len(steps) - gap
    back = element("rect", x=LABEL, y=y, width=whole, height=height, class_="cell")
    return back + "".join(_cells(state, xs, y, width, height) for state, xs in places.items())


def _cells(state: Health, xs: Sequence[float], y: float, width: float, height: float) -> str:
    """Return cells of a row as one path, for a long study has thousands.

    The worse the state, the higher a cell is filled; diverged is a cross.
    """
    if state == "diverged":
        route = "".join(
            f"M{x + 1:.2f} {y + 1:.2f}l{width - 2:.2f} {height - 2:.2f}"
            f"M{x + 1:.2f} {y + height - 1:.2f}l{width - 2:.2f} {2 - height:.2f}"
            for x in xs
        )
        return element("g", element("path", d=route, class_="cross"), class_="ink")
    share, tone = FILLED[state]
    top, tall = y + height * (1 - share), height * share
    route = "".join(f"M{x:.2f} {top:.2f}h{width:.2f}v{tall:.2f}h{-width:.2f}z" for x in xs)
    return element("g", element("path", d=route, class_="tone"), class_=tone)


def _counts(item: Comparison) -> str:
    ended = item.collapsed.total
    if not ended:
        return "no trial has ended"
    parts = [f"{item.collapsed.count} of {count(ended, 'trial')} collapsed at the end"]
    if item.diverged.count:
        parts.append(f"{item.diverged.count} diverged")
    return ", ".join(parts)
