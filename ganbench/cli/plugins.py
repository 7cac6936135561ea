"""``ganbench plugins``: what is installed, and one plugin's method card."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from rich.console import Console

    from ganbench.plugin import Host, Registered

KINDS = ("architecture", "objective", "trick", "dataset", "extractor", "metric")
EXAMPLES = """\b
Examples:
  ganbench plugins                       everything that a study file can name
  ganbench plugins --kind trick          the tricks
  ganbench plugins batch_norm            how to use it, its parameters, its source
  ganbench plugins my_trick --plugin my_trick.py
"""


@click.command("plugins", epilog=EXAMPLES)
@click.argument("name", required=False)
@options.plugins
@click.option(
    "--kind", type=click.Choice(KINDS), metavar="KIND", help=f"One of {', '.join(KINDS)}."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for another program.")
def command(name: str | None, plugins: tuple[Path, ...], kind: Any, as_json: bool) -> None:
    """List the plugins, or show NAME's method card and parameters."""
    # Late, so that --help needs neither torch nor rich.
    from rich.console import Console

    from ganbench.plugin import Host

    host = Host(plugins)
    found = _select(host, name, [kind] if kind else list(KINDS))
    if as_json:
        from ganbench.cli.plugin_card import as_values

        values = [as_values(registered) for registered in found]
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    if name is None:
        _print_table(found, console)
        return
    from ganbench.cli.plugin_card import print_card

    for registered in found:
        print_card(registered, console)


def _select(host: "Host", name: str | None, kinds: Sequence[Any]) -> "list[Registered]":
    """Return the plugins that were asked for.

    Raises
    ------
    GanbenchError
        If none has the name; the message says which are close.
    """
    from ganbench.config.problems import suggest
    from ganbench.plugin import GanbenchError

    every = [registered for kind in kinds for registered in host.all(kind)]
    if name is None:
        return every
    found = [registered for registered in every if registered.name == name]
    if not found:
        what = kinds[0] if len(kinds) == 1 else "plugin"
        names = {registered.name for registered in every}
        raise GanbenchError(f"no {what} has the name {name!r}{suggest(name, names, limit=99)}")
    return found


def _print_table(found: "Sequence[Registered]", console: "Console") -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("kind", style="dim", no_wrap=True)
    table.add_column("name", style="bold", overflow="fold")
    table.add_column("what", ratio=1)
    table.add_column("source", style="dim", overflow="fold", max_width=20)
    previous = None
    for registered in found:
        kind = registered.kind if registered.kind != previous else ""
        previous = registered.kind
        source = "built-in" if registered.builtin else registered.source
        source = Path(source).name if source.endswith(".py") else source
        summary = registered.summary.replace("``", "`")
        table.add_row(kind, registered.name, escape(summary), escape(source))
    console.print(table)
    console.print("`ganbench plugins NAME` shows one: how to use it, its parameters, its source.")
