"""Searches and tuning stages: what they stand for, and what is wrong with one, by position."""

import re

import pytest

from ganbench.config.load import load_study
from ganbench.config.model import Study
from ganbench.config.problems import StudyError
from ganbench.plugin import Host

HEAD = """\
name: t
question: Which?
dataset: {name: ring, samples: 1000}
baseline: {architecture: {name: mlp, hidden: 8}, batch_size: 8, steps: 40}
evaluation: {extractor: coordinates, samples: 64, every: 20, batch_size: 64}
seeds: 3
"""


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture
def load(tmp_path, monkeypatch, host):
    monkeypatch.chdir(tmp_path)

    def load(text, **options):
        (tmp_path / "t.yaml").write_text(HEAD + text)
        return load_study("t.yaml", host, **options)

    return load


def problems(load, text):
    with pytest.raises(StudyError) as caught:
        load(text)
    return list(caught.value.problems)


def test_auto_is_the_plugin_s_own_ranges(load):
    loaded = load(
        "design:\n  kind: search\n  trials: 4\n  seeds: [9]\n"
        "  space: {label_smoothing: auto, instance_noise: [off, on]}\n"
    )
    space = loaded.resolved["design"]["space"]
    assert space["label_smoothing"] == ["off", {"real": 0.9}]
    assert space["label_smoothing.real"] == {"low": 0.7, "high": 1.0, "log": False}
    assert list(space)[:2] == ["label_smoothing", "label_smoothing.real"]
    assert loaded.study.design.space == space


def test_a_range_that_is_spelt_out_counts_instead_of_the_plugin_s(load):
    loaded = load(
        "design:\n  kind: search\n  trials: 4\n  seeds: [9]\n"
        "  space: {label_smoothing: auto, label_smoothing.real: {low: 0.8, high: 0.9}}\n"
    )
    space = loaded.resolved["design"]["space"]
    assert space["label_smoothing.real"] == {"low": 0.8, "high": 0.9, "log": False}


def test_a_study_without_a_search_says_nothing_of_one(load):
    resolved = load("factors: {label_smoothing: [off, on]}\n").resolved
    assert "tuning" not in resolved
    assert "space" not in resolved["design"]


def test_a_resolved_search_loads_to_the_same_study(load):
    loaded = load(
        "factors: {label_smoothing: [off, on]}\n"
        "tuning: {budget: 4, seeds: [9, 10], space: {batch_size: {low: 8, high: 32, log: true}}}\n"
    )
    assert Study.model_validate(loaded.resolved) == loaded.study


def test_quick_tries_three_configurations_with_one_seed(load):
    loaded = load(
        "factors: {label_smoothing: [off, on]}\n"
        "tuning: {budget: 9, seeds: [9, 10], space: {batch_size: [8, 16]}}\n",
        quick=True,
    )
    assert loaded.study.tuning.budget == 3
    assert loaded.study.tuning.seeds == (9,)
    assert loaded.origins["tuning.budget"] == "--quick"


