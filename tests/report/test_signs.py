"""The table of signs of collapse, counted by hand; and where reports show it."""

from dataclasses import replace

import pytest
from synthetic_study import build_study

from ganbench.report.signs import early_section, signs_seen
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
    found = signs_seen(seen)
    assert found.table.rows == (
        ("label_smoothing", "missing modes", "2 / 3", "1 / 3", "200"),
        ("label_smoothing", "oscillation", "1 / 3", "0 / 3", "100"),
    )
    assert [sign for sign, _ in found.meanings] == ["missing modes", "oscillation"]


def test_a_study_without_a_sign_has_no_table(results):
    quiet = with_signs(results, "label_smoothing", [[()] * 3] * 3)
    assert signs_seen(quiet) is None


def test_results_of_before_there_were_signs_can_be_read():
    old = {"step": 1, "seconds": 0.5, "figures": {"fid": 3.0}, "health": "healthy", "losses": {}}
    assert EvaluationPoint.read(old) == EvaluationPoint(1, 0.5, {"fid": 3.0}, "healthy", {})
    new = {**old, "signs": ["missing modes"], "histogram": [3, 0], "of a later version": 1}
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


def watched(results, histories):
    """Give the baseline's seeds evaluations with these states and warnings, all of them watched."""
    trials = []
    for trial in results.trials:
        points = tuple(
            EvaluationPoint(
                100 * place + 100,
                1.0,
                {"fid": 20.0},
                health,
                {},
                watched={"accuracy": 0.9},
                warnings=warnings,
            )
            for place, (health, warnings) in enumerate(histories[trial.seed])
        )
        if trial.arm == "baseline":
            trials.append(replace(trial, evaluations=points))
    return replace(results, trials=tuple(trials))


FINE, WARNED = ("healthy", ()), ("healthy", ("D always right",))
BAD, BAD_WARNED = ("total collapse", ()), ("total collapse", ("D always right",))


def test_a_study_that_was_not_watched_has_no_section(results):
    assert early_section(results) is None


def test_warnings_are_listed_and_what_could_not_be_told(results, tmp_path):
    seen = watched(results, [[FINE, WARNED, BAD], [FINE, FINE, FINE], [FINE, FINE, WARNED]])
    section = early_section(seen)
    assert section.seen.table.rows == (("baseline", "D always right", "2 / 3", "1 / 3", "250"),)
    assert "no items that are held out" in section.missing
    write_report(seen, tmp_path)
    for name in ("index.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert "Early warnings" in text
        assert "little about how to do better" in text
        assert "no items that are held out" in text
        assert "Ended badly after it" in text


def test_held_out_items_leave_nothing_untold(results):
    seen = watched(results, [[FINE], [FINE], [FINE]])
    points = [replace(seen.trials[0].evaluations[0], watched={"overfitting": 0.2})]
    trials = (replace(seen.trials[0], evaluations=tuple(points)), *seen.trials[1:])
    section = early_section(replace(seen, trials=trials))
    assert (section.missing, section.seen, section.before) == ("", None, None)
