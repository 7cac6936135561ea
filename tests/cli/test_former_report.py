"""A finished report is not replaced by another study's without a word."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ganbench.cli.main import cli
from ganbench.cli.session import Options, make_plan, refusal_of
from ganbench.config.sources import shipped_studies
from ganbench.plugin import GanbenchError

STUDY = """
name: small
question: Does noise help?
dataset: {name: ring, samples: 200}
baseline:
  architecture: {name: mlp, hidden: 4}
  latent: {dimension: 2}
  steps: 500
factors:
  instance_noise: ["off", {start: 0.1}, {start: 0.2}]
  label_smoothing: ["off", "on"]
seeds: 4
evaluation: {extractor: coordinates, samples: 64, every: 100}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(STUDY)
    return tmp_path


def plan(*sets, quick=False, out=None, study="small.yaml"):
    return make_plan(Options(study, tuple(sets), device="cpu", quick=quick, out=out))


def leave_a_report(of, outcome="complete", most=100, **changes):
    """Write what a report of a plan says of itself; of its seeds those below ``most`` ended."""
    of.report.mkdir(parents=True)
    arms = [{"name": arm.name, "skipped": arm.skipped} for arm in of.arms]
    trials = [
        {"arm": arm.name, "seed": seed, "outcome": outcome}
        for arm in of.arms
        for seed in of.study.all_seeds
        if seed < most
    ]
    content = {"study": of.resolved, "origins": of.origins, "arms": arms, "trials": trials}
    content |= {"quick": of.quick, **changes}
    (of.report / "results.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    "sets",
    [
        [],
        ["seeds=9"],
        ["evaluation.judgement.margin=0.1"],
        ["question=What else?"],
        ["factors.ema=[off, on]"],
        ["factors.instance_noise=[off, {start: 0.3}, {start: 0.2}, {start: 0.1}]"],
    ],
)
def test_the_same_study_or_more_of_it_may_replace_its_report(folder, sets):
    leave_a_report(plan())
    assert refusal_of(plan(*sets)) is None


RANGE = "seeds={min: 3, max: 8}"


@pytest.mark.parametrize("again", [RANGE, "seeds={min: 3, max: 16}", "seeds=8", "seeds=6"])
def test_a_range_of_seeds_may_be_run_again_and_grow(folder, again):
    leave_a_report(plan(RANGE), most=6)  # Settled before the most that it may come to.
    assert refusal_of(plan(again)) is None


def test_seeds_that_a_range_took_are_not_left_out(folder):
    leave_a_report(plan(RANGE), most=6)
    told = refusal_of(plan("seeds={min: 3, max: 4}"))
    assert "it has 6 seeds, of which this one leaves out 2" in told


def test_a_study_whose_question_is_a_default_is_the_same_study(folder):
    fewer = "factors.label_smoothing=null"
    assert plan(fewer).origins["question"] == "default"
    leave_a_report(plan(fewer))
    assert refusal_of(plan(fewer)) is None
    assert refusal_of(plan()) is None
    assert "baseline.steps is 500 there" in refusal_of(plan(fewer, "baseline.steps=400"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("baseline.steps=400", "baseline.steps is 500 there and 400 here"),
        ("evaluation.samples=32", "evaluation.samples is 64 there and 32 here"),
        ("dataset.samples=100", "dataset.samples is 200 there and 100 here"),
        ("seeds=1", "it has 4 seeds, of which this one leaves out 3"),
        ("factors.label_smoothing=null", "it has 1 arm that this one has not: label_smoothing"),
        (
            "factors.instance_noise=[off, {start: 0.2}]",
            "it has 1 arm that this one has not: instance_noise",
        ),
    ],
)
def test_another_study_may_not_and_is_told_why_and_what_to_do(folder, change, reason):
    leave_a_report(plan())
    assert refusal_of(plan(change)) == (
        f"{Path('reports/small')} holds the finished report of another study: {reason}\n"
        "  to keep both, add --set name=small-2, or --out DIR\n"
        "  to replace that one, add --replace"
    )
    assert refusal_of(plan(change, "name=small-2")) is None


def test_a_run_is_refused_before_anything_is_made(folder):
    leave_a_report(plan())
    command = ["run", "small.yaml", "--device", "cpu", "--set", "seeds=1"]
    with pytest.raises(GanbenchError, match="holds the finished report of another study"):
        CliRunner().invoke(cli, command, catch_exceptions=False)
    assert [file.name for file in plan().report.iterdir()] == ["results.json"]


def test_a_folder_of_ones_own_choice_is_guarded_too(folder):
    out = folder / "somewhere"
    leave_a_report(plan(out=out))
    message = refusal_of(plan("seeds=1", out=out))
    assert "to keep both, add --out DIR\n" in message


def test_a_quick_report_an_unfinished_one_and_none_are_nothing_to_lose(folder):
    assert refusal_of(plan("seeds=1")) is None
    leave_a_report(plan(), outcome="pending")
    assert refusal_of(plan("seeds=1")) is None
    leave_a_report(plan(quick=True))
    assert refusal_of(plan("seeds=1", quick=True)) is None


def test_a_quick_run_may_not_replace_the_full_report_in_a_folder_that_it_was_given(folder):
    leave_a_report(plan())
    assert "baseline.steps is 500 there and 40 here" in refusal_of(
        plan(quick=True, out=plan().report)
    )


def test_a_default_that_is_another_by_now_makes_no_other_study(folder):
    before = plan()
    resolved = json.loads(json.dumps(before.resolved))
    resolved["baseline"]["batch_size"] = 32  # nobody stated it
    resolved["baseline"]["forgotten"] = 1
    origins = {**before.origins, "baseline.forgotten": "default"}
    leave_a_report(before, study=resolved, origins=origins)
    assert refusal_of(plan()) is None


def test_a_report_with_a_plugin_that_is_not_here_is_another_studys(folder):
    before = plan()
    resolved = {**before.resolved, "factors": {"nowhere": ["off", {}]}}
    leave_a_report(before, study=resolved)
    assert "plugins, can read: factors.nowhere" in refusal_of(plan())


@pytest.mark.parametrize("text", ["precious", "[]", '{"quick": false}', "{}"])
def test_a_file_of_that_name_that_is_no_reports_is_not_overwritten(folder, text):
    report = plan().report
    report.mkdir(parents=True)
    (report / "results.json").write_text(text)
    assert "is no report's that this ganbench can read" in refusal_of(plan())


COMMITTED = Path(__file__).parents[2] / "reports"


WITH_REPORT = {file.parent.name for file in COMMITTED.glob("*/results.json")}


@pytest.mark.parametrize("name", sorted(WITH_REPORT & set(shipped_studies())))
def test_a_shipped_study_runs_where_its_committed_report_stands(name):
    assert refusal_of(plan(study=name, out=COMMITTED / name)) is None
