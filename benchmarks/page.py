"""The page of results: each benchmark writes its own section, with what it ran on."""

import argparse
import datetime
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a benchmark the option that writes."""
    parser.add_argument(
        "--write", action="store_true", help=f"put the results into {PAGE.relative_to(ROOT)}"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown: the first column left, the others right."""
    lines = [f"| {' | '.join(head)} |", f"|:---|{'---:|' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def machine(device: str) -> str:
    """Return one line on what a benchmark ran on."""
    import torch

    from ganbench.study.compute import describe_environment

    about = describe_environment((device,), 1)
    commit = _git("describe", "--always") or "no git"
    if _git("status", "--porcelain", "--", "ganbench", "plugins", "benchmarks"):
        commit += ", with changes"
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else about["processor"]
    return (
        f"{name}, {about['cores']} CPU cores; torch {torch.__version__}, "
        f"Python {platform.python_version()}, ganbench {metadata.version('ganbench')} "
        f"({commit}); {datetime.date.today().isoformat()}"
    )


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    return done.stdout.strip()


def expect_place(section: str) -> None:
    """End the program if the page has no place for a section: before hours are measured."""
    if not _pattern(section).search(PAGE.read_text(encoding="utf-8")):
        raise SystemExit(f"{PAGE}: has no place marked <!-- {section} -->")


def write(section: str, body: str, device: str = "cpu") -> None:
    """Put a section into the page, in place of what stood there of the same benchmark.

    Parameters
    ----------
    section : str
        What marks it in the page.
    body : str
        Markdown; the command that is running is written under it.
    device : str
    """
    script = Path(sys.argv[0]).resolve().relative_to(ROOT)
    command = shlex.join(["python", str(script), *sys.argv[1:]])
    start, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    text = f"{start}\n{body}\n\n`{command}`: {machine(device)}.\n{end}"
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(_pattern(section).sub(lambda _: text, page), encoding="utf-8")


def _pattern(section: str) -> re.Pattern[str]:
    start, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    return re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
