"""The report's small parts: numbers in words, YAML with origins, prose, sheets, scales."""

import re
from dataclasses import replace
from math import inf, log

import pytest
import yaml
from PIL import Image
from synthetic_study import build_study

from ganbench.report.answer import answer
from ganbench.report.forest import ForestRow, Scale, forest_plot
from ganbench.report.listing import flattened, study_lines
from ganbench.report.markdown import escape
from ganbench.report.prose import to_html
from ganbench.report.sheets import sheet_rows, typical_seed, worst_trial
from ganbench.report.svg import element, linear_ticks, log_ticks, shorten, text
from ganbench.report.words import (
    duration,
    interval,
    mean_and_deviation,
    number,
    p_value,
    percent,
    size,
    verdict_rows,
)
from ganbench.study.comparison import Effect
from ganbench.study.results import ArmResult, label
from ganbench.study.statistics import compare


@pytest.mark.parametrize(
    ("ratio", "shown"),
    [
        (0.77, "−23%"),
        (1.042, "+4.2%"),
        (1.0, "0%"),
        (0.9999, "0%"),
        (0.9996, "0%"),
        (1.096, "+9.6%"),
        (1.0996, "+10%"),
        (12.0, "+1,100%"),
        (100.9, "+9,990%"),
        (101.0, "×101"),
        (3200.0, "×3,200"),
        (2.9e7, "×2.9e07"),
        (0.005, "−99.5%"),
    ],
)
def test_percent_shows_ratios_as_signed_changes(ratio, shown):
    assert percent(log(ratio)) == shown


def test_percent_of_divergence():
    assert percent(inf) == "+∞"
    assert percent(-inf) == "−100%"


def test_numbers_keep_three_digits_and_p_values_three_decimals():
    values = [0, 10, 20.04, 0.0421, 1234.5, -3.14159, None]
    assert [number(value) for value in values] == [
        "0",
        "10",
        "20.0",
        "0.0421",
        "1,234",
        "−3.14",
        "–",
    ]
    assert [p_value(p) for p in (0.0625, 2 / 2**20, 1.0, None)] == ["0.062", "<0.001", "1.000", "–"]
    assert [duration(s) for s in (0.015, 12.0, 412.0, 9000.0)] == [
        "15 ms",
        "12 s",
        "7 min",
        "2.5 h",
    ]


def test_just_under_a_second_is_told_without_an_exponent():
    assert duration(0.9996) == "1000 ms"
    assert duration(0.0148) == "14.8 ms"


def test_a_study_in_which_nothing_works_says_so(tmp_path):
    results = build_study(tmp_path, seeds=2, arms=2)

    def told(states):
        trials = tuple(
            replace(t, evaluations=(*t.evaluations[:-1], replace(last, health=states[t.arm])))
            for t in results.trials
            if (last := t.evaluations[-1])
        )
        made = replace(results, trials=trials)
        return answer(made, compare(made))[0]

    first, second, *_ = (arm.name for arm in results.arms)
    everything = dict.fromkeys((arm.name for arm in results.arms), "total collapse")
    assert "Every trial ended collapsed or diverged" in told(everything)
    baseline = told({**everything, second: "healthy"})
    assert f"The {first} ended collapsed or diverged at every seed." in baseline
    assert "ended collapsed" not in told({**everything, first: "healthy"})


def test_a_single_change_is_not_counted(tmp_path):
    results = build_study(tmp_path, seeds=2, arms=3)
    every = compare(results)
    assert answer(results, every)[0].startswith("Of 2 changes to the baseline, ")
    told = answer(results, every[:2])[0]
    assert told.startswith("The one change to the baseline is inconclusive, with 2 seeds.")
    none = answer(results, [every[0], replace(every[1], verdict="n/a")])[0]
    assert none.startswith("No verdict is possible on the one change.")


def test_figures_are_called_what_readers_call_them():
    names = {"fid": "FID", "forward_kl": "forward KL", "kl_nearest": "KL nearest", "modes": "modes"}
    assert {key: label(key) for key in names} == names


def test_deviations_keep_two_digits():
    pairs = [(20.51, 2.74), (208.2, 66.1), (142.21, 0.31), (0.04123, 0.00271), (20.04, None)]
    shown = [mean_and_deviation(*pair).replace("\u00a0", " ") for pair in pairs]
    assert shown == ["20.5 ± 2.7", "208 ± 66", "142.21 ± 0.31", "0.0412 ± 0.0027", "20.0"]
    assert mean_and_deviation(20.04, 0.0) == "20.0"
    assert mean_and_deviation(None, None) == "–"


