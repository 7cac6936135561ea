"""Designs that combine factors: their arms, names, reasons, and the A/A arm."""

from pathlib import Path

import pytest

from ganbench.config.load import load_study
from ganbench.config.problems import StudyError
from ganbench.plugin import Host
from ganbench.study.design import count_arms, expand
from ganbench.study.run_plan import arm_result, cells_of, definition_of

PLUGINS = Path(__file__).parents[1] / "config" / "small_plugins.py"
START = """\
name: small
question: Does it help?
dataset: squares
baseline:
  architecture: {name: conv, width: 16}
  latent: {dimension: 32}
  tricks: {norm: {momentum: 0.2}}
seeds: [3, 7]
"""


@pytest.fixture(scope="module")
def host():
    return Host([PLUGINS], entry_points=False)


@pytest.fixture
def load(tmp_path, host):
    def load(design, factors, sets=()):
        file = tmp_path / "study.yaml"
        lines = "".join(f"  {line.strip()}\n" for line in factors.split(";"))
        file.write_text(f"{START}design: {{{design}}}\nfactors:\n{lines}")
        return load_study(file, host, sets).study

    return load


@pytest.fixture
def arms(load, host):
    return lambda *args: expand(load(*args), host)


THREE = "noise: [off, {start: 0.3}]; smoothing: [off, on]; norm: [{momentum: 0.2}, off]"
FIVE = THREE + "; latent.dimension: [32, 64]; batch_size: [64, 32]"


def test_leave_one_out_compares_with_everything_on(arms):
    found = arms("kind: leave-one-out", THREE)
    assert [(arm.name, arm.leaves_out, sorted(arm.config.tricks)) for arm in found] == [
        ("full", None, ["noise", "smoothing"]),
        ("without noise", "noise", ["smoothing"]),
        ("without smoothing", "smoothing", ["noise"]),
        ("with norm", "norm off", ["noise", "norm", "smoothing"]),
    ]
    assert found[0].config.tricks["noise"]["start"] == 0.3


def test_leave_one_out_has_every_factor_at_its_second_level_but_one(arms):
    found = arms("kind: leave-one-out", "latent.dimension: [32, 64]; noise: [off, on]")
    assert [arm.name for arm in found] == ["full", "without latent dimension=64", "without noise"]
    assert [arm.config.latent.dimension for arm in found] == [64, 32, 64]


def test_leave_one_out_takes_no_third_level(arms):
    with pytest.raises(StudyError, match=r"factors.latent.dimension: got 3 levels, expected two"):
        arms("kind: leave-one-out", "latent.dimension: [32, 64, 128]; noise: [off, on]")


def test_pairs_are_the_baseline_the_singles_and_every_two(arms):
    assert [arm.name for arm in arms("kind: pairs", THREE)] == [
        "baseline", "noise", "smoothing", "norm off",
        "noise + smoothing", "noise + norm off", "smoothing + norm off",
    ]  # fmt: skip


def test_a_factorial_design_has_every_combination_once(arms):
    found = arms("kind: factorial", THREE)
    assert len(found) == len({arm.config.key() for arm in found}) == 8
    assert found[0].name == "baseline"
    assert found[3].name == "noise + smoothing"
    assert found[-1].name == "all together"
    assert found[-1].cell == {"noise": 1, "smoothing": 1, "norm": 1}
    assert sorted(found[-1].config.tricks) == ["noise", "smoothing"]


def test_of_many_changes_those_that_are_absent_are_named(arms):
    names = [arm.name for arm in arms("kind: factorial", FIVE)]
    assert len(set(names)) == 32
    assert names[-1] == "all together"
    assert "all but batch_size=32" in names
    assert "all but latent dimension=64, batch_size=32" in names
    assert "noise + smoothing" in names


def test_a_fraction_is_a_part_of_the_factorial(arms):
    whole = {arm.config.key() for arm in arms("kind: factorial", FIVE)}
    found = arms("kind: fractional, resolution: V", FIVE)
    assert found[0].name == "baseline"
    assert len(found) == 16
    assert {arm.config.key() for arm in found} < whole


@pytest.mark.parametrize("kind", ["leave-one-out", "pairs", "factorial", "one-at-a-time"])
def test_arms_are_counted_without_being_made(load, host, kind):
    study = load(f"kind: {kind}, aa: true", FIVE)
    assert count_arms(study) == len(expand(study, host))


