"""What ``ganbench check`` prints."""

import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ganbench.cli.commands import run_command
from ganbench.config.text import flow
from ganbench.plugin import Registered
from ganbench.testing.case import TrickCase
from ganbench.testing.kinds import CONTRACTS, check_plugin
from ganbench.testing.result import Result
from ganbench.testing.trick_checks import hooks_of
from ganbench.training import NotApplicableError

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "bold red"), "n/a": ("–", "dim")}
NAME_WIDTH = 14
WIDEST = 100


@dataclass(frozen=True)
class Beside:
    """What stands around a plugin in the tiny trials that it is checked in.

    Attributes
    ----------
    plugins : tuple of type
        Classes that are not installed.
    tricks : mapping
        Other tricks and their parameters.
    architecture, objective : str
    shape : tuple of int or None
        Of the data; None for the contract's own.
    """

    plugins: tuple[type[Any], ...]
    tricks: Mapping[str, Mapping[str, Any]]
    architecture: str
    objective: str
    shape: tuple[int, ...] | None

    def setup(self, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return it as attributes of a contract's case."""
        return {
            "plugins": self.plugins,
            "with_tricks": self.tricks,
            "architecture": self.architecture,
            "objective": self.objective,
            "parameters": parameters or {},
            **({} if self.shape is None else {"shape": self.shape, "shapes": (self.shape,)}),
        }

    @property
    def shape_shown(self) -> str:
        """The shape as `--shape` takes it."""
        return "x".join(map(str, self.shape or TrickCase.shape))


def report(
    found: Sequence[Registered],
    parameters: Mapping[str, Any] | None,
    beside: Beside,
    file: Path | None,
) -> int:
    """Check plugins one after the other, print each result as it comes, return the exit code."""
    console = Console(highlight=False)
    passed = []
    for number, registered in enumerate(found):
        if number:
            console.print()
        passed.append(_report_one(registered, parameters, beside, console))
    if all(passed) and file is not None:
        console.print("\nnext:")
        for registered in found:
            requires = tuple(getattr(registered.cls, "requires", ()))
            line = run_command(registered.kind, registered.name, file, requires)
            console.print(Text(f"  {line}", "cyan"), soft_wrap=True)
    return 0 if all(passed) else 1


def _report_one(
    registered: Registered,
    parameters: Mapping[str, Any] | None,
    beside: Beside,
    console: Console,
) -> bool:
    started = time.perf_counter()
    for line in _heading(registered, parameters, beside):
        console.print(line, soft_wrap=True)
    width = min(console.width, WIDEST)
    checks = CONTRACTS[registered.kind]
    counts = dict.fromkeys(MARKS, 0)
    try:
        for result in check_plugin(registered.kind, registered.cls, beside.setup(parameters)):
            counts[result.outcome] += 1
            for line in _lines(result, width):
                console.print(line, soft_wrap=True)
    except NotApplicableError as reason:
        waiting = checks[sum(counts.values())]
        for line in _not_applicable(str(reason), waiting.name, beside, width):
            console.print(line, soft_wrap=True)
    left = len(checks) - sum(counts.values())
    told = [f"{count} {outcome}" for outcome, count in counts.items() if count]
    told += [f"{left} not run"] if left else []
    seconds = time.perf_counter() - started
    console.print()
    style = "bold green" if not (counts["failed"] or left) else "bold red"
    console.print(Text(f"{', '.join(told)}, in {seconds:.1f} s", style), soft_wrap=True)
    return not (counts["failed"] or left)


def _heading(
    registered: Registered, parameters: Mapping[str, Any] | None, beside: Beside
) -> list[Text]:
    source = Path(registered.source)
    shown = source.name if source.suffix == ".py" else registered.source
    lines = [Text(registered.name, "bold").append(f"  {registered.kind} · {shown}", "dim")]
    at = flow(parameters) if parameters else "its defaults"
    noise = f"{beside.shape_shown} noise"
    where = {
        "trick": f"{beside.architecture}, {beside.objective}",
        "objective": beside.architecture,
        "inspection": beside.architecture,
    }
    if registered.kind == "trick":
        hooks = ", ".join(hooks_of(registered.cls)) or "no hook"
        lines.append(Text(f"overrides {hooks}", "dim"))
        names = dict.fromkeys([*beside.tricks, *registered.cls.requires])
        where["trick"] += "".join(f" + {name}" for name in names)
    if registered.kind in where:
        lines.append(Text(f"at {at}: {where[registered.kind]}, {noise}", "dim"))
    else:
        shapes = noise if beside.shape else "many shapes of data"
        lines.append(Text(f"at {at}, its layers small where they can be: {shapes}", "dim"))
    return [*lines, Text()]


def _lines(result: Result, width: int) -> list[Text]:
    mark, style = MARKS[result.outcome]
    label = f"{result.check.name:<{NAME_WIDTH}}"
    margin = " " * (NAME_WIDTH + 2)
    text = result.seen if result.outcome == "n/a" else result.check.proves
    first, *more = _wrapped(text, width, margin, margin)
    lines = [
        Text(mark, style)
        .append(f" {label}", "" if result.outcome == "n/a" else "bold")
        .append(first[len(margin) :]),
        *(Text(line) for line in more),
    ]
    if result.outcome == "failed":
        lines += _explained("seen", result.seen, width) + _explained("mend", result.mend, width)
    return lines


def _not_applicable(reason: str, check: str, beside: Beside, width: int) -> list[Text]:
    hint = (
        "Nothing was checked. Choose a set-up in which it applies: "
        f"--architecture (now {beside.architecture}), --objective (now {beside.objective}), "
        f"--shape (now {beside.shape_shown}), --with TRICK, --parameters."
    )
    first = Text(f"– {check:<{NAME_WIDTH}}n/a in this set-up")
    return [first, *_explained("why", reason, width), *_explained("try", hint, width)]


def _explained(label: str, text: str, width: int) -> list[Text]:
    margin = " " * (NAME_WIDTH + 2)
    inner = margin + " " * 6
    first, *more = _wrapped(text, width, inner, inner)
    head = Text(f"{margin}{label:<6}", "bold").append(first[len(inner) :], "")
    return [head, *(Text(line) for line in more)]


def _wrapped(text: str, width: int, first: str, rest: str) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first]