def test_changes_name_only_what_differs_from_the_baseline(tmp_path):
    results = build_study(tmp_path, seeds=2)
    levels = {"batch_norm": {"placement": "both", "momentum": 0.2}, "b": None, "c": {"layer": None}}
    arm = ArmResult("x", levels, "k")
    assert results.changes(arm) == "batch_norm: momentum 0.2; b: off; c: layer none"
    rows = {row.arm: row.changes for row in verdict_rows(results)}
    assert rows["label_smoothing"] == "label_smoothing: real 0.9"
    renamed = replace(results.arms[4], name="batch_norm placement=generator")
    again = replace(results, arms=(results.arms[0], renamed), trials=())
    assert verdict_rows(again)[1].changes == ""


def test_verdict_rows_hold_what_a_terminal_table_needs(tmp_path):
    rows = verdict_rows(build_study(tmp_path))
    assert [row.arm for row in rows][:2] == ["baseline", "label_smoothing"]
    assert (rows[0].verdict, rows[0].change) == ("baseline", "–")
    good = rows[1]
    assert (good.symbol, good.verdict) == ("✓", "helps")
    assert good.change.startswith("−")
    assert " to " in good.interval
    assert (rows[-1].verdict, rows[-1].seeds) == ("n/a", "0")
    assert rows[3].collapsed.endswith("/ 9")


def test_the_resolved_study_reads_back_as_yaml_with_its_origins(tmp_path):
    results = build_study(tmp_path)
    lines = study_lines(results.study, results.origins)
    assert yaml.safe_load("\n".join(line for line, _ in lines)) == results.study
    assert dict(lines)["  steps: 800"] == "--set"


def test_flattened_settings_keep_order_and_dots():
    assert flattened({"a": {"b": 1, "c": [1, 2]}, "d": None, "e": {}}) == [
        ("a.b", "1"),
        ("a.c", "[1, 2]"),
        ("d", "null"),
        ("e", "{}"),
    ]


def test_prose_renders_its_part_of_markdown_and_escapes_the_rest():
    found = to_html(
        "# Head\nText with **strong**, *em*, `a<b` and [a link](http://x.y).\n\n"
        "- one\n- two\n\n| a | b |\n|---|--:|\n| 1 | <2> |\n\n```\n<code>\n\nmore\n```\n"
    )
    assert "<h3>Head</h3>" in found
    assert "<strong>strong</strong>, <em>em</em>, <code>a&lt;b</code>" in found
    assert "a link (http://x.y)" in found
    assert "href" not in found
    assert "<li>one</li><li>two</li>" in found
    assert "<td>1</td><td>&lt;2&gt;</td>" in found
    assert "<pre>&lt;code&gt;\n\nmore</pre>" in found


def test_markdown_escape_leaves_nothing_that_markdown_reads():
    assert escape("a|b <i> *x* `y` [z]\nnew") == r"a\|b &lt;i&gt; \*x\* \`y\` \[z\] new"
    assert escape("label_smoothing _x_") == r"label_smoothing \_x\_"


def test_svg_escapes_text_and_attributes():
    assert text(0, 0, "<&>") == '<text x="0" y="0">&lt;&amp;&gt;</text>'
    assert element("g", class_='"x"') == '<g class="&quot;x&quot;"/>'


def test_ticks_are_round_and_few():
    assert log_ticks(15, 3000, 9) == [20, 50, 100, 200, 500, 1000, 2000]
    assert log_ticks(15, 3000, 5) == [30, 100, 300, 1000, 3000]
    assert log_ticks(114, 143, 5) == pytest.approx([120, 130, 140])
    assert log_ticks(20.1, 20.9, 5) == pytest.approx([20.2, 20.4, 20.6, 20.8])
    assert linear_ticks(800, 5) == [0, 200, 400, 600, 800]
    assert linear_ticks(12.3, 4) == [0, 5, 10]
    assert linear_ticks(1, 5) == [0, 0.25, 0.5, 0.75, 1.0]


def test_long_names_are_cut_in_the_middle():
    assert shorten("short", 10) == "short"
    assert len(shorten("a" * 60 + "end", 20)) == 20
    assert shorten("a" * 60 + "end", 20).endswith("end")


