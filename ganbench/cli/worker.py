"""``ganbench worker``: help with a study that stands on a shared storage."""

import sys
from typing import Any

import click

from ganbench.cli import options

EXAMPLES = """\b
Examples:
  ganbench worker tricks --storage postgresql+psycopg://me@host/studies
  ganbench worker tricks --workers 1 --device cuda:0     with $GANBENCH_STORAGE set

\b
Any number of workers, on any number of machines, may be started and ended at any time; with the
same study, options and plugins as `ganbench run --storage`, which writes the report. What a worker
leaves, by Ctrl-C, SIGTERM or kill -9, another goes on with. What failed is left to a new run.
Exit codes: 0 nothing is left to claim, 1 some trials failed here, 2 an error of yours,
130 interrupted.
"""


@click.command("worker", epilog=EXAMPLES)
@click.argument("study")
@options.of_a_study
@options.workers
@options.shared_storage
def command(storage: str | None, **given: Any) -> None:
    """Train trials of STUDY, beside other machines, until nothing is left to claim.

    The trials stand in the database at --storage. No report is written.
    """
    if storage is None:
        raise click.UsageError(
            "a worker needs the storage that it shares with others: --storage "
            "postgresql+psycopg://USER@HOST/DATABASE, or the variable GANBENCH_STORAGE"
        )
    # Late, so that --help needs neither torch nor optuna.
    from ganbench.study.forks import foresee
    from ganbench.study.importing import without_collection

    foresee(given["device"])
    with without_collection():
        from ganbench.cli.session import Options, join, make_plan

    sys.exit(join(make_plan(Options(storage=storage, joining=True, **given))))
