import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from ganbench.cli.main import cli, main
from ganbench.plugin import GanbenchError
from ganbench.study.archive import Archive, read_results
from ganbench.study.journal import JOURNAL

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills by signal")

COMMAND = ["run", "tiny.yaml", "--plugin", "slow.py", "--device", "cpu"]
STUDY = """
name: tiny
question: Does it run?
dataset: {name: ring, samples: 1000}
baseline:
  architecture: {name: mlp, hidden: 8}
  latent: {dimension: 2}
  batch_size: 8
  steps: 24
  tricks: {slow: {}}
factors:
  instance_noise: ["off", {start: 0.1}]
seeds: 2
evaluation: {extractor: coordinates, samples: 64, every: 4, batch_size: 64}
"""
SLOW = """
import os
import time
from pathlib import Path

import torch

from ganbench.plugin import Trick, TrickParameters, hookimpl


class Slow(Trick):
    '''Takes its time, so that a test can be in the middle of a trial.'''

    name = "slow"

    class Parameters(TrickParameters):
        wait: float = 0.03

    neutral = Parameters(wait=0.0)

    def before_step(self, step, buf):
        time.sleep(self.parameters.wait)


class Fails(Trick):
    '''Raises in the middle of a trial.'''

    name = "fails"
    neutral = TrickParameters()

    def before_step(self, step, buf):
        if step == 5:
            raise ValueError("not today")


class Explodes(Trick):
    '''Makes the discriminator's loss infinite from the third step on.'''

    name = "explodes"
    neutral = TrickParameters()

    def make_buffers(self, ctx):
        return {"penalty": torch.zeros(())}

    def before_step(self, step, buf):
        if step == 2:
            buf["penalty"].fill_(float("inf"))

    def discriminator_penalty(self, step, buf):
        return buf["penalty"]


class Refuses(Trick):
    '''Applies to nothing.'''

    name = "refuses"
    neutral = TrickParameters()

    def skip(self, ctx):
        return True, "it is a Tuesday"


@hookimpl
def on_trial_start(arm, seed):
    with Path("workers.txt").open("a") as file:
        file.write(f"{os.getpid()} {arm} {seed}\\n")
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


class Folder:
    """A working folder with a study, and commands that run in it."""

    def __init__(self, path, cache):
        self.path = path
        self.report = path / "reports" / "tiny"
        self.environment = {**os.environ, "GANBENCH_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
        (path / "tiny.yaml").write_text(STUDY)
        (path / "slow.py").write_text(SLOW)

    def start(self, *arguments, workers=2):
        command = [sys.executable, "-m", "ganbench.cli.main", *COMMAND]
        command += ["--workers", str(workers), *arguments]
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments, workers=1):
        """Run the command in this process, which has imported torch already."""
        threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
        runner = CliRunner(env=self.environment, catch_exceptions=False)
        try:
            with contextlib.chdir(self.path):
                done = runner.invoke(cli, [*COMMAND, "--workers", str(workers), *arguments])
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)
        return done.exit_code, done.output

    def wait_for_a_checkpoint(self, process):
        checkpoints = self.report / "ledger" / "checkpoints"
        while not list(checkpoints.glob("*.pt")):
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)

    def wait_for_a_start(self, process):
        before = len(self.started())
        while len(self.started()) == before:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)

    def started(self):
        return (self.path / "workers.txt").read_text().splitlines()

    def workers(self):
        return [int(line.split()[0]) for line in self.started()]

    def figures(self):
        """Everything that was measured, times aside."""
        results = read_results(self.report)
        return {
            (trial.arm, trial.seed): (
                trial.outcome,
                trial.steps,
                [(p.step, p.figures, p.health, p.losses) for p in trial.evaluations],
                trial.samples.read_bytes() if trial.samples else None,
            )
            for trial in results.trials
        }


@pytest.fixture
def folder(tmp_path, cache):
    return Folder(tmp_path, cache)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, cache):
    """A study that ran without interruption, and what was printed."""
    folder = Folder(tmp_path_factory.mktemp("finished"), cache)
    process = folder.start()
    folder.output, _ = process.communicate(timeout=300)
    folder.code = process.returncode
    return folder


def test_a_study_runs_from_its_file_to_its_report(finished):
    assert finished.code == 0, finished.output
    for name in ("index.html", "report.md", "results.csv", "results.json"):
        assert (finished.report / name).stat().st_size > 0
    figures = finished.figures()
    assert len(figures) == 4
    for outcome, steps, points, samples in figures.values():
        assert (outcome, steps) == ("complete", 24)
        assert [point[0] for point in points] == [4, 8, 12, 16, 20, 24]
        assert samples.startswith(b"\x89PNG")
    assert "reports/tiny/index.html" in finished.output
    assert not list((finished.report / "ledger" / "checkpoints").glob("*"))


def test_plain_output_has_one_line_a_trial_and_no_control_characters(finished):
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", finished.output)
    assert len(re.findall(r"^\[\d/4\] .*, seed \d: fid ", finished.output, re.MULTILINE)) == 4


def test_every_result_came_from_a_single_threaded_worker(finished):
    assert len(set(finished.workers())) == 2
    assert read_results(finished.report).environment["threads a worker"] == 1


def test_the_same_command_again_trains_nothing(finished):
    before, trained = finished.figures(), len(finished.workers())
    code, output = finished.run()
    assert code == 0, output
    assert "4 of 4 trials were done before" in output
    assert len(finished.workers()) == trained
    assert finished.figures() == before


@pytest.mark.slow
def test_more_seeds_train_only_what_is_new(finished, folder):
    shutil.copytree(finished.report, folder.report)
    code, output = folder.run("--set", "seeds=3")
    assert code == 0, output
    assert "4 of 6 trials were done before" in output
    assert {line.split()[-1] for line in folder.started()} == {"2"}
    assert finished.figures().items() <= folder.figures().items()


def test_a_dry_run_writes_nothing_and_says_what_the_seeds_can_show(folder):
    code, output = folder.run("--dry-run")
    assert code == 0, output
    assert "4 to run" in output
    assert "estimated time: " in output
    assert "smallest possible p is 0.5" in output
    assert not (folder.path / "reports").exists()


@pytest.mark.slow
def test_a_study_that_is_killed_bit_by_bit_ends_as_one_that_was_not(folder, finished):
    process = folder.start(workers=1)
    folder.wait_for_a_checkpoint(process)
    os.kill(folder.workers()[0], signal.SIGKILL)
    folder.wait_for_a_start(process)  # of another worker, with the same trial
    assert len({line.partition(" ")[2] for line in folder.started()}) == 1
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the group
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 130, output
    assert "was lost (killed by SIGKILL" in output
    assert "go on with: ganbench run tiny.yaml --plugin slow.py" in output
    assert "Traceback" not in output
    assert (folder.report / "index.html").exists()

    process = folder.start()
    folder.wait_for_a_start(process)
    process.kill()
    process.communicate()  # returns when the last holders of the pipe, its workers, have ended
    with (folder.report / "ledger" / JOURNAL).open("ab") as file:
        file.write(b'{"op_code":6,"worker')  # and the power failed, too

    code, output = folder.run()
    assert code == 0, output
    assert "the last record was torn" in output
    assert folder.figures() == finished.figures()


@pytest.mark.slow
def test_arms_that_fail_or_do_not_apply_are_reported_with_their_reason(folder):
    (folder.path / "tiny.yaml").write_text(
        STUDY.replace(
            'instance_noise: ["off", {start: 0.1}]',
            "fails: ['off', {}]\n  explodes: ['off', {}]\n  refuses: ['off', {}]",
        ).replace("seeds: 2", "seeds: 4")
    )
    code, output = folder.run()
    assert code == 1, output
    assert "given up: 3 trials failed in the same way" in output
    assert "n/a: refuses: refuses: it is a Tuesday" in output
    results = read_results(folder.report)
    assert [arm.skipped for arm in results.arms] == [*[None] * 3, "refuses: it is a Tuesday"]
    failed = [trial for trial in results.trials if trial.outcome == "failed"]
    assert {trial.arm for trial in failed} == {"fails"}
    assert all("fails.before_step raised ValueError: not today" in t.error for t in failed)
    assert "raise ValueError" in failed[0].details["traceback"]
    # The end of the output says it again, a line a reason.
    reasons = output.partition("verdict")[2]
    assert "n/a: refuses: refuses: it is a Tuesday" in reasons
    assert "failed: fails, seeds 0, 1, 2: HookError: fails.before_step raised" in reasons
    diverged = results.of_arm("explodes")[0]
    assert (diverged.outcome, diverged.steps, diverged.samples) == ("diverged", 3, None)


def exit_code(monkeypatch, folder, *arguments):
    monkeypatch.chdir(folder.path)
    monkeypatch.setattr(sys, "argv", ["ganbench", *COMMAND, *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_a_second_run_in_the_same_folder_is_refused_and_told_of_the_first(
    folder, monkeypatch, capsys
):
    with Archive(folder.report).locked():
        assert exit_code(monkeypatch, folder) == 2
    assert f"process {os.getpid()}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "quoted"),
    [
        (["--set", "baseline.stepz=3"], "stepz"),
        (["--device", "cuda:99"], "cuda:99"),
        (["--plugin", "no.py"], "no.py"),
    ],
)
def test_an_error_of_the_user_ends_with_exit_code_2(folder, monkeypatch, capsys, arguments, quoted):
    assert exit_code(monkeypatch, folder, *arguments) == 2
    assert quoted in capsys.readouterr().err


def test_a_folder_without_a_ledger_is_no_report(tmp_path):
    with pytest.raises(GanbenchError, match="holds no ledger"):
        read_results(tmp_path)


def test_the_report_is_written_again_from_the_ledger_alone(finished, monkeypatch):
    page = finished.report / "index.html"
    page.unlink()
    monkeypatch.chdir(finished.path)
    outcome = CliRunner().invoke(cli, ["report", str(Path("reports") / "tiny")])
    assert outcome.exit_code == 0, outcome.output
    assert page.exists()


def test_help_is_quick_and_teaches(monkeypatch):
    code = "import sys; sys.argv = ['ganbench', 'run', '--help'];\n"
    code += "from ganbench.cli.main import main\n"
    code += "try:\n    main()\nfinally:\n    print(sorted({'torch', 'optuna'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ganbench run tricks --quick" in shown.stdout
    assert shown.stdout.endswith("[]\n")
