"""A study whose workers a launcher starts: from `ganbench launch` to the report."""

import contextlib
import json
import sys

import psutil
import pytest
from click.testing import CliRunner

from ganbench.cli.main import cli
from ganbench.plugin import GanbenchError
from ganbench.study.archive import read_results
from ganbench.study.server import address_of

STUDY = """
name: tiny
question: Does it run elsewhere?
dataset: {name: ring, samples: 1000}
baseline:
  architecture: {name: mlp, hidden: 8}
  latent: {dimension: 2}
  batch_size: 8
  steps: 24
factors:
  instance_noise: ["off", {start: 0.1}]
seeds: 2
evaluation: {extractor: coordinates, samples: 64, every: 8, batch_size: 64}
"""


RECORDER = """
import json

from ganbench.plugin import Launcher, WorkerStatus


class Recorder(Launcher):
    '''Writes down what it is to start, and says that all of it is done.'''

    name = "recorder"

    def start(self, command, count, environment, folder):
        (folder / "order.json").write_text(json.dumps([list(command), dict(environment)]))
        return [f"number {n}" for n in range(count)]

    def poll(self, handles):
        return {handle: WorkerStatus("done") for handle in handles}

    def stop(self, handles, at_once=False):
        pass
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tiny.yaml").write_text(STUDY)
    with contextlib.chdir(tmp_path):
        yield tmp_path


def launch(*arguments, storage=None):
    """Run the command in this process: it computes nothing itself."""
    runner = CliRunner(env={"GANBENCH_STORAGE": storage}, catch_exceptions=False)
    done = runner.invoke(cli, ["launch", "tiny.yaml", "--device", "cpu", *arguments])
    return done.exit_code, done.output


def descendants():
    return {process.pid for process in psutil.Process().children(recursive=True)}


def test_a_study_is_trained_by_the_jobs_that_a_launcher_starts(folder, database):
    before = descendants()
    slurm = ["--launcher", "slurm", "--set-launcher", "executor=local", "--count", "2"]
    code, output = launch(*slurm, storage=database)
    assert code == 0, output
    assert "tiny: started with slurm: job " in output
    assert "4 of 4 trials done" in output
    assert "report: reports/tiny/index.html" in output
    results = read_results(folder / "reports" / "tiny", address_of(database, 1))
    assert {trial.outcome for trial in results.trials} == {"complete"}
    assert descendants() <= before


def test_the_command_means_the_same_elsewhere_and_shows_no_password(folder, monkeypatch):
    (folder / "recorder.py").write_text(RECORDER)
    monkeypatch.setenv("GANBENCH_DATA", "/data")
    storage = f"sqlite:///{folder}/ledger.db"
    arguments = ["--launcher", "recorder", "--plugin", "recorder.py", "--set", "seeds=3"]
    arguments += ["--stall", "5"]
    code, output = launch(*arguments, "--replace", storage=storage)
    assert code == 0, output
    (order,) = folder.rglob("order.json")
    command, environment = json.loads(order.read_text())
    assert command[:4] == [sys.executable, "-m", "ganbench.cli.main", "run"]
    assert command[4] == str(folder / "tiny.yaml")
    options = dict(zip(command[5:-2:2], command[6:-2:2], strict=True))
    assert options == {
        "--set": "seeds=3",
        "--plugin": str(folder / "recorder.py"),
        "--device": "cpu",
        "--workers": "1",
        "--out": str(folder / "reports" / "tiny"),
        "--stall": "5",
    }
    assert command[-2:] == ["--yes", "--replace"]
    assert environment == {"GANBENCH_STORAGE": storage, "GANBENCH_DATA": "/data"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--launcher", "slrum"], "no launcher has the name 'slrum', did you mean 'slurm'?"),
        (["--launcher", "slurm"], "the launcher 'slurm' cannot be used: there is no `sbatch`"),
        (["--launcher", "local", "--count", "2"], "can serve one worker, not 2"),
        (["--launcher", "local", "--set", "baseline.steps=x"], "--set baseline.steps=x"),
    ],
)
def test_a_mistake_is_told_before_anything_is_started(folder, arguments, told):
    with pytest.raises(GanbenchError) as error:
        launch(*arguments, storage=f"sqlite:///{folder}/ledger.db")
    assert told in str(error.value)
    assert not (folder / "reports").exists()


def test_without_a_storage_nothing_can_be_shared(folder):
    code, output = launch("--launcher", "local")
    assert code == 2
    assert "--storage postgresql+psycopg://USER@HOST/DATABASE" in output
