"""``ganbench doctor``: what is broken is found and told with its remedy; nothing is downloaded."""

import json
import urllib.request
from importlib import metadata

import pytest
from click.testing import CliRunner

from ganbench.cli.doctor_report import print_selftest, print_summary
from ganbench.cli.main import cli
from ganbench.evaluation.testbench import Check, SelfTest
from ganbench.plugin import GanbenchError
from ganbench.study import installation
from ganbench.training import compiled


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a download that nobody asked for")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def doctor(*arguments):
    result = CliRunner().invoke(cli, ["doctor", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def findings(*arguments):
    code, output = doctor("--no-test", "--json", *arguments)
    return code, {entry["name"]: entry for entry in json.loads(output)["installation"]}


def test_a_sound_installation_is_told_so_with_what_could_be_fetched():
    code, found = findings()
    assert code == 0
    assert found["torch"]["text"] == metadata.version("torch")
    assert found["cifar10"]["state"] == found["inception"]["state"] == "missing"
    assert "as published" in found["cifar10"]["remedy"]
    assert "pt_inception-2015-12-05-6726825d.pth" in found["inception"]["text"]
    assert "digits" in found["the others"]["text"] or "classifier" in found["the others"]["text"]


def test_a_compiler_that_is_not_there_is_told_with_what_it_is_for(monkeypatch):
    monkeypatch.setattr(compiled, "cpp_compiler", lambda: None)
    code, found = findings()
    assert code == 0  # it may never be needed
    assert found["C++ compiler"]["state"] == "missing"
    assert "execution.backend: compiled" in found["C++ compiler"]["remedy"]


def test_the_table_fits_a_terminal_of_80_columns():
    code, output = doctor("--no-test")
    assert code == 0
    assert "nothing is broken" in output
    # A path or an address stays whole, to be copied.
    assert [line for line in output.splitlines() if len(line) > 80 and "/" not in line] == []


def test_weights_with_another_hash_are_broken(surroundings):
    folder = surroundings / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / "pt_inception-2015-12-05-6726825d.pth").write_bytes(b"half a download")
    code, found = findings()
    assert code == 1
    assert found["inception"]["state"] == "broken"
    assert "expected one that starts with 6726825d" in found["inception"]["text"]
    assert "delete it" in found["inception"]["remedy"]


def test_a_damaged_data_set_is_broken(surroundings):
    folder = surroundings / "data" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            (folder / f"{part}-{kind}-ubyte").write_bytes(b"cut")
    code, found = findings()
    assert code == 1
    assert found["mnist"]["state"] == "broken"
    assert "train-images-idx3-ubyte" in found["mnist"]["text"]


def test_a_library_that_is_too_old_is_broken(monkeypatch):
    version = metadata.version
    old = {"optuna": "4.2.0"}
    monkeypatch.setattr(
        installation.metadata, "version", lambda name: old.get(name) or version(name)
    )
    code, found = findings()
    assert code == 1
    assert found["optuna"]["text"] == "4.2.0, needed is >=5.0"
    assert found["optuna"]["remedy"] == "pip install -U 'optuna>=5.0'"


def test_a_plugin_that_does_not_load_is_told_and_the_rest_goes_on(monkeypatch):
    entry_points = metadata.entry_points

    def with_a_bad_one(**wanted):
        bad = metadata.EntryPoint("bad", "no_such_module_anywhere", "ganbench")
        return metadata.EntryPoints([*entry_points(**wanted), bad])

    monkeypatch.setattr(installation.metadata, "entry_points", with_a_bad_one)
    code, found = findings()
    assert code == 1
    assert found["bad"]["state"] == "broken"
    assert "ModuleNotFoundError" in found["bad"]["text"]
    assert "3 launchers" in found["loaded"]["text"]


def test_a_plugin_file_that_clashes_is_told(surroundings):
    file = surroundings / "mine.py"
    file.write_text(
        "from ganbench.plugin import Metric\n\n\nclass Mine(Metric):\n    name = 'fid'\n"
        "    figures = {'mine': 'x'}\n\n    def compute(self, ctx):\n        return {}\n"
    )
    code, found = findings("--plugin", str(file))
    assert code == 1
    assert "two plugins provide the metric 'fid'" in found["loading"]["text"]


def test_a_cache_that_cannot_be_written_to_is_broken(surroundings, monkeypatch):
    (surroundings / "file").write_text("")
    monkeypatch.setenv("GANBENCH_CACHE", str(surroundings / "file"))
    code, found = findings()
    assert code == 1
    assert found["evaluation cache"]["remedy"] == "set GANBENCH_CACHE to a folder of yours"


def test_a_storage_is_tried(surroundings):
    code, found = findings("--storage", f"sqlite:///{surroundings}/trials.db")
    assert code == 0
    assert "0 Optuna studies" in found["server"]["text"]
    code, found = findings("--storage", "postgresql://me@127.0.0.1:1/none")
    assert code == 1
    assert found["server"]["state"] == "broken"


def test_what_a_study_needs_is_looked_at_with_its_parameters(surroundings):
    mine = surroundings / "mine.pth"
    study = f"evaluation.extractor={{name: inception, weights: {mine}}}"
    code, found = findings("tricks", "--set", study)
    assert code == 1  # nothing fetches it
    assert found["inception"]["text"].endswith(f"there is no file of weights {mine}")
    mine.write_bytes(b"other weights")
    code, found = findings("tricks", "--set", study)
    assert code == 1
    assert "expected one that starts with 6726825d" in found["inception"]["text"]
    assert "expected_hash" in found["inception"]["remedy"]


def test_a_study_s_folder_of_images_is_looked_at(surroundings):
    pictures = surroundings / "pictures"
    study = ("tricks", "--set", f"dataset={{name: folder, path: {pictures}}}")
    code, found = findings(*study)
    assert code == 1
    assert f"{pictures} is not there" in found["folder"]["text"]
    pictures.mkdir()
    assert "holds no image" in findings(*study)[1]["folder"]["text"]
    (pictures / "a.png").write_bytes(b"not opened here")
    code, found = findings(*study)
    assert (code, found["folder"]["state"]) == (0, "ok")
    assert "1 image: " in found["folder"]["text"]


@pytest.mark.parametrize(
    ("study", "told"),
    [
        ("tricks", "the data and the extractor of tricks are there"),
        ("tricks-cifar10", "of what tricks-cifar10 needs, not there yet: cifar10 and inception"),
    ],
)
def test_a_study_is_told_whether_it_has_what_it_needs(study, told):
    code, output = doctor(study, "--no-test")
    assert code == 0
    assert told in output.splitlines()


def test_what_is_not_there_is_told_at_once_after_the_table():
    result = CliRunner().invoke(cli, ["doctor", "tricks-cifar10"])
    assert "the others" in result.output  # the installation's state, though nothing can be tested
    assert isinstance(result.exception, GanbenchError)
    assert "the dataset 'cifar10'" in str(result.exception)
    assert "the extractor 'inception'" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "mnist"], "the dataset 'mnist' is not here: .*--download fetches it"),
        (["--extractor", "inception"], "the extractor 'inception' is not here"),
        (["--dataset", "[1]"], "expected a name, or such as"),
        (["--dataset", "{name: digits, sise: 8}"], "digits.sise: unknown key, did you mean 'size'"),
        (["--dataset", "{name: folder, path: none}"], "none is not there; .*name a folder"),
        (["--dataset", "mnits"], "no dataset named 'mnits'; did you mean 'mnist'"),
        (["no-such-study"], "no-such-study: there is no such study"),
        (["--storage", "mysql://me@host/db", "--no-test"], "supported are postgresql"),
    ],
)
def test_a_users_mistake_is_an_error_of_the_users(arguments, message):
    with pytest.raises(GanbenchError, match=message):
        doctor(*arguments)


