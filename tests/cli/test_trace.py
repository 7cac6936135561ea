"""``ganbench run --trace-hooks``: the order of calls, and what each did, with no training."""

import pytest
from click.testing import CliRunner

from ganbench.cli.main import cli

STUDY = """
name: traced
question: Who does what?
dataset: {name: ring, samples: 200}
baseline:
  architecture: {name: mlp, hidden: 4}
  latent: {dimension: 2}
  batch_size: 8
  steps: 5
factors:
  instance_noise: ["off", {start: 0.1}]
  label_smoothing: ["off", "on"]
  mine: ["off", "on"]
seeds: 3
evaluation: {extractor: coordinates, samples: 64, every: 4, batch_size: 64}
"""
TRICK = '''
"""A trick of a test."""

import torch

from ganbench.plugin import Trick, TrickParameters


class Mine(Trick):
    """Comes before the noise, asks D once more, and differs in its second step."""

    name = "mine"
    neutral = TrickParameters()
    before = ("instance_noise",)

    def skip(self, ctx):
        return SKIP

    def plan_updates(self, step, updates, buf):
        return updates if step else ("discriminator", *updates)

    def transform_images(self, x, is_real, buf):
        return x

    def generator_penalty(self, step, buf):
        BODY
        return step.discriminate(step.real, True)[0].mean() * 0
'''


@pytest.fixture
def trace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(STUDY)

    def run(*arguments, skip="False, ''", body="pass"):
        text = TRICK.replace("SKIP", skip).replace("BODY", body)
        (tmp_path / "mine.py").write_text(text)
        command = ["run", "study.yaml", "--plugin", "mine.py", "--trace-hooks", "--device", "cpu"]
        return CliRunner().invoke(cli, [*command, *arguments])

    return run


def arm(result, name):
    """Return the lines of an arm, without indentation."""
    text = result.output.partition(f"{name}, seed 0\n")[2].partition("\n\n")[0]
    return [line.strip() for line in text.splitlines()]


def test_calls_are_shown_under_their_moment_with_what_they_did(trace, tmp_path):
    result = trace()
    assert result.exit_code == 0, result.output
    assert arm(result, "label_smoothing") == [
        "step 1, discriminator",
        "label_smoothing.transform_targets((8, 1), real, discriminator) → (8, 1), changed",
        "label_smoothing.transform_targets((8, 1), fake, discriminator) → (8, 1), unchanged",
        "step 1, generator",
        "label_smoothing.transform_targets((8, 1), fake, generator) → (8, 1), unchanged",
        "step 2: as step 1",
    ]
    assert arm(result, "baseline") == ["no hook is in use"]
    assert not (tmp_path / "reports").exists()


def test_the_order_is_that_of_the_declarations_and_calls_asked_besides_are_marked(trace):
    levels = "factors.instance_noise=[{start: 0.1}, {start: 0.2}]"
    result = trace("--set", "baseline.tricks.instance_noise={start: 0.1}", "--set", levels)
    assert result.exit_code == 0, result.output
    lines = arm(result, "mine")
    plan = (
        "mine.plan_updates(0, discriminator, generator) → discriminator, discriminator, generator"
    )
    assert plan in lines
    start = lines.index("step 2, discriminator")
    chain = [line.partition("(")[0] for line in lines[start + 1 : start + 3]]
    assert chain == ["mine.transform_images", "instance_noise.transform_discriminator_input"]
    assert "step 2, generator (asked besides)" in lines


def test_an_arm_that_does_not_apply_says_why(trace):
    result = trace(skip="True, 'not on Sundays'")
    assert arm(result, "mine")[-1] == "n/a: mine: not on Sundays"
    assert any(line.endswith(") → does not apply: not on Sundays") for line in arm(result, "mine"))
    assert result.exit_code == 0


def test_a_reason_for_another_day_is_not_told_of_an_arm_that_applies(trace):
    result = trace(skip="False, 'not on Sundays'")
    (line,) = [line for line in arm(result, "mine") if line.startswith("mine.skip(")]
    assert line.endswith(") → applies")
    assert "not on Sundays" not in result.output


def test_a_penalty_is_shown_with_what_it_returns_alone(trace):
    (line,) = {one for one in arm(trace(), "mine") if "generator_penalty" in one}
    assert line in ("mine.generator_penalty() → 0", "mine.generator_penalty() → -0")


def test_a_hook_that_fails_is_named_and_the_other_arms_are_shown(trace):
    result = trace(body="raise ValueError('no')")
    assert result.exit_code == 1
    assert arm(result, "mine")[-1].startswith("fails: mine.generator_penalty raised ValueError: no")
    assert "step 2: as step 1" in arm(result, "label_smoothing")
