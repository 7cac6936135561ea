"""``ganbench run``: train what is missing of a study, and write its report."""

import sys
from typing import Any

import click

from ganbench.cli import options

EXAMPLES = """\b
Examples:
  ganbench run tricks --quick              see that everything works, in a minute
  ganbench run tricks                      the shipped study of that name
  ganbench run my-study.yaml --dry-run     what it would do, and how long that takes
  ganbench run tricks --set seeds=20       more seeds; what is done already is kept
  ganbench run tricks --set name=faster --set baseline.optimizers.generator.lr=0.0004
  ganbench run my-study.yaml --plugin my_trick.py
  ganbench run my-study.yaml --plugin my_trick.py --trace-hooks
  ganbench run tricks --storage postgresql+psycopg://me@host/studies     with ganbench worker

\b
The same command goes on with a study that was interrupted, killed or extended:
what is complete is kept, what was running goes on from its last checkpoint.
Results of another kind of device, or of other versions of PyTorch or ganbench, are kept
too, but not mixed with new ones: those trials are trained again.
A finished report is replaced by one with at least its arms and seeds, never by another study's:
that is refused, unless --set name=NAME or --out DIR gives it a place, or --replace is there.
Exit codes: 0 done, 1 some trials failed, 2 an error of yours, 130 interrupted.
"""


@click.command("run", epilog=EXAMPLES)
@click.argument("study")
@click.option("--dry-run", is_flag=True, help="Show arms, time and what the seeds can show.")
@click.option(
    "--trace-hooks",
    is_flag=True,
    help="Show which plugin does what, in which order, in two steps of each arm; train no more.",
)
@click.option(
    "--profile",
    is_flag=True,
    help="Show where the time of a step goes in each arm, and write traces; train no more.",
)
@options.of_a_study
@options.workers
@options.storage
@click.option("--fresh", is_flag=True, help="Delete what an earlier run left in the folder.")
@options.replace
def command(
    dry_run: bool,
    trace_hooks: bool,
    profile: bool,
    fresh: bool,
    replace: bool,
    **given: Any,
) -> None:
    """Train every arm of STUDY at every seed, measure it, and write a report.

    STUDY is a study file, or the name of a shipped one. The report goes to reports/NAME in
    the current folder.
    """
    # Late, so that --help needs neither torch nor optuna.
    from ganbench.study.forks import foresee
    from ganbench.study.importing import without_collection

    if not (dry_run or trace_hooks or profile):
        foresee(given["device"])
    with without_collection():
        from ganbench.cli.session import Options, make_plan, run

    wanted = Options(**given)
    if fresh and wanted.storage is not None:
        raise click.UsageError(
            "--fresh would delete what other machines work on; give the study another name with "
            "--set name=NAME, or delete its Optuna studies with optuna delete-study"
        )
    if dry_run:
        from ganbench.cli.dry_run import show_plan
        from ganbench.cli.size import show_size

        show_plan(make_plan(wanted, show_size), fresh or replace)
        return
    if trace_hooks:
        from ganbench.cli.trace import show_trace

        sys.exit(show_trace(make_plan(wanted)))
    if profile:
        from ganbench.cli.profile import show_profiles

        sys.exit(show_profiles(make_plan(wanted)))
    sys.exit(run(make_plan(wanted), fresh, replace))
