"""The verdict table on the terminal."""

from collections.abc import Callable, Sequence

from rich.box import ASCII, SIMPLE, Box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ganbench.cli.words import folded
from ganbench.report.ways import cost_notes
from ganbench.report.words import (
    NOT_YET,
    NOTHING,
    SYMBOLS,
    VerdictRow,
    interval,
    interval_head,
    p_value,
    size,
    verdict_rows,
)
from ganbench.study.comparison import Verdict
from ganbench.study.effects import FactorEffect, effects_of
from ganbench.study.results import StudyResults

STYLES = {
    "helps": "green",
    "hurts": "red",
    **dict.fromkeys(("baseline", "full", "n/a", NOT_YET[1]), "dim"),
}
ROOMY = 96
"""Columns from which on the cost is shown too; the report shows it in any case."""
NARROWEST = 12
"""Columns of a name, at least."""
UNBOUNDED = 10_000


def print_verdicts(results: StudyResults, console: Console) -> None:
    """Print one line an arm: the change, its interval, and what that means.

    And below, of a design that combines factors, one line a factor.
    """
    rows = verdict_rows(results)
    _print_fitting(
        [row.arm for row in rows],
        lambda names: _arms(rows, names, results, console),
        console,
    )
    if console.width >= ROOMY:
        for note in cost_notes(results):
            console.print(note, soft_wrap=True, markup=False)
    if results.leaves_out:
        console.print(
            "Compared with the full arm: one that hurts is without something that helps.",
            soft_wrap=True,
        )
    effects = effects_of(results)
    if effects is not None and effects.mains:
        mains = effects.mains
        console.print("Main effects, each averaged over the other factors:", soft_wrap=True)
        _print_fitting(
            [item.name for item in mains],
            lambda names: _mains(mains, names, results, console),
            console,
        )


def _print_fitting(
    names: Sequence[str], table_of: Callable[[Sequence[str]], Table], console: Console
) -> None:
    """Print a table whose names are folded to the room that its other columns leave."""
    rest = table_of([""] * len(names))
    unbounded = console.options.update_width(UNBOUNDED)
    head = str(rest.columns[0].header)
    taken = Measurement.get(console, unbounded, rest).maximum - len(head)
    room = max(console.width - taken, NARROWEST)
    console.print(table_of([folded(name, room) for name in names]))


def _table(head: str, results: StudyResults, console: Console) -> Table:
    """Return a table without rows, of a name, a change, its interval and its p."""
    wide = console.width >= ROOMY
    table = Table(box=box_for(console), header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(head, overflow="fold")
    table.add_column(f"Δ {results.primary}", justify="right", no_wrap=True)
    within = interval_head(results)
    # Two lines of heading leave a name the room for a long level.
    table.add_column(within if wide else within.replace(" ", "\n", 1), justify="right")
    table.add_column("p (Holm)" if wide else "p\n(Holm)", justify="right")
    return table


def _mains(
    items: Sequence[FactorEffect], names: Sequence[str], results: StudyResults, console: Console
) -> Table:
    table = _table("factor", results, console)
    table.add_column("verdict", no_wrap=True)
    for item, name in zip(items, names, strict=True):
        numbers = [NOTHING, NOTHING]
        if item.effect is not None:
            numbers = [size(item.effect), interval(item.effect)]
        table.add_row(
            Text(name),
            Text(numbers[0]),
            Text(numbers[1], no_wrap=True),
            Text(p_value(item.p_holm)),
            _verdict(item.verdict),
        )
    return table


def _verdict(verdict: Verdict | None) -> Text:
    if verdict is None:
        return Text(NOTHING)
    return Text(f"{SYMBOLS[verdict]} {verdict}", style=STYLES.get(verdict, ""))


def _arms(
    rows: Sequence[VerdictRow], names: Sequence[str], results: StudyResults, console: Console
) -> Table:
    wide = console.width >= ROOMY
    table = _table("arm", results, console)
    table.add_column("collapsed" if wide else "col-\nlapsed", justify="right")
    if wide:
        table.add_column("cost", justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row, name in zip(rows, names, strict=True):
        baseline = row.is_reference
        cells = [
            Text(name),
            Text("" if baseline else row.change),
            Text(row.final if baseline else row.interval, no_wrap=True),
            Text("" if baseline else row.p_holm),
            Text(row.collapsed.replace(" ", "")),
        ]
        if wide:
            cells.append(Text("" if baseline else row.cost))
        table.add_row(
            *cells, Text(f"{row.symbol} {row.verdict}", style=STYLES.get(row.verdict, ""))
        )
    return table


def box_for(console: Console) -> Box:
    """Return a table's lines, in characters that the terminal has."""
    return SIMPLE if console.encoding.startswith("utf") else ASCII