def test_what_is_left_out_and_what_is_wrong_are_shown_with_the_reason(capsys):
    checks = (
        Check("metrics", "greedy", "skipped", text="needs 100000 samples"),
        Check("real against real", "kl", "skipped", text="so few samples of 1,000 modes"),
        Check("real against real", "fid", "ok", (0.5, 0.4, 0.6), "near zero"),
        Check("noise", "fid", "wrong", (1.0, 0.5), "it rises with each strength", "rises"),
        Check("blur", "", "skipped", text="these data are points"),
    )
    found = SelfTest("made up", "none", 10, 10, 4, ("fid",), checks, ("spare",))
    known = Check("known", "fid", "skipped", text="needs a GPU")
    print_selftest(found, known)
    print_summary([], found, known, "")
    text = " ".join(capsys.readouterr().out.split())
    assert "– greedy left out" in text
    assert "– kl left out so few samples" in text
    assert "✓ fid 0.500, draws from 0.400 to 0.600" in text
    assert "✗ fid ↑ 1 → 0.500 it rises with each strength" in text
    assert "blur these data are points – not applicable" in text
    assert "nothing is expected of: spare" in text
    assert "1 of 2 checks of the metrics passed" in text


def test_the_metrics_are_tested_and_shown(surroundings):
    code, output = doctor()
    assert code == 0
    assert max(len(line) for line in output.splitlines() if "/" not in line) <= 80
    text = " ".join(output.split())
    assert "drop classes" in text
    assert "✗" not in output
    assert "--download fetches" in text
    assert "checks of the metrics passed" in text
