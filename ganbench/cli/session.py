"""One call of ``ganbench run``: from options to a report."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ganbench.cli import words
from ganbench.cli.live import LiveMonitor
from ganbench.cli.options import STALL_MINUTES
from ganbench.cli.plain import PlainMonitor
from ganbench.cli.size import confirm_size
from ganbench.cli.verdicts import print_verdicts
from ganbench.config.load import load_study
from ganbench.config.model import Study
from ganbench.plugin import GanbenchError, Host
from ganbench.report import prepare_report, write_report
from ganbench.report.former import free_name, loss
from ganbench.study.archive import Archive, read_results
from ganbench.study.compute import choose_devices, default_workers
from ganbench.study.design import expand
from ganbench.study.monitor import Monitor
from ganbench.study.observers import Observers
from ganbench.study.outcome import Outcome
from ganbench.study.places import place_of
from ganbench.study.results import StudyResults
from ganbench.study.run_plan import RunPlan, cache_folder
from ganbench.study.storage import Address, close_storage, open_storage
from ganbench.study.supervisor import run_study

FAILED = 1
INTERRUPTED = 130


@dataclass(frozen=True)
class Options:
    """The command line of ``ganbench run``, as given."""

    study: str
    sets: tuple[str, ...] = ()
    plugins: tuple[Path, ...] = ()
    quick: bool = False
    device: str = "auto"
    workers: int | None = None
    out: Path | None = None
    data_root: Path | None = None
    yes: bool = False
    storage: str | None = None
    files: str | None = None
    stall: float = STALL_MINUTES
    joining: bool = False

    def command(self) -> str:
        """Return the command line that gives the same again."""
        parts = ["ganbench", "run", self.study]
        for value in self.sets:
            parts += ["--set", value]
        for file in self.plugins:
            parts += ["--plugin", str(file)]
        if self.quick:
            parts.append("--quick")
        if self.device != "auto":
            parts += ["--device", self.device]
        if self.workers is not None:
            parts += ["--workers", str(self.workers)]
        if self.out is not None:
            parts += ["--out", str(self.out)]
        if self.data_root is not None:
            parts += ["--data-root", str(self.data_root)]
        if self.stall != STALL_MINUTES:
            parts += ["--stall", f"{self.stall:g}"]
        if self.yes:
            parts.append("--yes")
        if self.storage is not None:
            parts += ["--storage", _address(self.storage).shown]
        if self.files is not None:
            parts += ["--files", self.files]
        return shlex.join(parts)


def make_plan(
    options: Options, check_size: Callable[[Study, bool], None] = confirm_size
) -> RunPlan:
    """Read the study and settle where and on what it runs.

    Parameters
    ----------
    options : Options
    check_size : callable
        Called with the study, and whether a large one is meant, before its arms are made.

    Raises
    ------
    GanbenchError
        If the study, a plugin or the device is not right; what ``check_size`` raises.
    """
    host = Host(options.plugins)
    loaded = load_study(options.study, host, options.sets, options.quick)
    check_size(loaded.study, options.yes)
    devices = choose_devices(options.device)
    name = loaded.study.name + ("-quick" if options.quick else "")
    report = (options.out or Path("reports") / name).absolute()
    workers = options.workers or default_workers(devices)
    study, storage, files, cache = loaded.study, None, None, cache_folder()
    if options.storage is not None:
        # A worker is never the only one. A quick run's trials are another study's, in a
        # storage as among the folders.
        storage = _address(options.storage, max(2, workers) if options.joining else workers)
        study = study.model_copy(update={"name": name})
        files = place_of(options.files) if options.files else None
        # All are to measure with the same classifier and reference, whoever made them.
        cache = Archive(report, files).evaluation
    elif options.files is not None:
        raise GanbenchError("--files is for a study on many machines, with --storage")
    return RunPlan(
        study=study,
        resolved=loaded.resolved,
        origins=loaded.origins,
        arms=expand(loaded.study, host),
        host=host,
        report=report,
        command=options.command(),
        quick=options.quick,
        devices=devices,
        workers=workers,
        data_root=options.data_root.absolute() if options.data_root else None,
        cache=cache,
        storage=storage,
        files=files,
        stall=60 * options.stall,
    )


def _address(url: str, workers: int = 1) -> Address:
    from ganbench.study.server import address_of  # late: it loads SQLAlchemy

    return address_of(url, workers)


def run(plan: RunPlan, fresh: bool = False, replace: bool = False) -> int:
    """Run a study with its progress on the terminal, write the report, and return the exit code.

    Parameters
    ----------
    plan : RunPlan
    fresh : bool
        Delete what an earlier run left.
    replace : bool
        Put the report in the place of another study's.

    Raises
    ------
    GanbenchError
        If the study cannot be run, its ledger cannot be written, or the finished report of
        another study stands where the report would go.
    """
    if not (fresh or replace) and (refusal := refusal_of(plan)) is not None:
        raise GanbenchError(refusal)
    console = Console(highlight=False)
    monitor: Monitor = LiveMonitor(console) if console.is_terminal else PlainMonitor()
    outcome = _work(plan, monitor, fresh)
    if outcome is None:
        return INTERRUPTED
    results = read_results(plan.report, plan.storage)
    write_report(results, plan.report, report_sections(plan.host, results, monitor))
    observers = Observers(plan.host, monitor.notice)
    observers.notify("on_study_end", study=plan.resolved, report=str(plan.report))
    _conclude(plan, outcome, results, console)
    if outcome.interrupted:
        return INTERRUPTED
    return FAILED if outcome.failed or outcome.stopped else 0


def join(plan: RunPlan) -> int:
    """Help with a study on a shared storage, say what was done, and return the exit code.

    Raises
    ------
    GanbenchError
        If the study cannot be run, or its storage cannot be used.
    """
    console = Console(highlight=False)
    monitor: Monitor = LiveMonitor(console) if console.is_terminal else PlainMonitor()
    outcome = _work(plan, monitor, joining=True)
    if outcome is None:
        return INTERRUPTED
    click.echo(words.worker_line(outcome))
    if outcome.stopped:
        click.echo(f"given up: {outcome.stopped}")
    if outcome.interrupted:
        return INTERRUPTED
    return FAILED if outcome.failed or outcome.stopped else 0


def _work(
    plan: RunPlan, monitor: Monitor, fresh: bool = False, joining: bool = False
) -> Outcome | None:
    """Train what is missing; None if it was interrupted before any trial ran."""
    try:
        if plan.storage is not None:
            # First of all: what prepares a study may take long.
            close_storage(open_storage(Archive(plan.report).journal, plan.storage, monitor.notice))
        leisure = (lambda: None) if joining else prepare_report
        return run_study(plan, monitor, fresh, joining, leisure)
    except KeyboardInterrupt:
        monitor.close()
        click.echo("interrupted while preparing; nothing was lost")
        return None
    finally:
        monitor.close()


def refusal_of(plan: RunPlan) -> str | None:
    """Say why a run may not put its report where it would go, None if it may."""
    lost = loss(plan)
    if lost is None:
        return None
    place = "--out DIR"
    if plan.report.name.removesuffix("-quick") == plan.study.name:
        free = free_name(plan.study.name, plan.report.parent)
        place = f"--set name={free}, or {place}"
    return (
        f"{shown(plan.report)} holds the finished report of another study: {lost}\n"
        f"  to keep both, add {place}\n"
        "  to replace that one, add --replace"
    )


def report_sections(host: Host, results: StudyResults, monitor: Monitor) -> list[tuple[str, str]]:
    """Return the sections that plugins add to a report; one that fails is left out, and said."""
    sections: list[tuple[str, str]] = []
    for implementation in host.hook.register_report_sections.get_hookimpls():
        try:
            arguments = (results,) if "results" in implementation.argnames else ()
            added: Any = implementation.function(*arguments)
            sections += [(str(title), str(text)) for title, text in added]
        except Exception as error:
            monitor.notice(
                f"{implementation.plugin_name}.register_report_sections raised "
                f"{type(error).__name__}: {error}; its sections are left out"
            )
    return sections


def _conclude(plan: RunPlan, outcome: Outcome, results: StudyResults, console: Console) -> None:
    done = sum(trial.outcome in ("complete", "diverged") for trial in results.trials)
    if done:
        print_verdicts(results, console)
        if (retuned := results.retuned()) is not None:
            click.echo(words.RETUNED_NOTE)
            print_verdicts(retuned, console)
    if plan.quick:
        click.echo(words.QUICK_NOTE)
    for line in words.trouble_lines(results):
        click.echo(line)
    if (eager := words.eager_line(results)) is not None:
        click.echo(eager)
    if outcome.stopped:
        click.echo(f"given up: {outcome.stopped}")
    if done < len(results.trials):
        click.echo(words.rest_line(results, plan.command))
    click.echo(f"report: {shown(plan.report / 'index.html')}")


def shown(path: Path) -> str:
    """Return a path as the user would write it: relative, if it is below the current folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
