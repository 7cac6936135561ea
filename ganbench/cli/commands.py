"""Command lines as they are printed for a user to type."""

import shlex
from collections.abc import Sequence
from pathlib import Path

LONGEST = 64
"""Characters of a study's name, at most."""


def check_command(file: Path) -> str:
    """Return the command that checks a plugin file."""
    return f"ganbench check {shlex.quote(str(file))}"


def run_command(kind: str, name: str, file: Path, requires: Sequence[str] = ()) -> str:
    """Return the command that tries a plugin file beside the built-in ones.

    Where it requires other tricks, they are on in every arm, and the only factor is its own. The
    study has the plugin's name: it is not the shipped one any more, and leaves its report alone.
    """
    factors = {
        "trick": f"factors.{name}=[off, on]",
        "architecture": f"factors.architecture=[{{name: dcgan-upsample, width: 16}}, {name}]",
        "objective": f"factors.objective=[non-saturating, {name}]",
        "inspection": f"evaluation.inspections=[{name}]",
    }
    sets = [factors[kind]]
    if requires:
        sets = [f"factors={{{name}: [off, on]}}"]
        sets += [f"baseline.tricks.{other}=on" for other in requires]
    sets.insert(0, f"name={name[:LONGEST]}")
    line = f"ganbench run tricks --quick --plugin {shlex.quote(str(file))}"
    return line + "".join(f" --set {shlex.quote(change)}" for change in sets)
