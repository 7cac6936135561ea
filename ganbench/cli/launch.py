"""``ganbench launch``: start a study's workers elsewhere, and follow them."""

import sys
from typing import Any

import click

from ganbench.cli import options

EXAMPLES = """\b
Examples:
  export GANBENCH_STORAGE=postgresql+psycopg://me@host/studies
  ganbench launch tricks --launcher local --count 2 --quick     try it out here
  ganbench launch tricks --launcher slurm --count 16 --set-launcher partition=gpu
  ganbench launch tricks --launcher cluster.yaml --count 16
  ganbench launch tricks --launcher ray --count 8 --set-launcher num_gpus=0.5

\b
A launcher file holds what --set-launcher would:
  name: slurm
  partition: gpu
  gpus_per_node: 1

\b
`ganbench plugins launchers` lists them, `ganbench plugins slurm` shows one's parameters.
Nothing is trained here: the workers may have a GPU and this machine none. One of them is a
`ganbench run`, which writes the report; the others are `ganbench worker`s. All of them must find
the storage and the report's folder, and so must this machine.
Ctrl-C stops what was started; the same command goes on.
Exit codes: 0 done, 1 not done, or some trials failed, 2 an error of yours, 130 interrupted.
"""


@click.command("launch", epilog=EXAMPLES)
@click.argument("study")
@options.shared_storage
@click.option(
    "--launcher", required=True, metavar="NAME|FILE", help="A launcher, or a YAML file of one."
)
@click.option(
    "--set-launcher",
    "launcher_sets",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter of the launcher. Repeatable.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How many to start.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Worker processes of each.",
)
@options.of_a_study
@options.replace
def command(
    storage: str | None,
    launcher: str,
    launcher_sets: tuple[str, ...],
    count: int,
    replace: bool,
    **given: Any,
) -> None:
    """Start COUNT workers of STUDY through a launcher, and follow them to the report.

    STUDY is a study file, or the name of a shipped one.
    """
    if storage is None:
        raise click.UsageError(
            "the workers need a storage that they share: --storage "
            "postgresql+psycopg://USER@HOST/DATABASE, or the variable GANBENCH_STORAGE"
        )
    # Late, so that --help needs neither torch nor optuna.
    from ganbench.cli.launching import launch_study
    from ganbench.cli.session import Options

    wanted = Options(storage=storage, **given)
    sys.exit(launch_study(wanted, launcher, launcher_sets, count, replace))
