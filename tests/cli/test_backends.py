"""The same study with another back end: the same verdicts, and a report that says which it was."""

import json
import shutil

import pytest
from click.testing import CliRunner

from ganbench.cli.main import cli

# Few kernels, since a compiler takes seconds for each; and an arm that anything would find.
STUDY = """
name: NAME
question: Does another back end change the answer?
dataset: {name: ring, samples: 2000}
baseline:
  architecture: {name: mlp, hidden: 16, layers: 1}
  latent: {dimension: 2}
  batch_size: 16
  steps: 120
  optimizers: {generator: {name: sgd, lr: 0.01}, discriminator: {name: sgd, lr: 0.01}}
  execution: {backend: NAME}
factors:
  optimizers.generator.lr: [0.01, 10.0]
seeds: 6
evaluation: {extractor: coordinates, samples: 256, every: 120, batch_size: 512}
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not any(shutil.which(name) for name in ("c++", "g++", "clang++")), reason="no C++ compiler"
)
def test_a_compiled_study_gives_the_verdicts_of_an_eager_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    found = {}
    for backend in ("eager", "compiled"):
        (tmp_path / f"{backend}.yaml").write_text(STUDY.replace("NAME", backend))
        command = ["run", f"{backend}.yaml", "--device", "cpu", "--workers", "1"]
        result = CliRunner().invoke(cli, command)
        assert result.exit_code == 0, result.output
        results = json.loads((tmp_path / f"reports/{backend}/results.json").read_text())
        ways = {trial["details"]["execution"]["backend"] for trial in results["trials"]}
        assert ways == {backend}
        assert results["protocol"]["execution"]["backend"] == backend
        found[backend] = {item["arm"]: item for item in results["comparisons"]}
    eager, ours = found["eager"], found["compiled"]
    assert {arm: item["verdict"] for arm, item in eager.items()} == {
        arm: item["verdict"] for arm, item in ours.items()
    }
    # The study can tell: one of its arms is far from the baseline.
    assert "hurts" in {item["verdict"] for item in eager.values()}
