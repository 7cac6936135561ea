"""The commands that only read: show, schema, plugins; their output and exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from ganbench.cli.main import cli, main
from ganbench.config.marks import parse, plain
from ganbench.config.sources import shipped_studies
from ganbench.plugin import GanbenchError

TRICK = '''\
"""Do nothing, politely.

How to use
    ``idle: {amount: 2}``.
"""

from typing import Annotated, Literal

from ganbench.plugin import Field, Search, Trick, TrickParameters


class Idle(Trick):
    """Do nothing at all."""

    name = "idle"
    conflicts = {"label_smoothing": "both would rest"}

    class Parameters(TrickParameters):
        amount: Annotated[float, Field(ge=0, lt=9), Search(0.5, 4.0, log=True)] = 1.0
        """How much of nothing."""
        mode: Literal["slow", "fast"] = "slow"

    neutral = Parameters(amount=0)
'''


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "idle.py").write_text(TRICK)
    return tmp_path


def run(*arguments):
    result = CliRunner().invoke(cli, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_show_prints_a_study_file_with_origins_and_arms():
    output = run("show", "tricks", "--set", "seeds=2")
    lines = output.splitlines()
    study = plain(parse(output, "shown.yaml")[0])
    assert study["baseline"]["architecture"] == {"name": "dcgan-upsample", "width": 16}
    source = shipped_studies()["tricks"].read_text(encoding="utf-8").splitlines()
    number = next(i for i, line in enumerate(source, start=1) if line.strip().startswith("steps:"))
    origin = f"tricks (shipped with ganbench):{number}"
    assert any(line.split()[:1] == ["steps:"] and line.endswith(f"# {origin}") for line in lines)
    assert any(line.split("#")[-1] == " --set seeds" for line in lines)
    assert any(line.endswith("# default") for line in lines)
    assert "# 7 arms, 2 seeds: 14 trials" in lines
    assert "#   batch_norm placement=none" in lines
    assert max(map(len, lines)) <= 80


def test_what_show_prints_runs_as_a_study(folder):
    (folder / "mine.yaml").write_text(run("show", "tricks"))
    again = json.loads(run("show", "mine.yaml", "--json"))
    first = json.loads(run("show", "tricks", "--json"))
    assert again["study"] == first["study"]
    assert [arm["key"] for arm in again["arms"]] == [arm["key"] for arm in first["arms"]]


def test_show_quick_says_what_is_quick():
    shown = json.loads(run("show", "tricks", "--quick", "--json"))
    assert shown["study"]["seeds"] == [0, 1]
    assert shown["origins"]["baseline.steps"] == "--quick"


def test_show_prints_no_colours_where_there_is_no_terminal():
    assert "\x1b" not in run("show", "tricks")


def test_show_names_an_arm_that_does_not_apply(folder):
    output = run(
        "show", "tricks", "--plugin", "idle.py", "--set", "baseline.tricks.idle=on",
        "--set", "factors.label_smoothing=null", "--set", "factors.idle=[on, off]",
    )  # fmt: skip
    assert "#   idle off" in output
    with pytest.raises(GanbenchError, match="idle conflicts with label_smoothing: both would rest"):
        run("show", "tricks", "--plugin", "idle.py", "--set", "baseline.tricks.idle=on",
            "--set", "baseline.tricks.label_smoothing=on")  # fmt: skip


def test_the_schema_is_valid_and_has_a_plugin_files_parameters():
    schema = json.loads(run("schema", "--plugin", "idle.py"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    study = plain(parse(run("show", "tricks"), "shown.yaml")[0])
    validator.validate(study)
    study["baseline"]["tricks"]["idle"] = {"amount": 3}
    validator.validate(study)
    study["baseline"]["tricks"]["idle"] = {"amount": 9}
    assert not validator.is_valid(study)


def test_plugins_lists_every_kind_with_a_line_for_each_that_fits(monkeypatch):
    output = run("plugins", "--plugin", "idle.py")
    lines = output.splitlines()
    kinds = ("architectures", "objectives", "tricks", "datasets", "extractors", "metrics")
    for kind in (*kinds, "launchers"):
        assert any(line.startswith(f"{kind} (") for line in lines)
    row = next(line for line in lines if line.split()[:1] == ["idle"])
    assert row.endswith(" Do nothing at all [idle.py]")
    (batch_norm,) = [line for line in lines if line.split()[:1] == ["batch_norm"]]
    assert "[" not in batch_norm
    assert max(map(len, lines)) <= 80
    monkeypatch.setenv("COLUMNS", "130")
    plugins = json.loads(run("plugins", "--json"))
    # Besides: 6 headings, an empty line, a hint; and room for some that say more than a line.
    assert len(run("plugins").splitlines()) < len(plugins) + 8 + 6


@pytest.mark.parametrize("arguments", [["tricks"], ["trick"], ["--kind", "trick"]])
def test_plugins_lists_one_kind_alone(arguments):
    lines = run("plugins", *arguments).splitlines()
    assert lines[0].startswith("tricks (")
    assert any(line.split()[:1] == ["batch_norm"] for line in lines)
    assert not any(line.split()[:1] == ["mlp"] for line in lines)


def test_a_plugin_that_is_named_like_a_kind_is_shown(folder):
    (folder / "idle.py").write_text(TRICK.replace('"idle"', '"metric"'))
    assert run("plugins", "metric", "--plugin", "idle.py").startswith("metric  trick · ")


def test_plugins_gives_one_kind_as_json():
    listed = json.loads(run("plugins", "--kind", "objective", "--json"))
    assert {plugin["kind"] for plugin in listed} == {"objective"}
    assert "non-saturating" in {plugin["name"] for plugin in listed}


def test_plugins_shows_card_parameters_neutral_and_conflicts():
    output = run("plugins", "idle", "--plugin", "idle.py")
    words = " ".join(output.split())
    assert output.startswith("idle  trick · ")
    assert "Do nothing, politely." in output
    assert "`idle: {amount: 2}`." in output
    assert "amount float [0, 9) 1.0 0.5 to 4.0, log How much of nothing." in words
    assert "slow | fast" in words
    assert "neutral at: {amount: 0.0}" in output
    assert "conflicts with label_smoothing: both would rest" in output
    assert "stage: normal" in output


def test_every_card_fits_in_80_columns():
    for plugin in json.loads(run("plugins", "--json")):
        lines = run("plugins", plugin["name"], "--kind", plugin["kind"]).splitlines()
        assert max(map(len, lines)) <= 80, plugin["name"]


def test_an_unknown_plugin_is_told_with_the_nearest_name():
    with pytest.raises(GanbenchError, match="did you mean 'batch_norm'"):
        run("plugins", "batchnorm")
    with pytest.raises(GanbenchError) as caught:
        run("plugins", "mlp", "--kind", "dataset")
    assert str(caught.value) == (
        "no dataset has the name 'mlp'; `ganbench plugins datasets` lists them"
    )
    with pytest.raises(GanbenchError) as caught:
        run("plugins", "nosuch")
    assert str(caught.value) == "no plugin has the name 'nosuch'; `ganbench plugins` lists them"
    with pytest.raises(GanbenchError, match="'batch_norm' or 'spectral_norm' or 'virtual_batch_n"):
        run("plugins", "norm")


@pytest.mark.parametrize("name", ["show", "schema", "plugins"])
def test_help_teaches_with_an_example(name):
    assert f"ganbench {name}" in run(name, "--help").partition("Example")[2]


@pytest.mark.parametrize("name", ["show", "schema", "plugins"])
def test_help_needs_no_torch(name):
    code = (
        f"import sys; from ganbench.cli.main import cli\n"
        f"cli.main(['{name}', '--help'], standalone_mode=False)\n"
        f"sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "trixx"], "error: trixx: there is no such study file"),
        (["show", "bad.yaml"], "error: bad.yaml:1:1: nam: unknown key, did you mean 'name'?"),
        (["plugins", "mlpp"], "error: no plugin has the name 'mlpp'; did you mean 'mlp'?"),
        (["schema", "--plugin", "none.py"], "none.py: there is no such plugin file"),
    ],
)
def test_a_users_mistake_ends_with_code_2_and_no_traceback(
    folder, arguments, message, monkeypatch, capsys
):
    Path("bad.yaml").write_text("nam: x\nextends: tricks\n")
    monkeypatch.setattr(sys, "argv", ["ganbench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    told = capsys.readouterr()
    assert message in told.err
    assert "Traceback" not in told.err
    assert told.out == ""