def test_a_combination_whose_tricks_conflict_is_skipped_with_the_reason(arms):
    text = "penalty: [off, on]; norm: [{momentum: 0.2}, off]"
    found = {arm.name: arm for arm in arms("kind: pairs", text)}
    assert "penalty conflicts with norm" in found["penalty"].skipped
    assert found["penalty + norm off"].skipped is None


def test_a_combination_that_makes_no_sense_is_skipped_with_the_reason(arms):
    text = "architecture: [{name: conv, width: 16}, dense]; architecture.width: [16, 32]"
    found = {arm.name: arm for arm in arms("kind: factorial", text)}
    both = found["architecture=dense + architecture width=32"]
    assert both.config is None
    assert "dense has no parameter 'width'" in both.skipped
    assert both.levels["architecture"]["name"] == "dense"
    assert both.levels["architecture.width"] == 32


def test_another_plugin_does_not_move_a_factor_off_its_first_level(arms):
    # Conv's own default is another width than the baseline's 16.
    wide = "{name: conv, width: 24}"
    text = f"architecture: [{{name: conv, width: 16}}, {wide}]; architecture.width: [16, 32]"
    found = {arm.name: arm for arm in arms("kind: factorial", text)}
    only = found["architecture=conv width=24"]
    assert only.skipped == "comes to the same as baseline"


def test_the_aa_arm_is_the_reference_at_other_seeds(load, host):
    study = load("kind: leave-one-out, aa: true", THREE)
    found = expand(study, host)
    again = found[-1]
    assert (again.name, again.config) == ("A/A", found[0].config)
    cells = cells_of(study, found, {arm.name: "f" for arm in found})
    own = [cell for cell in cells if cell.arm == "A/A"]
    assert [cell.seed for cell in own] == [1_000_003, 1_000_007]
    assert {cell.key for cell in own} == {found[0].config.key()}
    # No trial of it answers for one of the full arm's.
    assert len({cell.identity for cell in cells}) == len(cells) == 10
    assert [arm_result(again).trained_with(seed) for seed in (3, 7)] == [1_000_003, 1_000_007]
    definition = definition_of(study, found)
    for cell in cells:
        for name, distribution in definition.distributions().items():
            value = definition.parameters(cell)[name]
            assert distribution._contains(distribution.to_internal_repr(value))


MISTAKES = [
    ("kind: fractional", FIVE, (), "9:9: design.resolution: is missing: expected III"),
    ("kind: fractional, resolution: VI", FIVE, (), "design.resolution: unknown choice, got 'VI'"),
    ("kind: fractional, resolution: V", THREE, (), "design.resolution: 3 factors have no fraction"),
    ("kind: fractional, resolution: III", THREE + "; batch_size: [64, 32, 16]", (),
        "factors.batch_size: got 3 levels, expected two in `kind: fractional`"),
    ("kind: factorial, resolution: V", THREE, (), "design.resolution: has no part in `kind: fac"),
    ("kind: pairs", "noise: [off, on]", (), "factors: `kind: pairs` needs at least 2 factors, "
        "and there is only noise"),
    ("kind: leave-one-out", "noise: [off, on]", ("factors=null",), "needs a factor, and there"),
    ("kind: leave-one-out", "penalty: [off, on]; noise: [off, on]", (),
        "design.kind: with every factor on: penalty conflicts with norm"),
    ("kind: leave-one-out", "architecture: [{name: conv, width: 16}, dense]; "
        "architecture.width: [16, 32]", (), "with every factor on: dense has no parameter"),
    ("kind: factorial, arms: [{name: a, set: {noise: on}}]", THREE, (),
        "design.arms: has no part in `kind: factorial`"),
    ("kind: factoral", THREE, (), "did you mean 'factorial'?"),
    ("aa: 1", THREE, (), "design.aa: wrong type"),
    ("aa: true", THREE, ("seeds=[5, 1000005]",), "seeds: the A/A arm is trained with each seed"),
]  # fmt: skip


@pytest.mark.parametrize(("design", "factors", "sets", "told"), MISTAKES)
def test_a_wrong_design_is_told(load, design, factors, sets, told):
    with pytest.raises(StudyError) as error:
        load(design, factors, sets)
    assert told in str(error.value)
    assert len(error.value.problems) == 1
