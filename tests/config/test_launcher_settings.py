"""A launcher's settings: from the command line, from a file, and what is wrong with them."""

import pytest
from jsonschema import Draft202012Validator

from ganbench.config.launcher import load_launcher
from ganbench.config.problems import StudyError
from ganbench.config.schema import launcher_schema
from ganbench.plugin import Host


@pytest.fixture(scope="module")
def host():
    return Host()


def problems(given, sets, host):
    with pytest.raises(StudyError) as error:
        load_launcher(given, sets, host)
    return str(error.value).splitlines()


def test_a_name_and_settings(host):
    launcher = load_launcher("slurm", ["partition=gpu", "setup=[module load cuda]"], host)
    assert launcher.name == "slurm"
    assert launcher.parameters.partition == "gpu"
    assert launcher.parameters.setup == ("module load cuda",)


def test_a_file_and_settings_on_top_of_it(host, tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text("name: slurm\npartition: gpu\ntimeout_min: 30\nsbatch: {requeue: true}\n")
    own = load_launcher(str(file), ["timeout_min=90"], host).parameters
    assert (own.partition, own.timeout_min, own.sbatch) == ("gpu", 90, {"requeue": True})


def test_mistakes_are_told_with_their_place_and_what_is_near(host, tmp_path):
    file = tmp_path / "cluster.yaml"
    file.write_text("name: slurm\npartitoin: gpu\ntimeout_min: soon\n")
    unknown, wrong = problems(str(file), [], host)
    assert f"{file}:2:1: partitoin:" in unknown
    assert "'partition'" in unknown
    assert f"{file}:3:14: timeout_min:" in wrong
    assert "'soon'" in wrong


@pytest.mark.parametrize(
    ("given", "sets", "line"),
    [
        ("slrum", [], "--launcher slrum: name: no launcher has the name 'slrum', did you mean"),
        ("slurm", ["gpu"], "--set-launcher gpu: expected a key, '=' and a value"),
        ("slurm", ["cpus_per_task=0"], "--set-launcher cpus_per_task=0: cpus_per_task:"),
        ("ray", ["num_gpu=1"], "--set-launcher num_gpu=1: num_gpu:"),
        ("absent.yaml", [], "absent.yaml: cannot be read: No such file"),
    ],
)
def test_one_mistake_is_one_line(host, given, sets, line):
    (told,) = problems(given, sets, host)
    assert told.startswith(line)


def test_an_empty_file_is_told_what_it_lacks(host, tmp_path):
    file = tmp_path / "cluster.yaml"
    file.touch()
    assert problems(str(file), [], host) == [
        f"{file}:1:1: empty, expected a launcher, which begins with `name:`"
    ]


@pytest.mark.parametrize(
    ("settings", "good"),
    [
        ({"name": "slurm", "partition": "gpu", "sbatch": {"requeue": True}}, True),
        ({"name": "ray", "num_gpus": 0.5}, True),
        ({"name": "ray", "partition": "gpu"}, False),
        ({"name": "slurm", "timeout_min": 0}, False),
        ({"partition": "gpu"}, False),
    ],
)
def test_the_schema_of_launcher_files_takes_what_is_taken(host, settings, good):
    schema = launcher_schema(host)
    Draft202012Validator.check_schema(schema)
    assert Draft202012Validator(schema).is_valid(settings) == good
