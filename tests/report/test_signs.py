"""The table of signs of collapse, counted by hand; and where reports show it."""

from dataclasses import replace

import pytest
from synthetic_study import build_study

from ganbench.report.signs import sign_notes, signs_table
from ganbench.report.write import write_report
from ganbench.study.results import EvaluationPoint


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return build_study(tmp_path_factory.mktemp("signs"), seeds=3, arms=2)


def with_signs(results, arm, histories):
    """Give each seed of an arm evaluations every 100 steps, with these signs."""
    trials = []
    for trial in results.trials:
        signs = histories[trial.seed] if trial.arm == arm else [()] * 3
        points = tuple(
            EvaluationPoint(100 * place + 100, 1.0, {"fid": 20.0}, "healthy", {}, tuple(own))
            for place, own in enumerate(signs)
        )
        trials.append(replace(trial, evaluations=points))
    return replace(results, trials=tuple(trials))


def test_signs_are_counted_by_arm_over_seeds(results):
    seen = with_signs(
        results,
        "label_smoothing",
        {
            0: [("oscillation",), ("missing modes", "oscillation"), ()],
            1: [(), ("missing modes",), ("missing modes",)],
            2: [(), (), ()],
        },
    )
    table = signs_table(seen)
    assert table.rows == (
        ("label_smoothing", "missing modes", "2 / 3", "1 / 3", "200"),
        ("label_smoothing", "oscillation", "1 / 3", "0 / 3", "100"),
    )
    assert [sign for sign, _ in sign_notes(table)] == ["missing modes", "oscillation"]


def test_a_study_without_a_sign_has_no_table(results):
    quiet = with_signs(results, "label_smoothing", [[()] * 3] * 3)
    assert signs_table(quiet) is None
    assert sign_notes(None) == ()


def test_results_of_before_there_were_signs_can_be_read():
    old = {"step": 1, "seconds": 0.5, "figures": {"fid": 3.0}, "health": "healthy", "losses": {}}
    assert EvaluationPoint.read(old) == EvaluationPoint(1, 0.5, {"fid": 3.0}, "healthy", {})
    new = {**old, "signs": ["missing modes"], "histogram": [3, 0]}
    point = EvaluationPoint.read(new)
    assert (point.signs, point.histogram) == (("missing modes",), (3, 0))


def test_page_markdown_and_csv_tell_signs_and_their_meaning(results, tmp_path):
    seen = with_signs(results, "baseline", [[("near copies",)] * 3] * 3)
    write_report(seen, tmp_path)
    page = (tmp_path / "index.html").read_text()
    text = (tmp_path / "report.md").read_text()
    for shown in (page, text):
        assert "near copies" in shown
        assert "memorised a few training images" in shown
        assert "shrinking" not in shown
        assert "Healthy: anything else." in shown
    assert "<li>Healthy: anything else.</li>" in page
    assert "near copies" in (tmp_path / "results.csv").read_text()
    assert '"near copies"' in (tmp_path / "results.json").read_text()
