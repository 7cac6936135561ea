"""``ganbench plugins``: what is installed, and one plugin's method card."""

import difflib
import json
import textwrap
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from rich.console import Console

    from ganbench.plugin import Host, Registered

KINDS = (
    "architecture",
    "objective",
    "trick",
    "dataset",
    "extractor",
    "metric",
    "inspection",
    "launcher",
)
PLURALS = {kind: f"{kind}s" for kind in KINDS}
WIDEST = 110
"""Columns of the list, at most."""
NARROWEST = 20
"""Columns of what a plugin does, at least."""
NEAREST = 5
"""Names that are told for one that is not there, at most."""
EXAMPLES = """\b
Examples:
  ganbench plugins                       everything that has a name
  ganbench plugins tricks                the tricks; the same as --kind trick
  ganbench plugins batch_norm            how to use it, its parameters, its source
  ganbench plugins my_trick --plugin my_trick.py
"""


@click.command("plugins", epilog=EXAMPLES)
@click.argument("name", metavar="[NAME|KIND]", required=False)
@options.plugins
@click.option(
    "--kind", type=click.Choice(KINDS), metavar="KIND", help=f"One of {', '.join(KINDS)}."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for another program.")
def command(name: str | None, plugins: tuple[Path, ...], kind: Any, as_json: bool) -> None:
    """List the plugins, those of a KIND, or show NAME's method card and parameters.

    KIND is architectures, objectives, tricks, datasets, extractors, metrics,
    inspections or launchers.
    """
    # Late, so that --help needs neither torch nor rich.
    from rich.console import Console

    from ganbench.plugin import Host

    host = Host(plugins)
    named = next((each for each in KINDS if name in (each, PLURALS[each])), None)
    if named is not None and kind in (None, named) and not _is_a_name(host, name):
        name, kind = None, named
    found = _select(host, name, [kind] if kind else list(KINDS))
    if as_json:
        from ganbench.cli.plugin_card import as_values

        values = [as_values(registered) for registered in found]
        click.echo(json.dumps(values, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False)
    if name is None:
        _print_list(found, console)
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
    from ganbench.plugin import GanbenchError

    every = [registered for kind in kinds for registered in host.all(kind)]
    if name is None:
        return every
    found = [registered for registered in every if registered.name == name]
    if found:
        return found
    what = kinds[0] if len(kinds) == 1 else "plugin"
    # As people write them: `batchnorm`, `Batch-Norm`.
    plain = {registered.name.replace("_", "").replace("-", ""): registered for registered in every}
    asked = name.lower().replace("_", "").replace("-", "")
    near = [plain[key].name for key in difflib.get_close_matches(asked, plain, NEAREST)]
    near += [r.name for r in every if asked and asked in r.name and r.name not in near]
    hint = f"did you mean {' or '.join(map(repr, near[:NEAREST]))}? " if near else ""
    listing = f"ganbench plugins {PLURALS[kinds[0]]}" if len(kinds) == 1 else "ganbench plugins"
    raise GanbenchError(f"no {what} has the name {name!r}; {hint}`{listing}` lists them")


def _is_a_name(host: "Host", name: str | None) -> bool:
    return any(name in host.names(kind) for kind in KINDS)  # type: ignore[arg-type]


def _print_list(found: "Sequence[Registered]", console: "Console") -> None:
    """Print each kind as a heading and its plugins, a line each where the terminal has the room."""
    from rich.text import Text

    for kind, group in groupby(found, key=lambda registered: registered.kind):
        own = list(group)
        margin = max(len(registered.name) for registered in own) + 4
        width = max(min(console.width, WIDEST), margin + NARROWEST) - margin
        console.print(Text(PLURALS[kind], "bold").append(f" ({len(own)})", "dim"))
        for registered in own:
            text = registered.summary.replace("``", "`").removesuffix(".")
            if not registered.builtin:
                source = registered.source
                text += f" [{Path(source).name if source.endswith('.py') else source}]"
            first, *rest = textwrap.wrap(text, width, break_on_hyphens=False) or [""]
            name = f"  {registered.name}".ljust(margin)
            console.print(Text().append(name, "bold").append(first), soft_wrap=True)
            for line in rest:
                console.print(Text(" " * margin + line), soft_wrap=True)
    console.print("\n`ganbench plugins NAME` shows one, `ganbench plugins tricks` only the tricks.")
