"""``ganbench run --dry-run``: what a run would do, how long it takes, what it can show."""

from collections import Counter
from collections.abc import Mapping

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganbench.cli import words
from ganbench.cli.live import LiveMonitor
from ganbench.cli.plain import PlainMonitor
from ganbench.cli.session import refusal_of, shown
from ganbench.cli.verdicts import box_for
from ganbench.config.marks import DEFAULT
from ganbench.config.text import flow
from ganbench.report.words import count, duration
from ganbench.study.archive import Archive
from ganbench.study.calibration import calibrate, estimate
from ganbench.study.journal import open_journal
from ganbench.study.monitor import Monitor
from ganbench.study.planning import plan as plan_seeds
from ganbench.study.prepare import Prepared, prepare
from ganbench.study.provenance import notice_of_others, provenance
from ganbench.study.records import Cell, Record, complete_identities, read_records
from ganbench.study.run_plan import RunPlan, cells_of

LEAST_ROOM = 20
"""Columns of an arm's name."""
QUESTION_NOTE = (
    "note: that is a default question: the dataset, the factors or the design are not those that "
    "the former one was about; `question:` in the study file, or --set question=…, asks another"
)


def show_plan(plan: RunPlan, replace: bool = False) -> None:
    """Print arms and seeds, what is done already, the time, and what the seeds can show.

    Writes nothing into the report folder. Loads the data and the evaluator, as a run would.

    Parameters
    ----------
    plan : RunPlan
    replace : bool
        Whether the run may replace another study's report.

    Raises
    ------
    GanbenchError
        If the study cannot be run.
    """
    console = Console(highlight=False)
    monitor: Monitor = LiveMonitor(console) if console.is_terminal else PlainMonitor()
    try:
        prepared = prepare(plan, monitor.preparing)
        calibration = calibrate(plan, prepared, monitor.preparing)
    finally:
        monitor.close()
    cells = cells_of(plan.study, prepared.arms, prepared.fingerprints)
    records = _records(plan)
    done = complete_identities(records)
    missing = list({cell.identity: cell for cell in cells if cell.identity not in done}.values())
    seconds = estimate(missing, calibration.paces, plan, prepared)
    console.print(Text(plan.study.question.strip()))
    if plan.origins["question"] == DEFAULT:
        click.echo(QUESTION_NOTE)
    console.print(_table(prepared, cells, missing, calibration.failures, console))
    others = notice_of_others(records, missing, provenance(plan.devices[0]))
    if others is not None:
        click.echo(f"note: {others}")
    _print_totals(plan, prepared, cells, missing, seconds)
    click.echo(f"the report would go to {shown(plan.report)}")
    refusal = None if replace else refusal_of(plan)
    if refusal is not None:
        click.echo(f"note: a run would be refused: {refusal}")


def _records(plan: RunPlan) -> list[Record]:
    journal = Archive(plan.report).journal
    return read_records(open_journal(journal)) if journal.exists() else []


def _table(
    prepared: Prepared,
    cells: list[Cell],
    missing: list[Cell],
    failures: Mapping[str, str],
    console: Console,
) -> Table:
    table = Table(box=box_for(console), header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    room = max(console.width * 2 // 5, LEAST_ROOM)
    table.add_column("arm", no_wrap=True)
    table.add_column("what changes", overflow="fold")
    table.add_column("seeds", overflow="fold")
    every = Counter(cell.arm for cell in cells)
    left = Counter(cell.arm for cell in cells if cell.identity in {c.identity for c in missing})
    for arm in prepared.arms:
        changes = ", ".join(f"{factor}: {flow(level)}" for factor, level in arm.levels.items())
        if arm.leaves_out is not None:
            changes = f"{prepared.arms[0].name}, less {arm.leaves_out}"
        if arm.seed_offset:
            changes = f"{prepared.arms[0].name} again, at seeds + {arm.seed_offset:,}"
        if arm.skipped is not None:
            state = f"n/a: {arm.skipped}"
        elif arm.config is not None and arm.config.key() in failures:
            state = f"fails: {failures[arm.config.key()]}"
        elif left[arm.name] < every[arm.name]:
            state = f"{left[arm.name]} to run, {every[arm.name] - left[arm.name]} done"
        else:
            state = f"{left[arm.name]} to run"
        table.add_row(Text(words.folded(arm.name, room)), Text(changes), Text(state))
    return table


def _print_totals(
    plan: RunPlan, prepared: Prepared, cells: list[Cell], missing: list[Cell], seconds: float
) -> None:
    arms = sum(arm.skipped is None for arm in prepared.arms)
    family = sum(arm.skipped is None and not arm.seed_offset for arm in prepared.arms[1:])
    seeds = len(plan.study.seeds)
    trials = len({cell.identity for cell in cells})
    click.echo(
        f"{count(arms, 'arm')} × {count(seeds, 'seed')}: {count(trials, 'trial')}, "
        f"{len(missing)} to run; steps a trial: {plan.study.baseline.steps:,}"
    )
    click.echo(
        f"estimated time: {duration(seconds) if missing else 'none'}, on "
        f"{', '.join(plan.devices)} with {count(plan.workers, 'worker')}"
    )
    click.echo(plan_seeds(seeds, family, plan.study.evaluation.judgement.alpha).text)