def effect(*differences, low=-0.1, high=0.1):
    pairs = dict(enumerate(differences))
    middle = sorted(differences)[len(differences) // 2]
    return Effect(pairs, middle, low, high, 1.0, "mean", True)


def test_one_broken_arm_does_not_flatten_the_others():
    near, broken = effect(-0.1, 0.0, 0.2), effect(3.0, 3.1, 3.2, low=3.0, high=3.2)
    scale = Scale([near, broken], 0.05, 0, 100)
    assert scale.inside(0.2)
    assert not scale.inside(3.0)
    assert scale.lanes == []
    assert Scale([broken], 0.05, 0, 100).inside(3.2)


def test_where_most_arms_change_much_the_axis_holds_them_all():
    near, strong = effect(-0.1, 0.0, 0.2), effect(-2.6, -2.5, -2.4, low=-2.6, high=-2.4)
    assert Scale([near, strong, strong], 0.05, 0, 100).inside(-2.6)


def test_an_interval_s_end_next_to_zero_keeps_its_side():
    assert interval(effect(0.0, low=log(0.9996), high=log(1.15))) == "−0.04% to +15%"
    assert interval(effect(0.0, low=log(1.0002), high=log(1.15))) == "+0.02% to +15%"
    assert interval(effect(0.0, low=0.0, high=log(1.15))) == "0% to +15%"


def test_an_interval_without_an_end_is_told_in_words():
    assert interval(effect(0.1, inf, 0.3, low=log(1.2), high=inf)) == "above +20%"
    assert interval(effect(0.1, -inf, 0.3, low=-inf, high=log(0.5))) == "below −50%"
    assert interval(effect(inf, inf, inf, low=inf, high=inf)) == "ranks last"
    assert interval(effect(-inf, 0.1, inf, low=-inf, high=inf)) == "without limits"
    assert interval(effect(0.1, 0.2, low=-inf, high=inf)) == "too few seeds"
    assert [size(effect(value)) for value in (inf, -inf, log(0.8))] == [
        *("ranks last", "ranks first", "−20%"),
    ]


def test_infinite_differences_have_a_lane_at_their_side():
    scale = Scale([effect(0.1, inf, 0.2)], 0.05, 0, 400)
    assert scale.lane(inf) > scale(scale.high)


def test_typical_seed_is_the_baselines_median_and_worst_the_highest(tmp_path):
    results = build_study(tmp_path, seeds=5)
    finals = {s: t.final("fid") for s, t in results.of_arm("baseline").items()}
    assert typical_seed(results) == sorted(finals, key=finals.get)[2]
    arm = results.of_arm("instance_noise")
    worst = worst_trial(list(arm.values()), "fid")
    assert worst.final("fid") == max(t.final("fid") for t in arm.values())


def test_a_trial_without_a_final_figure_is_its_arms_worst_and_is_shown(tmp_path):
    results = build_study(tmp_path, seeds=3)
    trials = results.of_arm("baseline")
    *before, last = trials[1].evaluations
    bare = replace(last, figures={k: v for k, v in last.figures.items() if k != "fid"})
    lost = replace(trials[1], evaluations=(*before, bare))
    results = replace(results, trials=tuple(lost if t is trials[1] else t for t in results.trials))
    assert worst_trial(list(results.of_arm("baseline").values()), "fid") == lost
    rows = {row.title: row for row in sheet_rows(results, "FID")}
    captions = [sheet.caption for sheet in rows["baseline"].sheets]
    assert captions[-1] == "worst seed 1 · FID undefined"
    assert typical_seed(results) != 1


def test_sheets_space_their_tiles_and_keep_their_pixels(tmp_path):
    results = build_study(tmp_path, seeds=3)
    row = sheet_rows(results, "FID")[0]
    assert (row.title, len(row.sheets)) == ("The data", 1)
    (tmp_path / "out.png").write_bytes(row.sheets[0].picture)
    with Image.open(tmp_path / "out.png") as spaced, Image.open(results.data_samples) as sheet:
        assert spaced.size == (71, 71)
        tile = spaced.convert("L").crop((9, 18, 17, 26))
        assert tile.tobytes() == sheet.crop((8, 16, 16, 24)).tobytes()
        assert spaced.getpixel((8, 0))[1] < 255


def test_scatter_plots_of_points_are_shown_as_they_are(tmp_path):
    results = build_study(tmp_path, seeds=3, points=True)
    picture = sheet_rows(results, "FID")[0].sheets[0].picture
    (tmp_path / "out.png").write_bytes(picture)
    with Image.open(tmp_path / "out.png") as shown, Image.open(results.data_samples) as sheet:
        assert shown.size == sheet.size


def forest_rows(study):
    return [
        ForestRow(item.arm, item.verdict, item.effect) for item in compare(study)[1:] if item.effect
    ]


def test_on_a_narrow_screen_no_line_of_the_axis_strikes_a_name_through(tmp_path):
    rows = forest_rows(build_study(tmp_path))
    plot = forest_plot(rows, "FID", 0.05, 340, stacked=True)
    names = re.findall(r'<text[^>]*class="([^"]*strong[^"]*)"', plot.body)
    assert len(names) == 2 * len(rows)
    assert all("halo" in name.split() for name in names)


def test_the_count_of_seeds_beyond_the_axis_stands_below_dots_and_interval(tmp_path):
    study = build_study(tmp_path)
    rows = forest_rows(study)
    wide = effect(0.05, 1.3, 2.4, 2.5, low=-0.5, high=2.6)
    plot = forest_plot([rows[0], replace(rows[1], effect=wide)], "FID", 0.05, 1000, stacked=False)
    (label,) = re.findall(r'<text[^>]* y="([\d.]+)"[^>]*>3 seeds beyond</text>', plot.body)
    dots = [float(y) for y in re.findall(r'<circle[^>]* cy="([\d.]+)"', plot.body)]
    assert float(label) > max(dots) + 20