MISTAKES = [
    ("budget: 2, seeds: [9], space: {}", "t.yaml:7:40: tuning.space: is missing"),
    ("budget: 2, seeds: [9]", "tuning.space: is missing"),
    ("budget: 2, space: {batch_size: [8, 16]}", "tuning.seeds: is missing"),
    (
        "budget: 2, seeds: [9, 1], space: {batch_size: [8, 16]}",
        "t.yaml:7:32: tuning.seeds.1: the seed 1 is one of the study's own",
    ),
    ("budget: 2, seeds: [9, 9], space: {batch_size: [8, 16]}", "the seed 9 again"),
    ("seeds: [9], space: {batch_size: [8, 16]}", "tuning.budget: is missing"),
    (
        "budget: 2, seeds: [9], space: {batch_sise: [8, 16]}",
        "t.yaml:7:41: tuning.space.batch_sise: no such factor, did you mean 'batch_size'?|"
        "neither a trick nor a path into the baseline, did you mean 'batch_size'?",
    ),
    (
        "budget: 2, seeds: [9], space: {optimizers.generator.lr: {low: 0.1, high: 99}}",
        "tuning.space.optimizers.generator.lr.high: out of range, got 99, expected a number above "
        "0 and at most 10",
    ),
    (
        "budget: 2, seeds: [9], space: {optimizers.generator.lr: {low: 0.1, hihg: 1}}",
        "unknown key, did you mean 'high'?",
    ),
    (
        "budget: 2, seeds: [9], space: {optimizers.generator.lr: {low: 0.2, high: 0.1}}",
        "got 0.2 to 0.1, expected low below high",
    ),
    (
        "budget: 2, seeds: [9], space: {optimizers.generator.beta1: {low: 0, high: 1, log: true}}",
        "beta1.high: out of range, got 1, expected a number at least 0 and below 1",
    ),
    (
        "budget: 2, seeds: [9], space: {optimizers.generator.beta1: {low: 0, high: .9, log: true}}",
        "beta1.low: got 0.0, expected a number above 0 for a logarithmic range",
    ),
    ("budget: 2, seeds: [9], space: {batch_size: [8]}", "got 1 choice, expected at least two"),
    ("budget: 2, seeds: [9], space: {batch_size: [8, 8]}", "batch_size.1: the same as choice 0"),
    ("budget: 2, seeds: [9], space: {batch_size: [8, 0]}", "batch_size.1: out of range, got 0"),
    ("budget: 2, seeds: [9], space: {batch_size: auto}", "has no range of its own"),
    ("budget: 2, seeds: [9], space: {steps: [8, 16]}", "tuning.space.steps: cannot be searched"),
    (
        "budget: 2, seeds: [9], space: {label_smoothing.real: auto}",
        "label_smoothing is what the factor|is what the factor label_smoothing varies",
    ),
    (
        "budget: 2, seeds: [9], space: {batch_size: [8, 16]}, sampler: nsga2",
        "tuning.sampler: unknown choice, got 'nsga2'",
    ),
    ("budget: 2, seeds: [9], space: [1]", "tuning.space: wrong type, got \\[1\\]"),
]


@pytest.mark.parametrize(("tuning", "said"), MISTAKES)
def test_a_mistake_in_a_tuning_stage_is_told_where_it_is(load, tuning, said):
    told = problems(load, f"tuning: {{{tuning}}}\nfactors: {{label_smoothing: [off, on]}}\n")
    assert any(re.search(said, line) for line in told), told
    assert all(line.startswith("t.yaml:7:") for line in told)
    assert len(told) <= 2


@pytest.mark.parametrize(
    ("design", "said"),
    [
        ("trials: 3, seeds: [9]", "design.space: is missing"),
        ("seeds: [9], space: {batch_size: [8, 16]}", "design.trials: is missing"),
        ("trials: 3, space: {batch_size: [8, 16]}", "design.seeds: is missing"),
        (
            "trials: 3, seeds: [9], space: {batch_size: [8, 16]}, sampler: nsga2",
            "design.sampler: got 'nsga2', which weighs two objectives",
        ),
        (
            "trials: 3, seeds: [9], space: {batch_size: [8, 16]}, pruner: asha, "
            "objectives: [primary, collapse]",
            "design.pruner: got 'asha', expected 'none'",
        ),
        (
            "trials: 3, seeds: [9], space: {batch_size: [8, 16]}, objectives: [collapse]",
            r"design.objectives: got \[collapse\], expected \[primary\]",
        ),
    ],
)
def test_a_mistake_in_a_search_is_told_where_it_is(load, design, said):
    (told,) = problems(load, f"design: {{kind: search, {design}}}\n")
    assert re.search(said, told)


def test_what_only_a_search_has_is_refused_elsewhere(load):
    told = problems(load, "design: {trials: 3}\nfactors: {label_smoothing: [off, on]}\n")
    assert told == [
        "t.yaml:7:10: design.trials: has no part in `kind: one-at-a-time`; remove it, or write "
        "`kind: search`"
    ]


def test_a_search_has_no_factors_and_no_tuning_beside_it(load):
    told = problems(
        load,
        "design: {kind: search, trials: 3, seeds: [9], space: {batch_size: [8, 16]}}\n"
        "factors: {label_smoothing: [off, on]}\n"
        "tuning: {budget: 2, seeds: [9], space: {batch_size: [8, 16]}}\n",
    )
    assert ["t.yaml:8:1: factors" in told[0], "t.yaml:9:1: tuning" in told[1]] == [True, True]


def test_an_a_a_arm_s_seeds_are_no_tuning_seeds(load):
    told = problems(
        load,
        "design: {aa: true}\nfactors: {label_smoothing: [off, on]}\n"
        "tuning: {budget: 2, seeds: [1000001], space: {batch_size: [8, 16]}}\n",
    )
    assert "the seed 1000001 is one of the A/A arm's own" in told[0]
