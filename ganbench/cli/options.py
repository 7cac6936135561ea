"""The options that several commands share."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

STALL_MINUTES = 30.0

sets = click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override a key. Repeatable."
)

quick = click.option("--quick", is_flag=True, help="Few steps, two seeds: only shows that it runs.")

device = click.option(
    "--device",
    default="auto",
    metavar="NAME",
    help="auto, cpu, cuda (every GPU), cuda:N or mps.  [default: auto]",
)

workers = click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Worker processes.  [default: one a core, or one a GPU]",
)

out = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The report's folder.  [default: reports/NAME]",
)

data_root = click.option(
    "--data-root",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where data sets are kept.  [default: $GANBENCH_DATA, or the user's cache]",
)


def _storage(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--storage",
        metavar="URL",
        envvar="GANBENCH_STORAGE",
        help="A database that machines share: postgresql+psycopg://USER@HOST/DATABASE.  "
        f"[default: {default}]",
    )


storage = _storage("$GANBENCH_STORAGE, or a file in the report's folder")

shared_storage = _storage("$GANBENCH_STORAGE")

files = click.option(
    "--files",
    metavar="DIR|URL",
    help="With --storage: a folder that the machines share, or s3://BUCKET/PREFIX, for checkpoints "
    "and pictures.  [default: the report's folder]",
)


def _finite(context: click.Context, parameter: click.Parameter, minutes: float) -> float:
    if not math.isfinite(minutes):
        raise click.BadParameter(f"{minutes:g} is no number of minutes; 0 is never")
    return minutes


stall = click.option(
    "--stall",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=STALL_MINUTES,
    show_default=True,
    metavar="MINUTES",
    help="End a worker that showed no sign of life for so long; another goes on. 0: never.",
)

replace = click.option(
    "--replace",
    is_flag=True,
    help="Replace a finished report that has arms, settings or seeds which this study has not.",
)

yes = click.option("--yes", is_flag=True, help="Run more than 1,000 trials without asking.")

plugins = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Load a plugin file. Repeatable.",
)

_OF_A_STUDY = (sets, plugins, quick, device, out, data_root, files, stall, yes)


def of_a_study(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what is trained, on what, and where its report and files go.

    Their names are those of ``ganbench.cli.session.Options``.
    """
    for option in reversed(_OF_A_STUDY):
        command = option(command)
    return command
