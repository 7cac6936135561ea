"""``ganbench run --dry-run``: what a run would do, how long it takes, what it can show."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganbench.cli import words
from ganbench.cli.live import LiveMonitor
from ganbench.cli.plain import PlainMonitor
from ganbench.cli.session import refusal_of, shown
from ganbench.cli.tuning_plan import TuningPlan, tuning_plan
from ganbench.cli.verdicts import box_for
from ganbench.config.marks import DEFAULT
from ganbench.config.model import Study
from ganbench.config.text import flow
from ganbench.report.effects import alias_text
from ganbench.report.words import count, duration
from ganbench.study.aliases import alias_groups, resolution_of
from ganbench.study.archive import Archive
from ganbench.study.auto import as_chosen
from ganbench.study.calibration import calibrate, estimate
from ganbench.study.design import Arm
from ganbench.study.effects import term_name
from ganbench.study.monitor import Monitor
from ganbench.study.own_studies import descriptions
from ganbench.study.planning import plan as plan_seeds
from ganbench.study.prepare import Prepared, prepare
from ganbench.study.provenance import notice_of_others, provenance
from ganbench.study.records import Cell, Record, complete_identities, read_records
from ganbench.study.run_plan import RunPlan, cells_of
from ganbench.study.sequential import schedule_of
from ganbench.study.storage import close_storage, open_storage
from ganbench.study.wishes import notes_on_execution

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
        records, noted = _ledger(plan)
        prepared = as_chosen(plan, prepared, noted)
        calibration = calibrate(plan, prepared, monitor.preparing)
    finally:
        monitor.close()
    cells = cells_of(plan.study, prepared.arms, prepared.fingerprints)
    done = complete_identities(records)
    missing = list({cell.identity: cell for cell in cells if cell.identity not in done}.values())
    most = "at most " if schedule_of(plan.resolved) else ""
    tuning = tuning_plan(plan, prepared, records, calibration.paces)
    seconds = estimate(missing, calibration.paces, plan, prepared, tuning.seconds)
    console.print(Text(plan.study.question.strip()))
    if plan.origins["question"] == DEFAULT:
        click.echo(QUESTION_NOTE)
    console.print(_table(prepared, cells, missing, calibration.failures, most, console))
    for note in notes_on_execution(plan, prepared.arms):
        click.echo(f"note: {note}")
    others = notice_of_others(records, missing, provenance(plan.devices[0]))
    if others is not None:
        click.echo(f"note: {others}")
    _print_totals(plan, prepared, cells, missing, seconds, tuning)
    click.echo(f"the report would go to {shown(plan.report)}")
    refusal = None if replace else refusal_of(plan)
    if refusal is not None:
        click.echo(f"note: a run would be refused: {refusal}")


def _ledger(plan: RunPlan) -> tuple[list[Record], list[Mapping[str, Any]]]:
    """Return a study's trials so far, and what is noted of it."""
    journal = Archive(plan.report).journal
    if plan.storage is None and not journal.exists():
        return [], []
    storage = open_storage(journal, plan.storage)
    try:
        records = read_records(storage, None if plan.storage is None else plan.study.name)
        return records, descriptions(storage, plan.study.name)
    finally:
        close_storage(storage)


def _table(
    prepared: Prepared,
    cells: list[Cell],
    missing: list[Cell],
    failures: Mapping[str, str],
    most: str,
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
            state = f"{most}{left[arm.name]} to run, {every[arm.name] - left[arm.name]} done"
        else:
            state = f"{most}{left[arm.name]} to run"
        table.add_row(Text(words.folded(arm.name, room)), Text(changes), Text(state))
    return table


def _print_totals(
    plan: RunPlan,
    prepared: Prepared,
    cells: list[Cell],
    missing: list[Cell],
    seconds: float,
    tuning: TuningPlan,
) -> None:
    arms = sum(arm.skipped is None for arm in prepared.arms)
    family = sum(arm.skipped is None and not arm.seed_offset for arm in prepared.arms[1:])
    family += plan.study.design.kind == "search"
    seeds, schedule = len(plan.study.all_seeds), schedule_of(plan.resolved)
    trials = len({cell.identity for cell in cells})
    most = "at most " if schedule else ""
    click.echo(
        f"{count(arms, 'arm')} × {words.seeds_in_words(seeds, schedule)}: "
        f"{most}{count(trials, 'trial')}, {most}{len(missing)} to run; "
        f"steps a trial: {plan.study.baseline.steps:,}"
    )
    for line in tuning.lines:
        click.echo(line)
    most = "at most " if schedule or tuning.lines else ""
    click.echo(
        f"estimated time: {most + duration(seconds) if seconds else 'none'}, on "
        f"{', '.join(plan.devices)} with {count(plan.workers, 'worker')}"
    )
    alpha = plan.study.evaluation.judgement.alpha
    click.echo(words.strength(seeds, schedule, family, alpha))
    for line in combined_lines(plan.study, prepared.arms):
        click.echo(line)


def combined_lines(study: Study, arms: Sequence[Arm]) -> list[str]:
    """Return what a design that combines factors can show besides its arms.

    How many seeds its main effects need, what a fraction is, and what it cannot tell apart.
    """
    kind, seeds = study.design.kind, len(study.all_seeds)
    if kind not in ("factorial", "fractional"):
        return []
    mains = sum(len(levels) - 1 for levels in study.factors.values())
    alpha = study.evaluation.judgement.alpha
    able = plan_seeds(seeds, mains, alpha)
    needed = "no number of seeds can" if able.seeds_needed is None else f"{able.seeds_needed} can"
    shown = f"show the {count(mains, 'main effect')}, a family of their own"
    lines = [
        f"{count(seeds, 'seed')} can {shown}"
        if able.can_conclude
        else f"{count(seeds, 'seed')} cannot {shown}; {needed}"
    ]
    if kind == "factorial":
        return lines
    cells = [tuple(arm.cell.values()) for arm in arms if arm.cell]
    names = [term_name(key, levels, 1) for key, levels in study.factors.items()]
    lines.append(
        f"a fraction: {len(cells)} of {2 ** len(names):,} combinations, of resolution "
        f"{resolution_of(cells)}; what stands in one line cannot be told apart, interactions of "
        "three factors and more not listed"
    )
    for term, aliases in alias_groups(cells).items():
        name = " × ".join(names[factor] for factor in term)
        share = 0.5 if len(term) == 1 else 1.0
        others = [
            (" × ".join(names[factor] for factor in alias.term), share * alias.sign)
            for alias in aliases
        ]
        if others:
            lines.append(f"  {name} {alias_text(others)}")
    if any(arm.skipped is not None for arm in arms):
        lines.append("note: an arm of the fraction does not apply, so it will show no effects")
    return lines
