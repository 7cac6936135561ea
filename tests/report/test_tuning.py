"""The report's section on searches: both readings, what a budget buys, the front, what mattered."""

import json
import re
from dataclasses import replace
from math import inf

import pytest
from synthetic_study import build_study

from ganbench.report import write_report
from ganbench.report.tuning import tuning_section
from ganbench.study.search_result import SearchResult, SearchTrial
from ganbench.study.statistics import compare

LR = "optimizers.generator.lr"


def search(arm, values, objectives=("primary",), importances=None, **changes):
    trials = tuple(
        SearchTrial(index, {LR: 1e-4 * (index + 1)}, state, value, second, 800)
        for index, (state, value, second) in enumerate(values)
    )
    fields = {
        "name": f"s/{arm}", "arm": arm, "budget": len(trials), "seeds": (100, 101),
        "sampler": "tpe", "pruner": "median", "parallel": 2, "objectives": objectives,
        "space": {LR: "1e-05 to 0.01, logarithmic"}, "steps": 800, "trials": trials, "winner": 0,
        "front": (), "importances": importances,
        "unimportant": "" if importances else "there are not two parameters to share it",
    }  # fmt: skip
    return SearchResult(**{**fields, **changes})


def values(*finals):
    return [("complete", value, None) for value in finals]


@pytest.fixture
def tuned(tmp_path):
    """A study of two arms whose one effect is gone once both are tuned."""
    results = build_study(tmp_path / "made", arms=3)
    names = [arm.name for arm in results.arms if arm.key is not None][:3]
    kept = tuple(arm for arm in results.arms if arm.name in names)
    arms = tuple(
        replace(arm, name=f"{arm.name}, retuned", levels={**arm.levels, LR: 1e-4}, retuned=True)
        for arm in kept
    )
    baseline = results.of_arm(names[0])
    again = tuple(
        replace(trial, arm=f"{name}, retuned") for name in names for trial in baseline.values()
    )
    searches = (
        search(names[0], [*values(3.0, 4.0), ("pruned", 9.0, None), ("diverged", inf, None)]),
        *(search(name, values(2.0, 3.0, 4.0, 5.0)) for name in names[1:]),
    )
    return replace(
        results, arms=kept, trials=(*results.trials, *again), tuned=arms, searches=searches
    )


def section(results):
    second = results.retuned()
    return tuning_section(results, compare(results), compare(second) if second else ())


def test_both_readings_stand_side_by_side_and_the_answer_says_what_changed(tuned):
    found = section(tuned)
    rows = found.readings.rows
    assert [row[1] for row in rows] == ["as published", "retuned"] * 3
    pairs = zip(rows[::2], rows[1::2], strict=True)
    verdicts = {row[0]: (row[2][2:], after[2][2:]) for row, after in pairs}
    assert verdicts["label_smoothing"] == ("helps", "no effect")
    assert "label_smoothing (helps → no effect)" in found.answer
    assert "tuned with 4 configurations" in found.answer


def test_the_families_are_said_to_be_two(tuned):
    assert any("Two readings, each with its own family" in note for note in section(tuned).notes)
    second = compare(tuned.retuned())
    assert [row.arm for row in second] == [arm.name for arm in tuned.tuned]


def test_each_arm_s_budget_is_drawn_against_the_baseline_s(tuned):
    found = section(tuned)
    assert len(found.budget) == len(tuned.arms) - 1
    for curve in found.budget:
        assert curve.body.count("<path") == 2
        assert 'class="line dashed"' in curve.body
    assert "the dashed line is the baseline's" in found.budget_note


def test_what_was_tried_is_counted_and_priced(tuned):
    row = section(tuned).searches.rows[0]
    assert row == ("baseline", "4 of 4", "1", "1", "0", "3", "3,200 of 6,400")


def test_a_report_of_both_readings_is_whole_in_every_format(tuned, tmp_path):
    write_report(tuned, tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    text = (tmp_path / "report" / "report.md").read_text()
    told = json.loads((tmp_path / "report" / "results.json").read_text())
    for part in ("As published and retuned", "What a budget buys", "What mattered"):
        assert part in page
        assert part in text
    for picture in re.findall(r"\]\((figures/.*?)\)", text):
        assert (tmp_path / "report" / picture).exists()
    assert {"figures/searches.svg", "figures/budgets.svg"} <= set(
        re.findall(r"\]\((figures/.*?)\)", text)
    )
    assert [row["arm"] for row in told["retuned"]] == [arm.name for arm in tuned.tuned]
    assert told["searches"][0]["trials"][3]["value"] == "inf"
    table = (tmp_path / "report" / "results.csv").read_text()
    assert "baseline, retuned" in table
    # The reading as published is told as if there were no other.
    alone = replace(tuned, tuned=(), searches=())
    assert compare(alone) == compare(tuned)


def test_a_search_alone_shows_its_front_and_says_how_one_is_chosen(tuned):
    pairs = [("complete", 1.0, 9.0), ("complete", 2.0, 1.0), ("complete", 3.0, 5.0)]
    two = search("best found", pairs, ("primary", "seconds_per_step"), front=(0, 1), winner=1)
    found = section(replace(tuned, tuned=(), searches=(two,)))
    assert found.title == "The search"
    (curve,) = found.budget
    assert curve.body.count('class="line"') == 1
    assert "dashed" not in curve.body + found.budget_note
    assert found.readings is None
    assert [(row[0], row[2], row[3]) for row in found.front.rows] == [
        ("1", "", "1"),
        ("2", "chosen", "2"),
    ]
    assert "within 5% of the lowest" in found.front_note


def test_importances_are_shown_or_the_reason_why_not(tuned):
    shares = {LR: 0.75, "batch_size": 0.25}
    shown = section(
        replace(tuned, searches=(search("baseline", values(1, 2), importances=shares),))
    )
    assert shown.importances.rows == (("baseline", "75%", "25%"),)
    assert shown.unimportant == ()
    left_out = section(tuned)
    assert left_out.importances is None
    (text,) = left_out.unimportant
    assert text.endswith("there are not two parameters to share it.")


def test_a_search_that_has_not_begun_is_no_error(tuned, tmp_path):
    open_ = search("baseline", [], budget=5, winner=None)
    found = section(replace(tuned, searches=(open_,)))
    assert found.history == found.budget == ()
    assert found.chosen is None
    write_report(replace(tuned, searches=(open_,)), tmp_path / "report")


def test_what_failed_is_told_and_where_nothing_took_its_place(tuned):
    first, second, *others = tuned.searches
    assert not any("failed" in note for note in section(tuned).notes)
    more = replace(first, trials=(*first.trials, SearchTrial(4, {}, "failed", None, None, 0)))
    notes = section(replace(tuned, searches=(more, second, *others))).notes
    told = "In the place of a configuration that failed another one was tried"
    assert f"{told}: it is no part of the budget." in notes
    short = replace(second, budget=6, unreplaced=2)
    notes = section(replace(tuned, searches=(more, short, *others))).notes
    (note,) = [note for note in notes if note.startswith(told)]
    assert f"({second.arm}: 2 configurations fewer)" in note
    row = section(replace(tuned, searches=(more, short, *others))).searches.rows
    assert [cells[1] for cells in row[:2]] == ["4 of 4", "4 of 6"]
