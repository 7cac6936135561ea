"""A run says beforehand what it asks of ``execution`` in vain."""

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
