"""docs/writing-a-trick.md, run from top to bottom in an empty folder, each half on its own.

Files are written where their fence says, commands are run in order, and what a command is
said to print must be printed. Two things differ from a reader's session: a run that trains is
made smaller, and ``pip install .`` is its build back end alone (it needs no network), with the
wheel put on the path of the commands after it.
"""

import csv
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from docs_page import DOCS, Block, blocks, call_here, check_output, commands

SECOND_HALF = "## A trick with a schedule"
SMALLER = ["baseline.steps=4", "evaluation.every=4", "evaluation.samples=64"]
BUILD = "import setuptools.build_meta as b; print(b.build_wheel('dist'))"


def halves() -> tuple[list[Block], list[Block]]:
    first, second = (DOCS / "writing-a-trick.md").read_text().split(SECOND_HALF)
    return blocks(first), blocks(second)


class Session:
    """A reader's shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "GANBENCH_CACHE": str(folder / "cache"),
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }

    def command(self, line: str, refused: bool) -> tuple[int, str]:
        program, *arguments = shlex.split(line)
        if program == "pip":
            assert arguments == ["install", "."]
            return self.install()
        if program == "ganbench" and refused:
            return call_here(arguments, self.folder)
        module = {"ganbench": "ganbench.cli.main", "pytest": "pytest"}[program]
        if arguments[0] == "run":
            arguments += [part for change in SMALLER for part in ("--set", change)]
            arguments += ["--workers", "1"]
        return self.call([sys.executable, "-m", module, *arguments])

    def install(self) -> tuple[int, str]:
        code, output = self.call([sys.executable, "-c", BUILD])
        if code == 0:
            wheel = self.folder / "dist" / output.splitlines()[-1]
            # A wheel of pure Python can be imported, and found by its metadata, as it is.
            self.environment["PYTHONPATH"] = str(wheel)
        return code, output

    def call(self, arguments: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            arguments, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1], ids=["first trick", "other plugins"])
def test_files_and_commands_work_as_they_stand(tmp_path, half):
    session = Session(tmp_path)
    ran = 0
    for block in halves()[half]:
        if block.language != "console":
            assert block.title, f"a block without a file name: {block.text[:60]}"
            (tmp_path / block.title).write_text(block.text)
            continue
        todo = commands(block)
        for number, (line, expected) in enumerate(todo, 1):
            wanted = block.exit_code if number == len(todo) else 0
            code, output = session.command(line, refused=wanted == 2)
            assert code == wanted, f"{line}\nended with {code}, not {wanted}:\n{output}"
            assert "Traceback" not in output or line.startswith("pytest")
            check_output(expected, output)
            ran += 1
    assert ran == (16, 3)[half]
    report = ("my-study-quick", "my-parts-quick")[half]
    with (tmp_path / "reports" / report / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["outcome"] for row in rows} == {"complete"}
    mine = ({"label_flipping"}, {"fading_blur", "latent_regression", "r1_penalty"})[half]
    assert mine <= {row["arm"].split()[0] for row in rows}
    assert half == 0 or all(float(row["final_brightness_gap"]) >= 0 for row in rows)


def test_the_study_on_the_page_has_as_many_lines_as_it_says():
    (study,) = (block for block in halves()[0] if block.title == "my_study.yaml")
    assert len(study.text.splitlines()) == 5
