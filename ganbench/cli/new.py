"""``ganbench new``: a plugin file that works as it is, to be changed into one's own."""

import importlib.util
import keyword
import re
import sys
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ganbench.plugin import Host, Kind

EXAMPLES = """\b
Examples:
  ganbench new trick pixel_dropout            writes pixel_dropout.py
  ganbench new architecture my-net            writes my_net.py
  ganbench new objective my-loss --to losses/mine.py
"""

KINDS = ("trick", "architecture", "objective")
LONGEST = 40
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")


@click.command("new", epilog=EXAMPLES)
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@click.argument("name")
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to write it.  [default: NAME.py]",
)
def command(kind: Any, name: str, to: Path | None) -> None:
    """Write a plugin from a template.

    KIND is trick, architecture or objective; NAME is what study files will call it. What is
    written keeps its contract: change one thing at a time, and `ganbench check` it.
    """
    # Late, so that --help needs no torch.
    from ganbench.cli.commands import check_command, run_command
    from ganbench.plugin import GanbenchError, Host

    problem = name_problem(kind, name, Host())
    if problem is not None:
        raise GanbenchError(problem)
    file = to if to is not None else Path(f"{name.replace('-', '_')}.py")
    problem = file_problem(file)
    if problem is not None:
        raise GanbenchError(problem)
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(source(kind, name))
    except OSError as error:
        raise GanbenchError(f"{file}: cannot be written: {error.strerror}") from error
    click.echo(f"wrote {file}; next:")
    click.echo(f"  {check_command(file)}")
    click.echo(f"  {run_command(kind, name, file)}")


def source(kind: str, name: str) -> str:
    """Return the template of a kind under a plugin's name."""
    text = resources.files("ganbench.cli.templates").joinpath(f"{kind}.py").read_text("utf-8")
    mark = "_" if kind == "trick" else "-"
    class_name = "".join(word.capitalize() for word in re.split("[_-]", name))
    if re.search(rf"\b{class_name}\b", text):  # a name that the template imports, as Search
        class_name += kind.capitalize()
    text = text.replace(f"my{mark}{kind}", name)
    return text.replace(f"My{kind.capitalize()}", class_name)


def name_problem(kind: "Kind", name: str, host: "Host") -> str | None:
    """Say why a plugin cannot have a name: what was wrong, what is expected, what is close."""
    from ganbench.config.model import Baseline

    mark = "_" if kind == "trick" else "-"
    pattern = f"[a-z][a-z0-9]*({mark}[a-z0-9]+)*"
    close = mark.join(_WORDS.findall(name)).lower()
    if re.fullmatch(pattern, name) is None:
        hint = f", such as {close!r}" if re.fullmatch(pattern, close) else ""
        return (
            f"{name!r} cannot name {_a(kind)}; expected lower-case letters and digits, words "
            f"joined by {mark!r}, a letter first{hint}"
        )
    if len(name) > LONGEST:
        return f"{name!r} has {len(name)} characters, expected at most {LONGEST}"
    if name in host.names(kind):
        found = host.find(kind, name)
        return (
            f"{name!r} is {_a(kind)} of {found.source} already; choose another name "
            f"(`ganbench plugins {name}` shows that one)"
        )
    if kind == "trick" and name in Baseline.model_fields:
        return f"{name!r} is a key of the baseline, so a factor of that name would not be the trick"
    return None


def file_problem(file: Path) -> str | None:
    """Say why a plugin cannot be written to a file."""
    if file.suffix != ".py":
        return f"{file}: a plugin file must end in .py"
    if file.exists():
        return f"{file}: is there already, and is left as it is; choose another name, or --to FILE"
    if not file.parent.is_dir():
        return f"{file}: there is no folder {file.parent}"
    stem = file.stem
    if not stem.isidentifier() or keyword.iskeyword(stem):
        return f"{file}: tests cannot import a file of that name; choose one with --to FILE"
    if stem in sys.stdlib_module_names or importlib.util.find_spec(stem) is not None:
        return f"{file}: would hide the Python module {stem!r}; choose another file with --to FILE"
    return None


def _a(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"
