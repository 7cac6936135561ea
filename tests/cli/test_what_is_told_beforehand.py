"""A run says beforehand what it asks of ``execution`` in vain, and at its end what it was."""

import pytest
from click.testing import CliRunner

from ganbench.cli.main import cli

STUDY = """
name: tiny
question: What is paid for?
dataset: {name: ring, samples: 100}
baseline:
  architecture: {name: mlp, hidden: 8, layers: 1}
  latent: {dimension: 2}
  batch_size: 8
  steps: 2
  execution: {together: 4}
seeds: [0, 4]
evaluation: {extractor: coordinates, samples: 64, every: 2, batch_size: 64}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(STUDY)

    def run(*options):
        command = ["run", "tiny.yaml", "--device", "cpu", "--workers", "1", *options]
        result = CliRunner().invoke(cli, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return run


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_empty_rows_are_told_before_training(run, options):
    told = "note: execution.together: 4: the 2 seeds fill 2 of the 8 rows"
    output = run(*options)
    assert output.count(told) == 1
    if not options:
        assert output.index(told) < output.index("seed 0")


def test_a_back_end_that_is_not_to_be_had_is_told_before_training_and_at_the_end(run):
    output = run("--set", "baseline.execution={backend: graphed}")
    assert output.count("note: execution.backend: graphed: graphs that are recorded need") == 1
    assert output.index("note: execution.backend") < output.index("seed 0")
    told = "1 of 1 arm was trained eagerly, not as execution asks: baseline (see Steps in"
    assert output.index("seed 4") < output.index(told)


def test_a_run_that_gets_what_it_asks_for_says_nothing_of_it(run):
    assert "eagerly" not in run("--set", "baseline.execution={together: 1}")
