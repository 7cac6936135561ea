"""The table of more figures, and the table of arms for programs."""

import csv
import io
import json
from dataclasses import replace
from math import inf, log

import pytest
from synthetic_study import build_study

from ganbench.report import write_report
from ganbench.report.exploration import exploration_rows
from ganbench.report.machine import to_arms_csv
from ganbench.study.exploratory import Estimate, Exploration, Pairing, explore
from ganbench.study.statistics import compare


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return build_study(tmp_path_factory.mktemp("study"))


@pytest.mark.parametrize(
    ("change", "chance", "iqm", "pairing", "expected"),
    [
        (
            Estimate(log(0.5), log(0.4), log(0.8)),
            Estimate(0.9, 0.6, 0.98),
            Estimate(20.0, 18.0, 22.5),
            Pairing(-0.5, False, 0.8, 10),
            ("−60% to −20%", "90% (60% to 98%)", "20 (18 to 22.5)", "−0.50", "×0.8"),
        ),
        (
            None,
            Estimate(0.2, 0.05, 0.5),
            Estimate(20.5, 18.5, inf),
            Pairing(0.25, True, None, 10),
            ("–", "20% (5% to 50%)", "20.5 (above 18.5)", "+0.25 (ranks)", "–"),
        ),
        (
            Estimate(0.0, 0.0, 0.0),
            Estimate(0.5, 0.2, 0.8),
            Estimate(inf, inf, inf),
            Pairing(1.0, False, inf, 10),
            ("0%", "50% (20% to 80%)", "ranks last", "+1.00", "all"),
        ),
        (
            None,
            None,
            Estimate(inf, 20.5, inf),
            None,
            ("–", "–", "ranks last (above 20.5)", "–", "–"),
        ),
        (None, None, Estimate(3.5, -inf, inf), None, ("–", "–", "3.50", "–", "–")),
    ],
)
def test_each_figure_is_said_in_words(study, change, chance, iqm, pairing, expected):
    found = Exploration("saturating loss", change, chance, iqm, pairing)
    (row,) = exploration_rows([found], compare(study))
    # Of ten, none collapsed and two diverged.
    assert row == ("saturating loss", *expected, "0% to 28%", "6% to 51%")


def test_an_arm_without_an_end_has_no_row(study):
    comparisons = compare(study)
    rows = exploration_rows(explore(study, comparisons), comparisons)
    assert [row[0] for row in rows] == [arm.name for arm in study.arms if not arm.skipped]


def test_the_figures_reach_page_markdown_and_both_files_for_programs(study, tmp_path):
    page = write_report(study, tmp_path).read_text()
    comparisons = compare(study)
    explorations = explore(study, comparisons)
    row = exploration_rows(explorations, comparisons)[1]
    assert "| " + " | ".join(row[1:]) + " |" in (tmp_path / "report.md").read_text()
    details = page.partition("<details>")[2].partition("</details>")[0]
    assert all(f">{cell}<" in details for cell in row[1:])

    entry = json.loads((tmp_path / "results.json").read_text())["exploratory"][1]
    assert entry["improvement"]["value"] == explorations[1].improvement.value
    table = list(csv.DictReader(io.StringIO((tmp_path / "arms.csv").read_text())))
    assert [line["arm"] for line in table] == [arm.name for arm in study.arms]
    helped, diverging = table[1], table[6]
    assert float(helped["bca_low"]) == explorations[1].change.low
    assert float(helped["change"]) == comparisons[1].effect.estimate
    assert (diverging["iqm_high"], diverging["bca_low"]) == ("inf", "")
    assert (diverging["ended"], diverging["diverged"]) == ("10", "2")


def test_the_table_of_arms_of_a_study_that_has_not_begun_is_whole(study):
    begun = replace(study, trials=())
    comparisons = compare(begun)
    text = to_arms_csv(comparisons, explore(begun, comparisons))
    assert len({line.count(",") for line in text.splitlines()}) == 1
    assert text.count("n/a") == len(study.arms) - 1
