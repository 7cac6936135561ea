"""The command itself: quick help, exit codes, no traceback for a user's error."""

import subprocess
import sys

import pytest

from ganbench.cli.main import COMMANDS, main

HEAVY = {"torch", "optuna", "scipy", "sklearn"}


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(arguments):
    done = python(
        "import sys\n"
        "from ganbench.cli.main import cli\n"
        f"cli.main({arguments!r}, standalone_mode=False)\n"
        f"print('LOADED', sorted({HEAVY!r} & set(sys.modules)))"
    )
    assert "Usage: " in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED []"


def test_a_run_starts_without_what_it_needs_later_or_never():
    # Each takes a second or so, in the command and again in each worker.
    later = {"scipy.stats", "scipy.optimize", "sklearn", "torchvision", "torch._dynamo"}
    done = python(
        "import sys, ganbench.cli.session, ganbench.study.worker\n"
        "from ganbench.plugin import Host\nHost()\n"
        f"print('LOADED', sorted({later!r} & set(sys.modules)))"
    )
    assert done.stdout.splitlines() == ["LOADED []"], done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_shows_an_example(name):
    done = python(
        f"from ganbench.cli.main import cli\ncli.main([{name!r}, '--help'], standalone_mode=False)"
    )
    usage, _, rest = done.stdout.partition("\n")
    assert usage.startswith("Usage: ")
    assert f"ganbench {name} " in rest


def ganbench(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "ganbench.cli.main", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum"], "No such command 'rum'"),
        (["show", "no-such-study"], "no-such-study"),
        (["plugins", "label_smothing"], "label_smoothing"),
        (["plugins", "--plugin", "nowhere.py"], "nowhere.py"),
        (["worker", "tricks"], "GANBENCH_STORAGE"),
        (["worker", "tricks", "--storage", "sqlite:///s.db", "--workers", "1"], "115 of 300"),
        (["run", "tricks", "--storage", "mysql://me@host/db"], "supported are postgresql+psycopg"),
        (["run", "tricks", "--storage", "postgresql://host/db", "--fresh"], "other machines"),
        (["run", "tricks", "--files", "shared"], "with --storage"),
        (["run", "tricks", "--stall", "nan"], "nan is no number of minutes"),
    ],
)
def test_a_users_error_ends_with_2_and_no_traceback(arguments, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ganbench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert message in told.err
    assert "Traceback" not in told.err
    assert told.out == ""


def test_a_users_error_ends_the_program_so_too():
    done = ganbench("show", "no-such-study")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no-such-study: there is no such study file")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_version_is_the_distributions():
    from importlib.metadata import version

    assert ganbench("--version").stdout.split() == ["ganbench,", "version", version("ganbench")]


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["rum"], 2)])
def test_what_is_to_be_done_at_the_end_is_done_before_the_program_is_gone(arguments, code):
    done = python(
        "import atexit, sys\n"
        "from ganbench.cli import main\n"
        f"sys.argv = ['ganbench', *{arguments!r}]\n"
        "run = main.main\n"
        "main.main = lambda: (atexit.register(print, 'the end', end=''), run())\n"
        "main.program()"
    )
    assert done.returncode == code
    assert done.stdout.endswith("the end")
    assert ("No such command" in done.stderr) == (code == 2)


def test_an_exception_that_nobody_expected_ends_the_program_with_its_traceback():
    done = python(
        "from ganbench.cli import main\n"
        "def fail():\n    raise RuntimeError('unexpected')\n"
        "main.main = fail\n"
        "main.program()"
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.strip().endswith("RuntimeError: unexpected")
