"""What a run says at its end: names whole at 80 columns, and what to do about the rest."""

import io
from dataclasses import replace
from math import exp

import numpy as np
import pytest
from rich.console import Console

from ganbench.cli.verdicts import print_verdicts
from ganbench.cli.words import folded, rest_line
from ganbench.study.results import ArmResult, EvaluationPoint, StudyResults, TrialResult

LONG = "architecture=dcgan-transpose width=16"


def results_of(trials):
    """Make results of (arm, seed, outcome, FID) in which every arm has the same seeds."""
    arms = dict.fromkeys(arm for arm, *_ in trials)
    judgement = {"alpha": 0.05, "margin": 0.05}
    return StudyResults(
        study={
            "evaluation": {"primary": "fid", "judgement": judgement},
            "seeds": sorted({seed for _, seed, *_ in trials}),
        },
        origins={},
        arms=tuple(ArmResult(arm, {}, "k", None) for arm in arms),
        trials=tuple(
            TrialResult(
                *(arm, seed, "k", outcome),
                (EvaluationPoint(100, 1.0, {"fid": fid}, "healthy", {}),),
                *(10.0, 1.0, 100),
            )
            for arm, seed, outcome, fid in trials
        ),
        protocol={},
        environment={},
        command="",
    )


@pytest.mark.parametrize(
    ("name", "room", "lines"),
    [
        ("instance_noise start=0.2", 80, ["instance_noise start=0.2"]),
        ("instance_noise start=0.2", 20, ["instance_noise", "start=0.2"]),
        (LONG, 28, ["architecture=dcgan-transpose", "width=16"]),
        (LONG, 20, ["architecture=dcgan-", "transpose", "width=16"]),
        ("generator lr=0.00025", 12, ["generator", "lr=0.00025"]),
        ("x" * 30, 12, ["x" * 30]),
    ],
)
def test_a_name_is_broken_between_words_and_behind_marks(name, room, lines):
    assert folded(name, room).split("\n") == lines


@pytest.mark.parametrize("width", [72, 80, 120])
def test_the_verdict_table_breaks_no_name_within_a_word(width):
    factors = {"baseline": 1.0, LONG: 9.0, "ema decay=0.5": 0.7}
    results = results_of(
        [
            (arm, seed, "complete", factor * (20 + seed))
            for arm, factor in factors.items()
            for seed in range(10)
        ]
    )
    file = io.StringIO()
    print_verdicts(results, Console(file=file, width=width))
    lines = file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    heads = [line.split("  ")[0].strip() for line in lines]
    assert "".join("".join(heads).split()).find("".join(LONG.split())) >= 0
    words = {word for head in heads for word in head.split()}
    assert words >= {"width=16", "decay=0.5"}
    assert words & {"architecture=dcgan-transpose", "transpose"}


def test_of_factors_that_are_combined_the_main_effects_are_told_below():
    arms = {"baseline": (0, 0), "ema": (1, 0), "decay=0.99": (0, 1), "ema + decay=0.99": (1, 1)}
    drawn = np.random.default_rng(0)
    trials = [
        (arm, seed, "complete", 20 * 0.7**ema * 1.01**wide * exp(drawn.normal(0, 0.01)))
        for arm, (ema, wide) in arms.items()
        for seed in range(10)
    ]
    plain = results_of(trials)
    cells = {arm: dict(zip(("ema", "decay"), cell, strict=True)) for arm, cell in arms.items()}
    results = replace(
        plain,
        study=plain.study
        | {
            "design": {"kind": "factorial"},
            "factors": {"ema": ["off", "on"], "decay": [0.9, 0.99]},
        },
        arms=tuple(replace(arm, cell=cells[arm.name]) for arm in plain.arms),
    )
    file = io.StringIO()
    print_verdicts(results, Console(file=file, width=80))
    arms_told, told = file.getvalue().split("Main effects, each averaged over the other factors:")
    assert "ema + decay=0.99" in arms_told
    lines = [line.split() for line in told.splitlines() if "%" in line]
    (ema,) = [line for line in lines if line[0] == "ema"]
    assert ema[1] == "−30%"
    assert ema[-2:] == ["✓", "helps"]
    (decay,) = [line for line in lines if line[0] == "decay"]
    assert decay[-3:] == ["≈", "no", "effect"]
    assert max(map(len, told.splitlines())) <= 80


def outcomes(*of_seeds):
    return results_of([("a", seed, outcome, 1.0) for seed, outcome in enumerate(of_seeds)])


def test_what_waits_is_gone_on_with_and_what_failed_is_to_be_mended_first():
    waits = rest_line(outcomes("complete", "diverged", "pending"), "ganbench run x")
    assert waits == "2 of 3 trials are done; go on with: ganbench run x"
    for failed in (outcomes("complete", "failed"), outcomes("complete", "failed", "pending")):
        line = rest_line(failed, "ganbench run x")
        assert "once the cause of the failures is mended, the same command does the rest" in line
        assert "go on with" not in line
