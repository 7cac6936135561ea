"""What ``ganbench compare`` prints."""

from math import log1p
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganbench.cli.verdicts import box_for
from ganbench.cli.words import folded
from ganbench.evaluation.folders import FolderScore
from ganbench.report.reading import Row, Side, SideBySide
from ganbench.report.words import NOTHING, mean_and_deviation, number, percent

NAME_ROOM = 22


def print_reports(found: SideBySide, first: Path, second: Path) -> None:
    """Print a table of the arms that both reports have."""
    console = Console(highlight=False)
    console.print(Text(f"A: {first}\nB: {second}"), soft_wrap=True)
    click.echo(f"{found.figure} at the last step, measured alike (protocol {found.stamps[0]})")
    table = Table(box=box_for(console), header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("arm", overflow="fold")
    for name in ("A", "B"):
        table.add_column(name, justify="right", no_wrap=True)
        table.add_column("n", justify="right", no_wrap=True)
    table.add_column("B − A", justify="right", no_wrap=True)
    table.add_column("95%", justify="right", no_wrap=True)
    for row in found.rows:
        name = folded(row.arm if row.same else f"{row.arm} *", NAME_ROOM)
        sides = [cell for side in (row.first, row.second) for cell in _side(side)]
        table.add_row(Text(name), *sides, _change(row, row.change), _interval(row))
    console.print(table)
    if not all(row.same for row in found.rows):
        click.echo("*  another configuration in B than in A")
    if any(row.first.diverged or row.second.diverged for row in found.rows):
        click.echo("n: complete trials, then those that diverged, of which there is no mean")
    click.echo("the interval is Welch's, as if no seeds were paired; no verdict follows from it")
    if found.others:
        click.echo(f"only in one of them: {', '.join(found.others)}")
    for note in found.notes:
        click.echo(f"note: {note}")


def _side(side: Side) -> tuple[str, str]:
    trials = f"{side.trials}+{side.diverged}" if side.diverged else str(side.trials)
    return mean_and_deviation(side.mean, side.deviation), trials


def _change(row: Row, value: float) -> str:
    return percent(log1p(value)) if row.relative else f"{'+' if value > 0 else ''}{number(value)}"


def _interval(row: Row) -> str:
    if row.low is None or row.high is None:
        return NOTHING
    return f"{_change(row, row.low)} to {_change(row, row.high)}"


def print_folders(score: FolderScore, samples: Path, reference: Path) -> None:
    """Print the figures of a folder of images, and how they were measured."""
    console = Console(highlight=False)
    extractor = score.protocol["extractor"]["name"]
    shape = "×".join(map(str, score.protocol["reference"]["shape"]))
    lines = (
        f"samples: {score.samples:,} images of {samples}",
        f"reference: {score.reference:,} images of {reference}",
        f"extractor: {extractor}; images {shape}",
    )
    console.print(Text("\n".join(lines)), soft_wrap=True)
    width = max(len(key) for key in score.figures) + 2
    for key, value in score.figures.items():
        console.print(Text(f"  {key:<{width}}", "bold").append(f"{value:.6g}", "not bold"))
    for warning in score.warnings:
        click.echo(f"note: {warning}")
