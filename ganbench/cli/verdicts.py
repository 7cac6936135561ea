"""The verdict table on the terminal."""

from collections.abc import Sequence

from rich.box import ASCII, SIMPLE, Box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ganbench.cli.words import folded
from ganbench.report.words import VerdictRow, interval_head, verdict_rows
from ganbench.study.results import StudyResults

STYLES = {"helps": "green", "hurts": "red", "baseline": "dim", "full": "dim", "n/a": "dim"}
ROOMY = 96
"""Columns from which on the cost is shown too; the report shows it in any case."""
HEAD = "arm"
NARROWEST = 12
"""Columns of a name, at least."""
UNBOUNDED = 10_000


def print_verdicts(results: StudyResults, console: Console) -> None:
    """Print one line an arm: the change, its interval, and what that means."""
    rows = verdict_rows(results)
    rest = _table(rows, [""] * len(rows), results, console)
    unbounded = console.options.update_width(UNBOUNDED)
    taken = Measurement.get(console, unbounded, rest).maximum - len(HEAD)
    room = max(console.width - taken, NARROWEST)
    console.print(_table(rows, [folded(row.arm, room) for row in rows], results, console))
    if results.leaves_out:
        console.print(
            "Compared with the full arm: one that hurts is without something that helps.",
            soft_wrap=True,
        )


def _table(
    rows: Sequence[VerdictRow], names: Sequence[str], results: StudyResults, console: Console
) -> Table:
    wide = console.width >= ROOMY
    table = Table(box=box_for(console), header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(HEAD, overflow="fold")
    table.add_column(f"Δ {results.primary}", justify="right", no_wrap=True)
    head = interval_head(results)
    # Two lines of heading leave an arm's name the room for a long level.
    table.add_column(head if wide else head.replace(" ", "\n", 1), justify="right")
    table.add_column("p (Holm)" if wide else "p\n(Holm)", justify="right")
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
