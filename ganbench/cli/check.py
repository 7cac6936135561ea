"""``ganbench check``: a plugin against its contract, explained result by result."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from ganbench.config.problems import Problem
    from ganbench.plugin import Host, Registered

EXAMPLES = """\b
Examples:
  ganbench check my_trick.py
  ganbench check my_trick.py --parameters 'share: 0.5'
  ganbench check my_trick.py --with 'batch_norm: {placement: none}' --objective hinge
  ganbench check my_trick.py --shape 3x16x16       colour images of 16 by 16
  ganbench check my_trick.py --shape 2             points, with the architecture mlp
  ganbench check label_smoothing                   an installed one

\b
The same checks for pytest are ganbench.testing.TrickContract and its kin.
Exit codes: 0 all passed, 1 a check failed or nothing could be checked, 2 an error of yours.
"""


def _read_shape(
    ctx: click.Context, option: click.Parameter, value: str | None
) -> tuple[int, ...] | None:
    if value is None:
        return None
    parts = value.lower().split("x")
    if len(parts) not in (1, 3) or not all(part.isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"got {value!r}, expected such as 3x16x16, or 2 for points")
    return tuple(int(part) for part in parts)


@click.command("check", epilog=EXAMPLES)
@click.argument("plugin", metavar="FILE|NAME")
@click.option(
    "--parameters",
    metavar="YAML",
    help="A setting at which the trick acts.  [default: its defaults]",
)
@click.option(
    "--with", "others", multiple=True, metavar="TRICK", help="Another trick beside it. Repeatable."
)
@click.option("--architecture", metavar="NAME", help="[default: dcgan-upsample; points: mlp]")
@click.option("--objective", metavar="NAME", default="non-saturating", show_default=True)
@click.option(
    "--shape",
    callback=_read_shape,
    metavar="SHAPE",
    help="Of the random data.  [default: 1x8x8; an architecture's: many]",
)
@click.option("--only", metavar="NAME", help="One of several plugins in a file.")
@options.plugins
def command(
    plugin: str,
    parameters: str | None,
    others: tuple[str, ...],
    architecture: str | None,
    objective: str,
    shape: tuple[int, ...] | None,
    only: str | None,
    plugins: tuple[Path, ...],
) -> None:
    """Check that a trick, architecture, objective or inspection keeps its contract.

    FILE|NAME is a plugin file, or the name of an installed plugin. It is put into tiny trials,
    which takes about half a minute.
    """
    # Late, so that --help needs neither torch nor rich.
    from ganbench.cli.check_report import Beside, report
    from ganbench.plugin import Host

    is_file = plugin.endswith(".py") or Path(plugin).is_file()
    host = Host([Path(plugin), *plugins] if is_file else plugins)
    found = _select(host, plugin, is_file, only)
    if parameters is not None and len(found) > 1:
        names = ", ".join(registered.name for registered in found)
        raise click.UsageError(f"--parameters is for one plugin, and there are {names}: see --only")
    given = None if parameters is None else _parameters(found[0], parameters, host)
    beside = Beside(
        plugins=_uninstalled(host),
        tricks=_other_tricks(others, host),
        architecture=architecture or ("mlp" if shape and len(shape) == 1 else "dcgan-upsample"),
        objective=objective,
        shape=shape,
    )
    host.find("architecture", beside.architecture)
    host.find("objective", objective)
    sys.exit(report(found, given, beside, Path(plugin) if is_file else None))


def _select(host: "Host", plugin: str, is_file: bool, only: str | None) -> "list[Registered]":
    """Return the plugins that are to be checked.

    Raises
    ------
    GanbenchError
        If there is none, or none that has a contract.
    """
    from ganbench.config.problems import closest, suggest
    from ganbench.plugin import GanbenchError
    from ganbench.plugin.kinds import BASES
    from ganbench.testing.kinds import CONTRACTS

    every = [registered for kind in BASES for registered in host.all(kind)]
    if is_file:
        source = str(Path(plugin).resolve())
        found = [registered for registered in every if registered.source == source]
        wanted = only
    else:
        found, wanted = every, plugin
    names = {registered.name for registered in found}
    if wanted is not None:
        where = (
            f"{plugin} has no plugin named" if is_file else "there is no plugin file, or plugin,"
        )
        found = [registered for registered in found if registered.name == wanted]
        if not found:
            hint = suggest(wanted, names)
            if not is_file and closest(wanted, names) is None:
                hint = "; `ganbench plugins` lists them"
            raise GanbenchError(f"{where} {wanted!r}{hint}")
    checkable = [registered for registered in found if registered.kind in CONTRACTS]
    if not checkable:
        kinds = ", ".join(sorted({registered.kind for registered in found})) or "hooks only"
        raise GanbenchError(
            f"{plugin}: loads, and there is no contract to check it by: it holds {kinds}, "
            f"expected one of {', '.join(CONTRACTS)}"
        )
    return checkable


def _uninstalled(host: "Host") -> tuple[type[Any], ...]:
    """Return the plugin classes that come from files."""
    from ganbench.plugin.kinds import BASES

    files = {str(file) for file in host.files}
    every = [registered for kind in BASES for registered in host.all(kind)]
    return tuple(registered.cls for registered in every if registered.source in files)


def _other_tricks(others: tuple[str, ...], host: "Host") -> dict[str, Any]:
    from ganbench.config.setting import OFF, resolve_trick
    from ganbench.plugin import GanbenchError

    tricks: dict[str, Any] = {}
    for text in others:
        value = _yaml(text, "--with")
        if isinstance(value, str):
            value = {value: "on"}
        if not isinstance(value, dict):
            raise GanbenchError(
                f"--with {text}: expected a trick's name, or 'batch_norm: {{placement: none}}'"
            )
        for name, given in value.items():
            tricks[name], problems = resolve_trick(name, given, host, (name,))
            _raise(problems, "--with")
            if tricks[name] == OFF:
                raise GanbenchError(f"--with {text}: {name} is off; leave it out")
    return tricks


def _parameters(registered: "Registered", text: str, host: "Host") -> Any:
    from ganbench.config.words import validate
    from ganbench.plugin import GanbenchError

    value = _yaml(text, "--parameters")
    if not isinstance(value, dict):
        raise GanbenchError(f"--parameters {text}: expected a mapping such as 'share: 0.5'")
    _, problems = validate(registered.cls.Parameters, value, (registered.name,))
    _raise(problems, "--parameters")
    return value


def _raise(problems: "Sequence[Problem]", option: str) -> None:
    from ganbench.config.problems import dotted
    from ganbench.plugin import GanbenchError

    if problems:
        raise GanbenchError(
            "\n".join(f"{option}: {dotted(problem.path)}: {problem.text}" for problem in problems)
        )


def _yaml(text: str, option: str) -> Any:
    from ganbench.config.marks import parse, plain
    from ganbench.plugin import GanbenchError

    node, problems = parse(text, option, lines=False)
    if node is None or problems:
        raise GanbenchError("\n".join(problems) or f"{option}: is empty")
    return plain(node)
