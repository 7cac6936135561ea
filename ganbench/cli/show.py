"""``ganbench show``: a study file resolved, with the origin of each key."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from ganbench.config.load import LoadedStudy
    from ganbench.study.design import Arm

EXAMPLES = """\b
Examples:
  ganbench show tricks                     the shipped study of that name
  ganbench show my-study.yaml --set baseline.steps=200 --set seeds=3
  ganbench show tricks --quick --json      for another program

\b
The output is a study file itself: `ganbench show tricks > mine.yaml` writes
every default out. What follows `#` is where a value comes from.
"""

_COLOURS = {"default": "dim", "--quick": "magenta", "--set": "yellow"}


@click.command("show", epilog=EXAMPLES)
@click.argument("study")
@options.sets
@options.plugins
@click.option("--quick", is_flag=True, help="As `run --quick` would run it.")
@click.option("--json", "as_json", is_flag=True, help="Study, origins and arms as JSON.")
def command(
    study: str, sets: tuple[str, ...], plugins: tuple[Path, ...], quick: bool, as_json: bool
) -> None:
    """Print STUDY with every default filled in, and the arms that it expands to.

    STUDY is a study file, or the name of a shipped one.
    """
    # Late, so that --help needs no torch.
    from ganbench.cli.size import MOST_ARMS, size_line
    from ganbench.config.load import load_study
    from ganbench.plugin import GanbenchError, Host
    from ganbench.report.words import count
    from ganbench.study.design import count_arms, count_tuning, expand

    host = Host(plugins)
    loaded = load_study(study, host, sets, quick)
    if count_arms(loaded.study) > MOST_ARMS:
        text = f"the study comes to {size_line(loaded.study)}: too many arms to list"
        raise GanbenchError(f"{text}; `ganbench run --dry-run` says what a run would do")
    arms = expand(loaded.study, host)
    if as_json:
        click.echo(json.dumps(_as_json(loaded, arms), indent=2, ensure_ascii=False))
    else:
        _print(loaded, arms)
        if tuning := count_tuning(loaded.study):
            found = " and an arm of the best that they find" if loaded.study.tuning is None else ""
            again = ", and every arm once more, retuned" if loaded.study.tuning is not None else ""
            click.echo(f"#   besides up to {count(tuning, 'trial')} on tuning seeds{found}{again}")


def _as_json(loaded: "LoadedStudy", arms: "tuple[Arm, ...]") -> dict[str, object]:
    return {
        "study": loaded.resolved,
        "origins": loaded.origins,
        "files": [str(file) for file in loaded.files],
        "arms": [
            {
                "name": arm.name,
                "levels": arm.levels,
                "key": arm.config.key() if arm.config else None,
                "skipped": arm.skipped,
                "seed_offset": arm.seed_offset,
            }
            for arm in arms
        ],
    }


def _print(loaded: "LoadedStudy", arms: "tuple[Arm, ...]") -> None:
    from rich.console import Console
    from rich.text import Text

    from ganbench.config.listing import comment_column, listing

    # `--set a.b=c` is told by its key: the value stands beside it.
    origins = {key: origin.partition("=")[0] for key, origin in loaded.origins.items()}
    lines = listing(loaded.resolved, origins)
    column = comment_column(lines)
    console = Console(highlight=False, soft_wrap=True)
    for line in lines:
        text = Text(line.indent).append(line.key, "bold")
        if line.value:
            text.append(f" {line.value}" if line.key else line.value)
        if line.origin:
            text.pad_right(max(column - len(line.text), 2))
            style = _COLOURS.get(line.origin.partition(" ")[0], "green")
            text.append(f"# {line.origin}", style)
        console.print(text)
    console.print()
    for row in _arm_lines(arms, len(loaded.study.all_seeds)):
        console.print(Text(row, "cyan"))


def _arm_lines(arms: "tuple[Arm, ...]", seeds: int) -> list[str]:
    runs = sum(arm.config is not None for arm in arms)
    rows = [
        f"# {runs} arm{'s' * (runs != 1)}, {seeds} seed{'s' * (seeds != 1)}: "
        f"{runs * seeds} trial{'s' * (runs * seeds != 1)}"
    ]
    return rows + [
        f"#   {arm.name}"
        + (f"  n/a: {arm.skipped}" if arm.skipped else "")
        + (f"  the first again, at seeds + {arm.seed_offset:,}" if arm.seed_offset else "")
        for arm in arms
    ]
