"""Factors become arms: which ones, under which names, with which configurations."""

from pathlib import Path

import pytest

from ganbench.config.load import load_study
from ganbench.config.model import Study
from ganbench.config.problems import StudyError
from ganbench.plugin import Host
from ganbench.study.design import expand

PLUGINS = Path(__file__).parents[1] / "config" / "small_plugins.py"
START = """\
name: small
question: Does it help?
dataset: squares
baseline:
  architecture: {name: conv, width: 16}
  latent: {dimension: 32}
  tricks: {norm: {momentum: 0.2}}
seeds: 3
"""


@pytest.fixture(scope="module")
def host():
    return Host([PLUGINS], entry_points=False)


@pytest.fixture
def arms(tmp_path, host):
    """Return the arms of the small study with some YAML after it."""

    def arms(text, sets=()):
        file = tmp_path / "study.yaml"
        file.write_text(START + text)
        return expand(load_study(file, host, sets).study, host)

    return arms


def factors(text):
    return "factors:\n  " + text.replace("; ", "\n  ") + "\n"


def test_one_at_a_time_changes_one_level_in_each_arm(arms):
    found = arms(factors("noise: [off, on]; latent.dimension: [32, 64, 128]"))
    assert [(arm.name, arm.levels) for arm in found] == [
        ("baseline", {}),
        ("noise", {"noise": {"start": 0.1, "end": 0.0, "anneal": "linear"}}),
        ("latent dimension=64", {"latent.dimension": 64}),
        ("latent dimension=128", {"latent.dimension": 128}),
    ]
    assert [arm.config.latent.dimension for arm in found] == [32, 32, 64, 128]
    assert [sorted(arm.config.tricks) for arm in found] == [
        ["norm"], ["noise", "norm"], ["norm"], ["norm"],
    ]  # fmt: skip


def test_a_study_without_factors_is_its_baseline(arms):
    assert [arm.name for arm in arms("")] == ["baseline"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("smoothing: [off, on]", "smoothing"),
        ("smoothing: [off, {real: 0.9}]", "smoothing"),
        ("smoothing: [off, {real: 0.8}]", "smoothing real=0.8"),
        ("noise: [off, {start: 0.2, anneal: constant}]", "noise start=0.2 anneal=constant"),
        ("norm: [{momentum: 0.2}, off]", "norm off"),
        ("norm: [{momentum: 0.2}, {placement: none, momentum: 0.2}]", "norm placement=none"),
        ("norm: [{momentum: 0.2}, on]", "norm momentum=0.1"),
        ("norm.placement: [both, none]", "norm placement=none"),
        ("architecture: [{name: conv, width: 16}, dense]", "architecture=dense"),
        ("architecture: [{name: conv, width: 16}, {name: dense, hidden: 64}]",
            "architecture=dense hidden=64"),
        ("architecture: [{name: conv, width: 16}, {name: conv, width: 32}]",
            "architecture=conv width=32"),
        ("architecture.width: [16, 32]", "architecture width=32"),
        ("objective: [non-saturating, critic]", "objective=critic"),
        ("batch_size: [64, 128]", "batch_size=128"),
        ("optimizers.generator.lr: [2e-4, 1e-3]", "generator lr=0.001"),
        ("optimizers.generator.lr: [2e-4, 1e-5]", "generator lr=1e-05"),
        ("optimizers.generator: [{}, {name: sgd, lr: 0.1}]",
            "generator name=sgd lr=0.1 momentum=0.0"),
        ("optimizers: [{}, {generator: {lr: 0.1}}]", "optimizers generator.lr=0.1"),
        ("latent.distribution: [normal, uniform]", "latent distribution=uniform"),
        ("execution.amp: [off, bf16]", "execution amp=bf16"),
        ("execution.backend: [auto, compiled]", "execution backend=compiled"),
    ],
)  # fmt: skip
def test_an_arm_is_named_for_what_differs(arms, text, name):
    assert [arm.name for arm in arms(factors(text))] == ["baseline", name]


def test_names_are_unique(arms):
    # `latent.dimension` and a trick of two parameters that differ in what short names omit.
    text = "optimizers.generator.lr: [2e-4, 1e-3]; optimizers.discriminator.lr: [2e-4, 1e-3]"
    assert [arm.name for arm in arms(factors(text))][1:] == [
        "generator lr=0.001",
        "discriminator lr=0.001",
    ]
    text = "architecture.width: [16, 32]; architecture: [{name: conv, width: 16}, dense]"
    names = [arm.name for arm in arms(factors(text))]
    assert len(set(names)) == len(names)


