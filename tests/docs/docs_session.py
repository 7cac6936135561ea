"""A reader's shell: the files and the commands of a page, as they stand there.

Three things differ from a reader's session: a run that trains is made smaller; ``ganbench`` runs
in this process, which has imported what it needs, until something is installed; and
``pip install .`` is its build back end alone (it needs no network), with the wheel put on the
path of the commands after it.
"""

import csv
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from docs_page import Block, call_here, check_output, commands

SMALLER = ["baseline.steps=4", "evaluation.every=4", "evaluation.samples=64"]
BUILD = "import setuptools.build_meta as b; print(b.build_wheel('dist'))"


class Session:
    """A reader's shell, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.installed = folder, False
        self.environment = {
            **os.environ,
            "GANBENCH_CACHE": str(folder / "cache"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }

    def follow(self, page: Sequence[Block]) -> int:
        """Write every file, run every command, and return how many of them there were."""
        ran = 0
        for block in page:
            if block.language != "console":
                assert block.title, f"a block without a file name: {block.text[:60]}"
                (self.folder / block.title).write_text(block.text)
                continue
            todo = commands(block)
            for number, (line, expected) in enumerate(todo, 1):
                wanted = block.exit_code if number == len(todo) else 0
                code, output = self.command(line, refused=wanted == 2)
                assert code == wanted, f"{line}\nended with {code}, not {wanted}:\n{output}"
                assert "Traceback" not in output or line.startswith("pytest")
                check_output(expected, output)
                ran += 1
        return ran

    def rows(self, report: str) -> list[dict[str, str]]:
        """Return what a report says of its trials."""
        with (self.folder / "reports" / report / "results.csv").open() as file:
            return list(csv.DictReader(file))

    def command(self, line: str, refused: bool) -> tuple[int, str]:
        program, *arguments = shlex.split(line)
        if program == "pip":
            assert arguments == ["install", "."]
            return self.install()
        if program == "pytest":
            return self.call([sys.executable, "-m", "pytest", *arguments])
        assert program == "ganbench"
        if arguments[0] == "run" and not refused:
            arguments += [part for change in SMALLER for part in ("--set", change)]
            arguments += ["--workers", "1"]
        if self.installed:  # what is installed, only a new process sees
            return self.call([sys.executable, "-m", "ganbench.cli.main", *arguments])
        with patch.dict(os.environ, self.environment):
            return call_here(arguments, self.folder)

    def install(self) -> tuple[int, str]:
        code, output = self.call([sys.executable, "-c", BUILD])
        if code == 0:
            wheel = self.folder / "dist" / output.splitlines()[-1]
            # A wheel of pure Python can be imported, and found by its metadata, as it is.
            self.environment["PYTHONPATH"] = str(wheel)
            self.installed = True
        return code, output

    def call(self, arguments: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            arguments, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr
