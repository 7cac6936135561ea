"""The report: complete, correct as a page, safe, deterministic, small."""

import csv
import io
import json
import re
import subprocess
import sys
from dataclasses import replace

import html5lib
import numpy as np
import pytest
from PIL import Image
from synthetic_study import build_study

from ganbench.report import verdict_rows, write_report
from ganbench.report.svg import PALETTE
from ganbench.report.write import ReportError
from ganbench.study.results import ArmResult
from ganbench.study.statistics import compare

FILES = ("index.html", "report.md", "results.csv", "arms.csv", "results.json")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return build_study(tmp_path_factory.mktemp("samples"))


@pytest.fixture(scope="module")
def report(study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_report(study, folder, sections=[("Spectra", "A **plain** <i>section</i>.")])
    return folder


def parse(page):
    """Parse as browsers do, but refuse what is not valid."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def test_report_returns_the_page_and_leaves_every_file_and_nothing_else(report):
    names = {path.name for path in report.iterdir()}
    assert names == {*FILES, "figures"}
    assert all((report / name).stat().st_size for name in FILES)


def test_report_of_seven_arms_and_ten_seeds_is_under_three_megabytes(report):
    assert sum(path.stat().st_size for path in report.rglob("*") if path.is_file()) < 3_000_000


def test_equal_results_give_equal_bytes(study, report, tmp_path):
    write_report(study, tmp_path, sections=[("Spectra", "A **plain** <i>section</i>.")])
    for path in sorted(report.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / path.relative_to(report)).read_bytes()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pending": 25},
        {"pending": 70},
        {"seeds": 1},
        {"seeds": 2, "quick": True},
        {"arms": 1},
        {"modes": False},
        {"points": True},
    ],
    ids=str,
)
def test_page_is_valid_html_without_scripts_or_outside_addresses(options, tmp_path):
    page = write_report(build_study(tmp_path / "s", **options), tmp_path / "r").read_text()
    tree = parse(page)
    assert not list(tree.iter("script"))
    addresses = [
        value
        for node in tree.iter()
        for key, value in node.attrib.items()
        if str(key).split("}")[-1] in ("src", "href", "srcset", "action", "style")
    ]
    assert all(value.startswith(("#", "data:")) for value in addresses)
    # Not even a style sheet may fetch anything.
    assert not re.search(r"url\(|@import|https?://", page)
    assert not [key for node in tree.iter() for key in node.attrib if str(key).startswith("on")]


def test_page_is_accessible(report):
    tree = parse((report / "index.html").read_text())
    ids = [node.attrib["id"] for node in tree.iter() if "id" in node.attrib]
    assert len(ids) == len(set(ids))
    assert all(image.attrib["alt"] for image in tree.iter("img"))
    for picture in (node for node in tree.iter() if str(node.tag).split("}")[-1] == "svg"):
        assert picture.attrib["role"] == "img"
        assert all(name in ids for name in picture.attrib["aria-labelledby"].split())
    for table in tree.iter("table"):
        assert all("scope" in cell.attrib for cell in table.iter("th"))
        assert list(table.iter("th"))
    targets = [link.attrib["href"] for link in tree.iter("a")]
    assert all(target.removeprefix("#") in ids for target in targets)


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_colours_keep_wcag_contrast_in_both_schemes(scheme):
    colours = dict(re.findall(r"--(\w+): (#\w{6})", PALETTE.split("@media")[scheme]))
    for ground in ("paper", "wash"):
        for ink in ("ink", "muted", "helps", "hurts"):
            pair = sorted((luminance(colours[ground]), luminance(colours[ink])))
            assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5, (ground, ink)


def test_everything_hostile_is_escaped(study, tmp_path):
    bad = "<script>x()</script> & \"'| `y` **z**"
    renamed = {"label_smoothing": bad}
    hostile = replace(
        study,
        study={**study.study, "question": bad, "name": bad},
        arms=tuple(replace(a, name=renamed.get(a.name, a.name)) for a in study.arms),
        trials=tuple(replace(t, arm=renamed.get(t.arm, t.arm)) for t in study.trials),
        protocol={bad: {bad: bad}},
        environment={"cpu": bad},
        command=bad,
        origins={"name": bad},
        collapse_rule=bad,
        metric_notes={bad: bad},
    )
    page = write_report(hostile, tmp_path, sections=[(bad, bad)])
    tree = parse(page.read_text())
    assert not list(tree.iter("script"))
    assert bad in "".join(tree.find(".//h1").itertext())
    markdown = (tmp_path / "report.md").read_text()
    outside_code = re.sub(r"^(`{3,}).*?^\1$", "", markdown, flags=re.S | re.M)
    # The plugin's own section is Markdown that its author answers for.
    without_section = outside_code.replace(f"\n{bad}\n", "\n")
    assert "<script" not in without_section
    for picture in (tmp_path / "figures").glob("*.svg"):
        assert "<script" not in picture.read_text()
        html5lib.parse(picture.read_text())


def test_standalone_pictures_are_well_formed_and_carry_their_own_colours(report):
    from xml.etree import ElementTree

    pictures = sorted((report / "figures").glob("*.svg"))
    assert [p.stem for p in pictures] == ["collapse", "curves-seconds", "curves-steps", "forest"]
    for picture in pictures:
        root = ElementTree.fromstring(picture.read_text())  # noqa: S314 - our own file
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "prefers-color-scheme: dark" in picture.read_text()


def test_markdown_names_only_pictures_that_are_there_and_its_tables_are_square(report):
    text = (report / "report.md").read_text()
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert pictures
    assert {p.name for p in (report / "figures").iterdir()} == {
        name.removeprefix("figures/") for name in pictures
    }
    for table in re.findall(r"(?:^\|.*\|\n)+", text, flags=re.M):
        widths = {len(re.split(r"(?<!\\)\|", line)) for line in table.strip().splitlines()}
        assert len(widths) == 1, table


def test_page_and_markdown_say_the_same(study, report):
    page = "".join(parse((report / "index.html").read_text()).itertext())
    markdown = (report / "report.md").read_text()
    for row in verdict_rows(study):
        assert row.arm in page
        assert row.arm in markdown
        for text in (page, markdown):
            assert f"{row.change}" in text
            assert row.final in text
    assert "out of memory" in page
    assert "out of memory" in markdown
    assert "ganbench run studies/tricks.yaml" in page
    assert "Spectra" in page
    assert "Spectra" in markdown


def test_answer_counts_the_verdicts(study, report):
    verdicts = [item.verdict for item in compare(study)]
    page = (report / "index.html").read_text()
    assert f"Of 6 changes to the baseline, {verdicts.count('helps')} helps" in page
    assert "No verdict is possible on 1 other" in page


def test_a_quick_run_and_an_unfinished_one_say_so(tmp_path):
    quick = write_report(build_study(tmp_path / "a", seeds=2, quick=True), tmp_path / "b")
    for text in (quick.read_text(), quick.with_name("report.md").read_text()):
        assert "proves that the study runs, and no more" in text
        # No advice on seeds: neither what so few can show, nor how many would settle an arm.
        told = text.partition("How to read this</h2>")[0].partition("## How to read this")[0]
        assert "smallest possible p" not in told
        assert not re.search(r"\d more\)|over 200 seeds|at least \d+ seeds", told)
    partial = write_report(build_study(tmp_path / "c", pending=25), tmp_path / "d").read_text()
    assert "45 of 70 trials have ended so far" in partial
    whole = write_report(build_study(tmp_path / "e"), tmp_path / "f").read_text()
    assert "Not finished" not in whole
    assert "Quick run" not in whole


def test_a_new_report_replaces_the_old_one_and_its_pictures(study, tmp_path):
    write_report(study, tmp_path)
    (tmp_path / "figures" / "samples-99-seed-0.png").write_bytes(b"old")
    (tmp_path / "figures" / "notes.txt").write_text("mine")
    few = replace(study, arms=study.arms[:2])
    write_report(few, tmp_path)
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert "samples-99-seed-0.png" not in names
    assert "notes.txt" in names
    assert "feature_matching" not in (tmp_path / "index.html").read_text()


def test_csv_has_a_row_a_trial_and_one_for_the_arm_that_does_not_apply(study, report):
    rows = list(csv.DictReader(io.StringIO((report / "results.csv").read_text())))
    assert len(rows) == 71
    assert rows[-1]["outcome"] == "n/a"
    assert "no targets" in rows[-1]["error"]
    first = study.of_arm("baseline")[0]
    assert float(rows[0]["final_fid"]) == first.final("fid")
    assert float(rows[0]["best_fid"]) == min(p.figures["fid"] for p in first.evaluations)
    diverged = [row for row in rows if row["outcome"] == "diverged"]
    assert [row["final_fid"] for row in diverged] == ["", ""]
    assert [row["best_step"] for row in diverged] == ["", ""]


def test_json_holds_everything_and_no_path_of_the_machine(study, report, tmp_path):
    text = (report / "results.json").read_text()
    content = json.loads(text, parse_constant=pytest.fail)
    assert content["schema"] == 1
    assert content["study"]["question"] == study.study["question"]
    assert len(content["trials"]) == 70
    assert content["trials"][0]["evaluations"][0]["figures"]["fid"] > 0
    saturating = next(c for c in content["comparisons"] if c["arm"] == "saturating loss")
    assert saturating["effect"]["differences"]["2"] == "inf"
    assert saturating["effect"]["method"] == "signed rank"
    assert str(study.data_samples.parent) not in text
    assert str(study.data_samples.parent) not in (report / "index.html").read_text()


def test_large_sheets_are_cut_to_fewer_tiles(study, tmp_path):
    rng = np.random.default_rng(0)
    noise = tmp_path / "noise.png"
    # Noise does not compress: the worst that 64 images of 64x64 in colour can be.
    Image.fromarray(rng.integers(0, 256, (512, 512, 3), np.uint8), "RGB").save(noise)
    heavy = replace(
        study,
        trials=tuple(replace(t, samples=noise if t.samples else None) for t in study.trials),
        data_samples=noise,
    )
    write_report(heavy, tmp_path / "r")
    size = sum(p.stat().st_size for p in (tmp_path / "r").rglob("*") if p.is_file())
    assert size < 3_000_000


def test_a_study_whose_sheets_are_gone_still_has_a_report(study, tmp_path):
    gone = tmp_path / "gone.png"
    bare = replace(study, trials=tuple(replace(t, samples=gone) for t in study.trials))
    page = write_report(replace(bare, data_samples=None), tmp_path / "r").read_text()
    assert 'id="samples"' not in page
    assert 'id="verdicts"' in page


def test_a_cost_stands_beside_its_interval(study, report):
    tree = html5lib.parse((report / "index.html").read_text("utf-8"), namespaceHTMLElements=False)
    (section,) = (one for one in tree.iter("section") if one.get("id") == "cost")
    head, reference, *rows = (
        ["".join(cell.itertext()) for cell in row] for row in section.iter("tr")
    )
    assert head[2:4] == ["Against baseline", "95% interval"]
    assert reference[2:4] == ["–", "–"]
    found = [(item.cost, item.cost_interval) for item in compare(study)[1:] if item.cost]
    assert any(interval for _, interval in found)
    for (_, _, cost, told, *_), (ratio, interval) in zip(rows, found, strict=True):
        assert cost == f"×{ratio:.2f}"
        assert told == (f"×{interval[0]:.2f} to ×{interval[1]:.2f}" if interval else "–")


def test_what_a_report_imports_longest_can_be_imported_before_it():
    code = (
        "import sys, ganbench.report as report\nbefore = 'scipy.stats' in sys.modules\n"
        "report.prepare_report()\nprint(before, 'scipy.stats' in sys.modules, flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False True\n"


def test_a_broken_picture_costs_no_report(study, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n but no more")
    page = write_report(replace(study, data_samples=broken), tmp_path / "r").read_text()
    assert "no picture" in page
    assert "no picture" in (tmp_path / "r" / "report.md").read_text()


def test_warnings_of_the_protocol_stand_by_the_verdicts(study, tmp_path):
    warned = replace(study, protocol={**study.protocol, "warnings": ["9 samples for 64 features"]})
    page = write_report(warned, tmp_path).read_text()
    assert page.index("9 samples for 64 features") < page.index('id="effects"')
    assert "9 samples for 64 features" in (tmp_path / "report.md").read_text()


def test_an_arm_that_only_diverges_is_drawn_in_its_own_lane(study, tmp_path):
    trials = tuple(
        replace(t, outcome="diverged", error="NaN at step 1", evaluations=(), samples=None)
        if t.arm == "feature_matching"
        else t
        for t in study.trials
    )
    broken = replace(study, trials=trials)
    page = write_report(broken, tmp_path).read_text()
    parse(page)
    ranked = "feature_matching hurts most: it ranks last at all 10 seeds, where it diverged"
    assert f"{ranked} (p after Holm 0.012)." in page
    told = ("<small>{}</small>", "- **feature_matching** hurts: {}.")
    for form, text in zip(told, (page, (tmp_path / "report.md").read_text()), strict=True):
        assert form.format("diverged at all 10 seeds, and ranks last there") in text
    row = next(row for row in verdict_rows(broken) if row.arm == "feature_matching")
    assert (row.verdict, row.change, row.interval) == ("hurts", "ranks last", "ranks last")


def test_a_baseline_that_only_diverges_leaves_its_arms_ranked_first(study, tmp_path):
    trials = tuple(
        replace(t, outcome="diverged", error="NaN at step 1", evaluations=(), samples=None)
        if t.arm == "baseline"
        else t
        for t in study.trials
    )
    page = write_report(replace(study, trials=trials), tmp_path).read_text()
    assert "it ranks first at all 10 seeds, where only the baseline diverged" in page
    assert "The baseline diverged at all 10 seeds, and ranks last there." in page
    # Where saturating loss diverged too there is no pair.
    assert "where both rank last (2 of 10 seeds), nothing can be compared" in page
    assert "−100%" not in page.partition('id="effects"')[0]


def test_an_arm_without_any_trial_is_listed(study, tmp_path):
    extra = ArmResult("later", {"x": 1}, "k")
    page = write_report(replace(study, arms=(*study.arms, extra)), tmp_path).read_text()
    assert "pending: 10 of 10 trials" in page
    assert "There is none yet on 1 other." in page


def test_an_arm_with_trials_to_come_has_no_verdict_yet_and_one_without_never_will(study):
    arms = (*study.arms, ArmResult("later", {"x": 1}, "k"), ArmResult("never", {}, "l", "no"))
    found = {row.arm: (row.symbol, row.verdict) for row in verdict_rows(replace(study, arms=arms))}
    assert found["later"] == ("…", "not yet")
    assert found["never"] == ("–", "n/a")


def test_the_resolved_order_of_tricks_is_shown(study, tmp_path):
    order = {"transform_targets": ["label_flips", "label_smoothing"]}
    details = {"order": order, "parameters": {"generator": 12345}}
    trials = tuple(replace(trial, details=details) for trial in study.trials)
    write_report(replace(study, trials=trials), tmp_path)
    for name in ("index.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert "transform_targets: label_flips → label_smoothing" in text
        assert "generator 12,345" in text


def test_a_folder_that_cannot_be_written_to_ends_in_an_error_that_says_what_to_do(tmp_path):
    study = build_study(tmp_path / "s", seeds=2, arms=2)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "figures").write_text("in the way")
    with pytest.raises(ReportError, match=r"figures.*ledger.*`ganbench report .*r` writes"):
        write_report(study, tmp_path / "r")


def test_metrics_that_were_left_out_are_named_with_the_reason(tmp_path):
    study = build_study(tmp_path / "s", seeds=2, arms=2)
    protocol = {**study.protocol, "metrics_left_out": {"modes": "no labels"}}
    page = write_report(replace(study, protocol=protocol), tmp_path / "r").read_text()
    assert "Metrics left out: modes (no labels)." in page