def test_another_optimizer_comes_with_its_own_defaults(arms):
    arm = arms(factors("optimizers.generator.name: [adam, sgd]"))[1]
    assert arm.name == "generator name=sgd"
    assert (arm.config.optimizers.generator.name, arm.config.optimizers.generator.lr) == (
        "sgd",
        2e-4,
    )
    assert arm.config.optimizers.discriminator.name == "adam"


def test_a_level_may_set_a_parameter_of_a_trick_of_the_baseline(arms):
    arm = arms(factors("norm.placement: [both, generator]"))[1]
    assert arm.levels == {"norm.placement": "generator"}
    assert arm.config.tricks["norm"] == {
        "placement": "generator", "momentum": 0.2, "output_layer": False,
    }  # fmt: skip


def test_explicit_arms_change_several_levels(arms):
    text = (
        "design:\n  kind: arms\n  arms:\n"
        "    - {name: dense and wide, set: {architecture: dense, architecture.hidden: 64}}\n"
        "    - {name: all, set: {noise: on, noise.start: 0.3, latent.dimension: 32, norm: off}}\n"
    )
    found = arms(text)
    assert [arm.name for arm in found] == ["baseline", "dense and wide", "all"]
    assert found[1].config.architecture.parameters == {"hidden": 64, "layers": [64, 64]}
    assert list(found[2].config.tricks) == ["noise"]
    assert found[2].config.tricks["noise"]["start"] == 0.3
    # What equals the baseline is no difference.
    assert set(found[2].levels) == {"noise", "noise.start", "norm"}


def test_an_optimizer_of_an_arm_is_checked_with_what_the_arm_sets(arms):
    text = (
        "design:\n  kind: arms\n  arms:\n    - {name: sgd, set: {optimizers.generator.momentum: "
        "0.9, optimizers.generator.name: sgd}}\n"
    )
    assert arms(text)[1].config.optimizers.generator.momentum == 0.9


def test_an_arm_whose_tricks_conflict_is_skipped_with_the_reason(arms):
    arm = arms(factors("penalty: [off, on]"))[1]
    assert (arm.name, arm.config) == ("penalty", None)
    assert arm.skipped == (
        "penalty conflicts with norm: a gradient of one image must not depend on the others"
    )


def test_an_arm_that_lacks_a_required_trick_is_skipped_with_the_reason(arms):
    assert arms(factors("booster: [off, on]"))[1].skipped.startswith("booster requires matching:")


def test_an_arm_that_brings_the_required_trick_runs(arms):
    text = "design:\n  kind: arms\n  arms:\n    - {name: a, set: {booster: on, matching: on}}\n"
    assert arms(text)[1].skipped is None


def test_a_label_trick_is_skipped_under_an_objective_without_targets(arms):
    arm = arms(factors("smoothing: [off, on]"), ["baseline.objective=critic"])[1]
    assert arm.skipped == "smoothing changes targets, and the objective critic has none"


def test_keys_do_not_depend_on_whether_a_default_is_written_out(arms):
    short = arms(factors("noise: [off, on]"))
    long = arms(
        factors("noise: [false, {start: 0.1, end: 0, anneal: linear}]"),
        ["baseline.optimizers.generator.beta2=0.999", "dataset.size=8", "evaluation.samples=2000"],
    )
    assert [arm.config.key() for arm in short] == [arm.config.key() for arm in long]


def test_every_arm_has_a_key_of_its_own(arms):
    found = arms(
        factors("noise: [off, on, {start: 0.3}]; batch_size: [64, 32]; steps: [1000, 500]")
    )
    assert len({arm.config.key() for arm in found}) == len(found) == 5


def test_judgement_and_primary_change_no_key(arms):
    plain = arms("")[0].config.key()
    sets = ["evaluation.judgement.alpha=0.1", "evaluation.primary=kl"]
    assert arms("", sets)[0].config.key() == plain
    assert arms("", ["evaluation.samples=1999"])[0].config.key() != plain


def test_metrics_of_auto_and_the_same_ones_listed_are_one_key(arms):
    plain = arms("")[0].config.key()
    assert arms("", ["evaluation.metrics=[fid, modes, diversity]"])[0].config.key() == plain
    assert arms("", ["evaluation.metrics=[fid, modes]"])[0].config.key() != plain


def test_a_study_made_by_hand_is_completed_and_checked(host):
    values = {
        "name": "x",
        "question": "x",
        "dataset": "squares",
        "baseline": {"architecture": "conv"},
    }
    study = Study.model_validate({**values, "factors": {"noise": ["off", "on"]}})
    assert expand(study, host)[1].config.tricks["noise"]["start"] == 0.1
    wrong = Study.model_validate({**values, "factors": {"nois": ["off", "on"]}})
    with pytest.raises(StudyError, match="did you mean 'noise'"):
        expand(wrong, host)
