"""A study too large to be meant: a terminal is asked, anybody else is refused."""

import sys

import pytest
from click.testing import CliRunner

from ganbench.cli import size
from ganbench.cli.main import cli
from ganbench.cli.session import Options, make_plan
from ganbench.plugin import GanbenchError

STUDY = """
name: large
question: Which of many?
dataset: {name: ring, samples: 200}
baseline:
  architecture: {name: mlp, hidden: 4}
  latent: {dimension: 2}
  steps: 5
factors:
  instance_noise: [off, {start: 0.1}, {start: 0.2}]
  label_smoothing: [off, on]
  batch_size: [64, 16]
design: {kind: factorial}
seeds: 84
evaluation: {extractor: coordinates, samples: 64, every: 5}
"""  # 12 arms, 1,008 trials


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "large.yaml").write_text(STUDY)


class Terminal:
    def isatty(self):
        return True


def large(*sets, yes=False):
    return make_plan(Options("large.yaml", sets, device="cpu", yes=yes))


def test_over_a_thousand_trials_are_refused_without_yes():
    with pytest.raises(GanbenchError, match=r"12 arms × 84 seeds = 1,008 trials.*add --yes"):
        large()
    assert len(large(yes=True).arms) == 12
    assert len(large("seeds=83").arms) == 12


def test_the_command_in_the_report_runs_the_large_study_again():
    assert large(yes=True).command.endswith(" --yes")


@pytest.mark.parametrize("answer", [True, False])
def test_a_terminal_is_asked(monkeypatch, answer):
    asked = []
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(size.click, "confirm", lambda text: asked.append(text) or answer)
    if answer:
        assert len(large().arms) == 12
    else:
        with pytest.raises(GanbenchError, match="nothing was run"):
            large()
    assert "1,008 trials" in asked[0]


def test_dry_run_tells_the_size_of_a_design_that_could_not_be_made():
    levels = "[" + ", ".join(str(100 + n) for n in range(100)) + "]"
    factors = "".join(
        f"  {key}: {levels.replace('[', f'[{first}, ')}\n"
        for key, first in (("steps", 5), ("batch_size", 64), ("latent.dimension", 2))
    )
    text = STUDY.partition("factors:")[0] + "factors:\n" + factors + "design: {kind: factorial}\n"
    text += "seeds: 10\nevaluation: {extractor: coordinates, samples: 64, every: 5}\n"
    with open("huge.yaml", "w") as file:
        file.write(text)
    found = CliRunner().invoke(cli, ["run", "huge.yaml", "--dry-run"], catch_exceptions=False)
    assert found.exit_code == 0
    assert "1,030,301 arms × 10 seeds = 10,303,010 trials" in found.output
    assert "a run asks first, or takes --yes" in found.output
    with pytest.raises(GanbenchError, match="too many arms to list"):
        CliRunner().invoke(cli, ["show", "huge.yaml"], catch_exceptions=False)
