"""The options that several commands share."""

from pathlib import Path

import click

sets = click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Override a key. Repeatable."
)

plugins = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Load a plugin file. Repeatable.",
)
