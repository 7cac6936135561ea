"""The report of a study that adds seeds where the verdict is open."""

from dataclasses import replace

import pytest
from synthetic_study import build_study

from ganbench.report import write_report


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    results = build_study(tmp_path_factory.mktemp("study"), seeds=20, arms=5)
    return replace(results, study={**results.study, "seeds": {"min": 5, "max": 20, "step": 5}})


def test_the_report_says_how_many_seeds_were_spent_where(study, tmp_path):
    page = write_report(study, tmp_path).read_text()
    text = (tmp_path / "report.md").read_text()
    assert "up to 20 seeds" in page
    assert "Looks at 10, 15 and 20 seeds share the error rate of 0.05" in page
    assert "with 10 to 20 seeds." in page
    assert "- **label_smoothing** helps: settled at look 1 of 3, with 10 seeds." in text
    assert "still open at the last of 3 looks, with 20 seeds" in text
    assert "Not finished" not in page
    assert "<dt>Look</dt>" in page


def test_an_unfinished_one_counts_the_trials_up_to_the_next_look(study, tmp_path):
    begun = replace(study, trials=tuple(trial for trial in study.trials if trial.seed < 4))
    page = write_report(begun, tmp_path).read_text()
    # Baseline and four arms, ten seeds each.
    assert "20 of the 50 trials up to look 1 of 3 have ended so far" in page


def test_a_settled_study_is_finished_without_the_seeds_that_it_did_not_need(study, tmp_path):
    kept = ("baseline", "label_smoothing")
    settled = replace(
        study,
        arms=tuple(arm for arm in study.arms if arm.name in kept),
        trials=tuple(t for t in study.trials if t.arm in kept and t.seed < 10),
    )
    page = write_report(settled, tmp_path).read_text()
    assert "Not finished" not in page
    assert "The one change to the baseline helps, with 10 seeds." in page
