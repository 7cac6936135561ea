"""A study of many arms: its report stays one that can be opened and read."""

from collections import Counter
from dataclasses import replace

import pytest
from synthetic_study import STEPS, build_study

from ganbench.report import write_report
from ganbench.report.content import content_of
from ganbench.report.detail import MOST
from ganbench.report.timeline import MOST_SEEDS
from ganbench.study.effects import effects_of
from ganbench.study.exploratory import explore
from ganbench.study.results import ArmResult, EvaluationPoint, TrialResult
from ganbench.study.statistics import compare


def crowd(folder, arms, seeds=6, better=()):
    """A study of so many arms: each a little worse than the one before, some far better."""
    listed, trials = [], []
    for place in range(arms):
        name = f"arm {place}" if place else "baseline"
        listed.append(ArmResult(name, {"factor": place} if place else {}, f"{place:016x}"))
        level = 5.0 if place in better else 20.0 * 1.001**place
        for seed in range(seeds):
            figures = [{"fid": level * (1 + 0.01 * (seed * place % 5))} for _ in STEPS]
            points = [
                EvaluationPoint(step, step / 100, found, "healthy", {})
                for step, found in zip(STEPS, figures, strict=True)
            ]
            trials.append(
                TrialResult(name, seed, f"{place:016x}", "complete", tuple(points), 1.0, 0.1, 800)
            )
    one = build_study(folder, seeds=1, arms=1)
    study = {**one.study, "seeds": list(range(seeds))}
    return replace(one, arms=tuple(listed), trials=tuple(trials), study=study)


def content(results):
    rows = compare(results)
    return content_of(results, rows, explore(results, rows), effects_of(results), (), ())


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    # The one that helps is the last but one, and one of the least changed is the last.
    return crowd(tmp_path_factory.mktemp("many"), MOST + 9, better=[MOST + 7])


def test_every_arm_has_its_verdict_and_the_most_telling_are_shown_in_detail(many):
    found = content(many)
    assert len(found.rows) == MOST + 9
    assert len(found.over_steps) == len(found.over_seconds) == MOST
    assert len(found.timelines) == MOST + 1  # the baseline's too
    assert len(found.more.rows) == len(found.cost.rows) == MOST + 1
    shown = [row[0] for row in found.cost.rows]
    assert shown[0] == "baseline"
    assert f"arm {MOST + 7}" in shown
    assert "arm 1" not in shown  # hardly changed
    assert shown[1:] == sorted(shown[1:], key=lambda name: int(name.removeprefix("arm ")))


def test_page_and_markdown_say_what_they_leave_out_and_where_it_is(many, tmp_path):
    write_report(many, tmp_path)
    for name in ("index.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert f"the baseline and {MOST} of the {MOST + 8} other arms" in text
        assert "results.csv every trial" in text
    assert len((tmp_path / "results.csv").read_text().splitlines()) == 1 + 6 * (MOST + 9)
    assert len((tmp_path / "arms.csv").read_text().splitlines()) == 1 + MOST + 9


def test_a_study_of_few_arms_leaves_nothing_out(tmp_path):
    found = content(crowd(tmp_path, MOST + 1, seeds=2))
    assert found.left_out == ""
    assert len(found.over_steps) == MOST


def test_a_timeline_shows_so_many_seeds_and_says_how_many_there_are(tmp_path):
    found = content(crowd(tmp_path, 2, seeds=MOST_SEEDS + 11))
    for panel in found.timelines:
        assert f"the first {MOST_SEEDS} of {MOST_SEEDS + 11} seeds" in panel.body
        assert f">{MOST_SEEDS - 1}<" in panel.body
        assert f">{MOST_SEEDS}<" not in panel.body


def test_the_trials_are_not_all_looked_through_for_every_arm(tmp_path):
    class Counted(tuple):
        looks = Counter()

        def __iter__(self):
            self.looks["x"] += 1
            return super().__iter__()

    counts = []
    for arms in (3, 12):
        results = crowd(tmp_path, arms, seeds=2)
        results = replace(results, trials=Counted(results.trials))
        Counted.looks.clear()
        content(results)
        counts.append(Counted.looks["x"])
    assert counts[0] == counts[1]
