"""What the tests of documentation pages share: fenced blocks, and commands run in this process."""

import contextlib
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from ganbench.cli.main import main

DOCS = Path(__file__).parent.parent.parent / "docs"


@dataclass
class Block:
    """A fenced block: its language, and the file or the exit code that its fence names."""

    language: str
    title: str | None
    exit_code: int
    text: str


def blocks(text: str) -> list[Block]:
    found = []
    for fence in re.finditer(r"^```(\S+)(.*?)\n(.*?)^```$", text, re.M | re.S):
        title = re.search(r'title="(.+?)"', fence[2])
        code = re.search(r"exit=(\d+)", fence[2])
        found.append(Block(fence[1], title and title[1], int(code[1]) if code else 0, fence[3]))
    return found


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """Return the commands of a console block, each with the lines that it is to print."""
    parts = re.split(r"^\$ ", block.text, flags=re.M)[1:]
    return [(part.splitlines()[0], part.splitlines()[1:]) for part in parts]


def call_here(arguments: list[str], folder: Path) -> tuple[int, str]:
    """Run ``ganbench`` in this process, which has paid for its imports."""
    output = io.StringIO()
    before = sys.argv
    threads, strict = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    sys.argv = ["ganbench", *arguments]
    code = 0
    try:
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
        ):
            main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.argv = before
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(strict)
    return code, output.getvalue()


def check_output(expected: list[str], output: str) -> None:
    """Every expected line begins a line of the output, in order; ``...`` stands for any lines."""
    lines = iter(" ".join(line.split()) for line in output.splitlines())
    for wanted in (" ".join(line.split()) for line in expected):
        if wanted != "...":
            assert any(line.startswith(wanted) for line in lines), f"{wanted!r} not in {output}"
