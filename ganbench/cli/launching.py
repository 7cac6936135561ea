"""One call of ``ganbench launch``: from options to workers that have ended."""

import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from ganbench.cli.session import FAILED, INTERRUPTED, Options, make_plan, refusal_of, shown
from ganbench.config.launcher import load_launcher
from ganbench.data.load import ROOT_VARIABLE
from ganbench.plugin import GanbenchError, Launcher, WorkerStatus
from ganbench.report.words import count as counted
from ganbench.study.archive import Archive
from ganbench.study.design import count_trials
from ganbench.study.launching import COUNT_SECONDS, Order, Tally, View, launch, tally_of
from ganbench.study.records import read_records
from ganbench.study.run_plan import RunPlan
from ganbench.study.storage import close_storage, open_storage

PROGRAM = (sys.executable, "-m", "ganbench.cli.main")
LOGS = "launched"
STORAGE_VARIABLE = "GANBENCH_STORAGE"
PASSED = (
    ROOT_VARIABLE,
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
)
"""Variables that the workers get too. Credentials are not: launchers may write them to a file."""
QUIET_SECONDS = 60.0
"""After so long without a change the same is said again, as a sign of life."""
SHOWN = 4
"""Handles that are told, at most."""


def launch_study(
    options: Options, given: str, launcher_sets: Sequence[str], count: int, replaces: bool
) -> int:
    """Start a study's workers, follow them, and return the exit code.

    Parameters
    ----------
    options : Options
        As for the ``ganbench run`` that writes the report.
    given : str
        A launcher, or a file of one.
    launcher_sets : sequence of str
        ``key=value``, on top of it.
    count : int
        How many to start.
    replaces : bool
        Put the report in the place of another study's.

    Raises
    ------
    GanbenchError
        If the study, the launcher or the storage is not right, or nothing can be started.
    """
    # Whatever the workers' device is, this machine need not have it.
    plan = make_plan(replace(options, device="cpu", workers=count * (options.workers or 1)))
    if not replaces and (refusal := refusal_of(plan)) is not None:
        raise GanbenchError(refusal)
    launcher = load_launcher(given, launcher_sets, plan.host)
    available, reason = launcher.available()
    if not available:
        raise GanbenchError(f"the launcher {launcher.name!r} cannot be used: {reason}")
    folder = Archive(plan.report).folder / LOGS
    folder.mkdir(parents=True, exist_ok=True)
    view = _Follower(plan, launcher)
    page = plan.report / "index.html"
    before = _stamp(page)
    try:
        result = launch(launcher, _order(plan, options, count, replaces, folder), view)
        view.count(final=True)
    finally:
        view.close()
    if result.interrupted:
        click.echo("interrupted; nothing finished is lost, and the same command goes on")
        return INTERRUPTED
    if _stamp(page) != before:
        click.echo(f"report: {shown(page)}")
    if not result.written:
        click.echo("the run did not end well; once its cause is mended, the same command goes on")
        return FAILED
    return 0


def _stamp(file: Path) -> int | None:
    """Return when a file was written last, None if it is not there."""
    return file.stat().st_mtime_ns if file.exists() else None


def _order(plan: RunPlan, options: Options, count: int, replaces: bool, folder: Path) -> Order:
    """Return the commands, whose paths mean the same in any folder."""
    study = Path(options.study)
    placed = replace(
        options,
        study=str(study.absolute()) if study.is_file() else options.study,
        plugins=plan.host.files,
        out=plan.report,
        data_root=plan.data_root,
        files=str(plan.files) if plan.files is not None else None,
        storage=None,
        yes=True,  # whoever started this was asked, and the workers have nobody to ask
    )
    own = shlex.split(placed.command())[2:]
    # Not among the arguments: those anybody on a machine can read, and there may be a password.
    passed = {STORAGE_VARIABLE: options.storage or ""}
    passed |= {name: os.environ[name] for name in PASSED if name in os.environ}
    return Order(
        lead=(*PROGRAM, "run", *own, *(["--replace"] if replaces else [])),
        worker=(*PROGRAM, "worker", *own),
        count=count,
        environment=passed,
        folder=folder,
    )


class _Follower(View):
    """Prints whole lines: what was started, how far it is, what failed."""

    def __init__(self, plan: RunPlan, launcher: Launcher) -> None:
        self._plan, self._launcher = plan, launcher
        address = plan.storage
        # The workers wait for a storage that is away; who only looks need not.
        patience = None if address is None else replace(address, patience=0.0)
        self._storage = open_storage(Archive(plan.report).journal, patience)
        self._counted = self._said = 0.0
        self._line = ""

    def close(self) -> None:
        """Give up the connection to the storage."""
        close_storage(self._storage)

    def started(self, handles: Sequence[str]) -> None:
        names = ", ".join(handles[:SHOWN]) + (", …" if len(handles) > SHOWN else "")
        click.echo(f"{self._plan.study.name}: started with {self._launcher.name}: {names}")
        click.echo(f"{handles[0]} writes the report")

    def looked(self, states: Mapping[str, WorkerStatus]) -> None:
        if time.monotonic() - self._counted >= COUNT_SECONDS:
            self.count(states)

    def failed(self, handle: str, status: WorkerStatus, leads: bool) -> None:
        line = f"{handle} failed: {status.detail or 'for no known reason'}"
        click.echo(f"{line}; it was to write the report, and the others go on" if leads else line)

    def stopping(self, at_once: bool) -> None:
        click.echo(
            "ending them at once"
            if at_once
            else "stopping them: they keep checkpoints and put trials back; once more ends at once"
        )

    def count(self, states: Mapping[str, WorkerStatus] | None = None, final: bool = False) -> None:
        """Say how far the study is, if that has changed."""
        self._counted = time.monotonic()
        try:
            tally = tally_of(read_records(self._storage, self._plan.study.name))
        except GanbenchError as error:
            line = f"no progress can be told: {error}"
        else:
            line = _progress(tally, count_trials(self._plan.study))
        if states is not None:
            numbers = Counter(status.state for status in states.values())
            told = [f"{number} {state}" for state, number in sorted(numbers.items())]
            line += f"; workers: {', '.join(told)}"
        if line != self._line or final or self._counted - self._said >= QUIET_SECONDS:
            self._line, self._said = line, self._counted
            click.echo(line)


def _progress(tally: Tally, total: int) -> str:
    parts = [f"{tally.done} of {counted(total, 'trial')} done"]
    if tally.running:
        parts.append(f"{tally.running} running")
    if tally.failed:
        parts.append(f"{tally.failed} failed")
    return ", ".join(parts)
