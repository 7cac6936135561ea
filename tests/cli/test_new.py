"""``ganbench new``: what it writes works as it is, and what it refuses is told."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ganbench.cli import new
from ganbench.cli.main import cli
from ganbench.config.load import load_study
from ganbench.plugin import GanbenchError, Host
from ganbench.study.design import expand

NAMES = {"trick": "pixel_dropout", "architecture": "one-layer", "objective": "far-away"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(cli, ["new", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize("kind", new.KINDS)
def test_what_is_written_loads_under_its_name_and_the_commands_printed_take_it(folder, kind):
    name = NAMES[kind]
    output = run(kind, name).output
    (file,) = folder.iterdir()
    assert file.name == f"{name.replace('-', '_')}.py"
    host = Host([file])
    found = host.find(kind, name)
    assert found.source == str(file.resolve())
    assert re.search(f"my[_-]?{kind}", file.read_text(), re.I) is None
    assert f"ganbench check {file.name}" in output
    (line,) = re.findall(r"^  ganbench run (.*)$", output, re.M)
    study, *options = shlex.split(line)
    assert options[:3] == ["--quick", "--plugin", file.name]
    loaded = load_study(study, host, options[4::2], quick=True).study
    assert loaded.name == name  # the shipped study's report is left alone
    arms = expand(loaded, host)
    assert any(name in arm.name for arm in arms)
    assert [arm.skipped for arm in arms if name in arm.name] == [None]


def written():
    for kind in new.KINDS:
        run(kind, NAMES[kind])
    return [f"{name.replace('-', '_')}.py" for name in NAMES.values()]


def test_what_is_written_is_clean_for_ruff():
    pytest.importorskip("ruff", reason="the environment for tests need not have it")
    config = f"--config={Path(__file__).parents[2] / 'pyproject.toml'}"
    files = written()
    # Which imports are one's own depends on the folder.
    for check in (["check", "--extend-ignore=I001"], ["format", "--check"]):
        call = [sys.executable, "-m", "ruff", *check, "--no-cache", config, *files]
        done = subprocess.run(call, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_what_is_written_is_clean_for_mypy():
    pytest.importorskip("mypy", reason="the environment for tests need not have it")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent"]
    done = subprocess.run([*mypy, *written()], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_name_that_the_template_imports_makes_another_class(folder):
    run("trick", "search")
    assert "class SearchTrick(Trick):" in (folder / "search.py").read_text()
    assert Host([folder / "search.py"]).find("trick", "search")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trick", "Pixel Dropout"], "'Pixel Dropout' cannot name a trick; .* 'pixel_dropout'"),
        (["trick", "PixelDropout"], "such as 'pixel_dropout'"),
        (["architecture", "my_net"], "words joined by '-', a letter first, such as 'my-net'"),
        (["objective", "9"], "'9' cannot name an objective; expected lower-case letters and "),
        (["trick", "a" * 41], "has 41 characters, expected at most 40"),
        (["trick", "label_smoothing"], "is a trick of ganbench .* already; choose another"),
        (["trick", "steps"], "'steps' is a key of the baseline"),
        (["trick", "random"], "random.py: would hide the Python module 'random'"),
        (["trick", "lambda"], "lambda.py: tests cannot import a file of that name"),
        (["trick", "fine", "--to", "fine.txt"], "fine.txt: a plugin file must end in .py"),
        (["trick", "fine", "--to", "no/fine.py"], "there is no folder no"),
    ],
)
def test_what_cannot_be_is_refused_with_what_was_wrong_and_what_is_expected(
    folder, arguments, message
):
    with pytest.raises(GanbenchError, match=message):
        run(*arguments)
    assert list(folder.iterdir()) == []


def test_a_file_is_never_overwritten(folder):
    (folder / "mine.py").write_text("precious")
    with pytest.raises(GanbenchError, match=r"mine\.py: is there already, and is left as it is"):
        run("trick", "mine")
    assert (folder / "mine.py").read_text() == "precious"
    run("trick", "mine", "--to", "other.py")
    assert Host([folder / "other.py"]).find("trick", "mine")


def test_another_kind_is_refused():
    result = run("metric", "mine")
    assert result.exit_code == 2
    assert "'metric' is not one of 'trick', 'architecture', 'objective'" in result.output
