"""Reports of designs that combine factors or leave one out, and of an A/A arm."""

import csv
import io
import json
from math import exp
from pathlib import Path

import html5lib
import numpy as np
import pytest

from ganbench.config.load import load_study
from ganbench.plugin import Host
from ganbench.report import write_report
from ganbench.report.effects import alias_text
from ganbench.study.design import expand
from ganbench.study.results import EvaluationPoint, StudyResults, TrialResult
from ganbench.study.run_plan import arm_result
from ganbench.study.statistics import compare

FACTORS = (
    "factors={label_smoothing: [off, {real: 0.9}], instance_noise: [off, {start: 0.2}], "
    "feature_matching: [off, on], ema: [off, on]}"
)
SIZES = {"label_smoothing": -0.3, "feature_matching": 0.2, "ema": -0.1}
"""What each trick adds to the log figure; the first and the third together -0.2 besides."""


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture
def study(host):
    def study(*sets, shift=0.0):
        """Return made-up results, the A/A arm's ``shift`` off on average."""
        loaded = load_study("tricks", host, (FACTORS, *sets))
        arms = [arm_result(arm) for arm in expand(loaded.study, host)]
        trials = []
        for number, arm in enumerate(arms):
            for seed in loaded.study.seeds:
                own = np.random.default_rng([number, seed]).normal(0, 0.02)
                common = np.random.default_rng(arm.trained_with(seed)).normal(0, 0.1)
                log = 3 + sum(SIZES.get(key, 0) for key in arm.levels) + own + common
                log -= 0.2 * ({"label_smoothing", "feature_matching"} <= set(arm.levels))
                log += shift - common if arm.is_again and shift else 0
                point = EvaluationPoint(600, 6.0, {"fid": exp(log)}, "healthy", {})
                trials.append(
                    TrialResult(arm.name, seed, arm.key, "complete", (point,), 6.0, 1.0, 600)
                )
        return StudyResults(
            loaded.resolved, loaded.origins, tuple(arms), tuple(trials), {}, {}, "ganbench run x"
        )

    return study


@pytest.fixture
def report(study, tmp_path):
    def report(*sets, **options):
        write_report(study(*sets, **options), tmp_path)
        return tmp_path

    return report


def test_leave_one_out_says_what_its_verdicts_mean(study, report):
    results = study("design.kind=leave-one-out")
    rows = {row.arm: row for row in compare(results)}
    assert rows["full"].verdict == "full"
    assert rows["without label_smoothing"].verdict == "hurts"
    assert rows["without label_smoothing"].reading == (
        "so label_smoothing helps, beside all the others"
    )
    assert rows["without instance_noise"].reading == (
        "so instance_noise has no effect, beside all the others"
    )
    text = (report("design.kind=leave-one-out") / "report.md").read_text()
    assert "Of 4 factors, each left out of the full arm alone, 2 help (worse without)" in text
    assert "To be without label_smoothing hurts most" in text
    assert "An arm that hurts is without something that helps." in text
    assert "without label_smoothing (label_smoothing: off) | ✗ hurts" in text
    # The baseline's make-up is told once; nothing is said to be compared with it.
    assert text.count("he baseline:") == 1
    assert "against the baseline" not in text
    assert "effects and interactions" not in text.casefold()


def test_the_aa_arm_is_in_no_tally_and_costs_the_others_nothing(study):
    with_it = {row.arm: row for row in compare(study("design.aa=true"))}
    without = {row.arm: row for row in compare(study())}
    assert with_it.keys() - without.keys() == {"A/A"}
    for name, row in without.items():
        assert with_it[name].p_holm == row.p_holm
    again = with_it["A/A"]
    assert again.verdict == "inconclusive"
    assert again.seeds_for_effect is None
    assert "as it should be" in again.reason


def test_the_aa_arms_p_is_corrected_as_one_more_of_the_family(study):
    rows = {row.arm: row for row in compare(study("design.aa=true", shift=-1.0))}
    again = rows["A/A"]
    # All ten seeds on one side, like two of the four arms: ties of the smallest p, five in all.
    assert again.effect.p == 2 / 2**10
    assert again.p_holm == pytest.approx(5 * 2 / 2**10)
    assert rows["label_smoothing"].p_holm == pytest.approx(4 * 2 / 2**10)
    assert again.reading == "a false alarm: nothing differs"


@pytest.mark.parametrize(
    ("shift", "told"),
    [
        (0.0, "The A/A arm, the baseline again at other seeds, is not told from it, as it should"),
        (-1.0, "comes out as “helps”: a false alarm, since nothing differs, as 5% of studies"),
    ],
)
def test_the_answer_says_how_the_aa_arm_came_out(report, shift, told):
    text = (report("design.aa=true", shift=shift) / "report.md").read_text()
    assert "Of 4 changes to the baseline" in text
    assert told in text


def test_the_csv_tells_the_seed_that_a_trial_was_trained_with(report):
    rows = list(csv.DictReader(io.StringIO((report("design.aa=true") / "results.csv").read_text())))
    seeds = {row["arm"]: (row["seed"], row["trained_with"]) for row in rows if row["seed"] == "3"}
    assert seeds["baseline"] == ("3", "3")
    assert seeds["A/A"] == ("3", "1000003")


def test_a_factorial_design_has_its_section_in_every_file(report):
    folder = report("design.kind=factorial")
    page, text = ((folder / name).read_text() for name in ("index.html", "report.md"))
    html5lib.HTMLParser(strict=True).parse(page)
    for part in ("Effects and interactions", "all 16 combinations", "Main effects"):
        assert part in page
    assert "Averaged over the other factors, label_smoothing helps (FID −33%" in text
    assert "| label_smoothing × feature_matching | −18%" in text
    assert {"main-effects.svg", "interactions.svg"} <= {
        path.name for path in Path(folder / "figures").iterdir()
    }
    effects = json.loads((folder / "results.json").read_text())["effects"]
    assert [item["name"] for item in effects["mains"]] == [
        "label_smoothing", "instance_noise", "feature_matching", "ema",
    ]  # fmt: skip
    assert len(effects["interactions"]) == 6
    assert effects["mains"][0]["sets"] == effects["mains"][0]["wanted"] == 8


def test_a_fraction_shows_the_aliases_beside_each_effect(report):
    folder = report("design.kind=fractional", "design.resolution=IV")
    text = (folder / "report.md").read_text()
    assert "The arms are a fraction: 8 of the 16 combinations." in text
    assert "| + instance_noise × ema |" in text
    assert "A fraction cannot tell an effect from its aliases" in text
    assert ">alias<" in (folder / "index.html").read_text()


def test_pairs_have_a_map_and_no_main_effects(report):
    folder = report("design.kind=pairs")
    text = (folder / "report.md").read_text()
    assert "### Interactions" in text
    assert "Averaged over the other factors" not in text
    assert not (folder / "figures" / "main-effects.svg").exists()
    assert "results.json" in {path.name for path in folder.iterdir()}


def test_an_unfinished_factorial_design_has_a_report(study, tmp_path):
    results = study("design.kind=factorial")
    object.__setattr__(results, "trials", results.trials[:7])
    write_report(results, tmp_path)
    assert "fewer than two seeds" in (tmp_path / "report.md").read_text()


def test_aliases_carry_sign_and_share():
    assert alias_text([("a × b", 1.0), ("c × d", -0.5)]) == "+ a × b, − ½ c × d"
