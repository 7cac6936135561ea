"""What plugins show of their own: the right labels at the right cells, and no page too large."""

import io
import re
from dataclasses import replace
from pathlib import Path

import html5lib
import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from synthetic_study import build_study

from ganbench.evaluation import pictures as drawing
from ganbench.evaluation.pictures import own_picture
from ganbench.plugin import Picture
from ganbench.report import own as own_module
from ganbench.report import write_report
from ganbench.report.own import BUDGET, GUTTER, LARGEST, SHOWN, own_figures, own_notes, own_pictures
from ganbench.report.sheets import typical_seed

ARM = "label_smoothing"
TEMPLATES = Path(own_module.__file__).parent / "templates"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return build_study(tmp_path_factory.mktemp("samples"), seeds=4, arms=4)


@pytest.fixture
def shown(study, tmp_path):
    """Return a function that gives an arm's trials pictures, by default all its seeds."""

    def shown(pictures, arm=ARM, seeds=None):
        files = {}
        for name, picture in pictures.items():
            files[name] = tmp_path / f"{len(files)}.png"
            files[name].write_bytes(own_picture(picture))
        return replace(
            study,
            trials=tuple(
                replace(trial, pictures=files)
                if trial.arm == arm and (seeds is None or trial.seed in seeds)
                else trial
                for trial in study.trials
            ),
        )

    return shown


def grid(rows=2, columns=3, size=8, channels=1, labels=True, noise=False, caption="A grid"):
    shape = (rows, columns, channels, size, size)
    images = torch.zeros(shape)
    if noise:
        images.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
    if not labels:
        return Picture(images, caption)
    names = tuple(f"row {i}" for i in range(rows)), tuple(f"column {i}" for i in range(columns))
    return Picture(images, caption, *names)


def measured(study, figures, arm=ARM):
    def more(trial):
        points = tuple(
            replace(point, figures={**point.figures, **figures(trial.seed)})
            for point in trial.evaluations
        )
        return replace(trial, evaluations=points)

    trials = (more(trial) if trial.arm == arm else trial for trial in study.trials)
    return replace(study, trials=tuple(trials))


def test_pictures_are_written_and_read_under_one_key():
    assert own_module.LABELS == drawing.LABELS


class TestFigures:
    def test_an_own_figure_has_its_distribution_over_seeds(self, study):
        found = own_figures(measured(study, lambda seed: {"infogan.error": [1, 2, 3, 10][seed]}))
        # Median 2.5, mean 4, SD sqrt((9 + 4 + 1 + 36) / 3) = 4.08.
        assert found == (("infogan.error", ARM, "2.50", "4", "4.08", "1", "10", "4"),)

    def test_the_arms_of_a_figure_stand_together(self, study):
        both = measured(study, lambda seed: {"b.y": 1.0, "a.x": 2.0}, "baseline")
        found = own_figures(measured(both, lambda seed: {"b.y": 3.0, "a.x": 4.0}))
        expected = [("a.x", "baseline"), ("a.x", ARM), ("b.y", "baseline"), ("b.y", ARM)]
        assert [row[:2] for row in found] == expected

    def test_one_seed_has_no_spread_and_missing_ones_are_not_counted(self, study):
        (row,) = own_figures(
            measured(study, lambda seed: {"infogan.error": 2.0} if seed == 1 else {})
        )
        assert row[4:] == ("–", "2", "2", "1")

    def test_a_figure_of_one_pair_among_several_has_its_trick_s_note(self, study):
        noted = replace(
            study,
            metric_notes={
                "fid": "a distance",
                "adaptive_d.share": "of updates",
                "d.share": "of another",
                "ema.unused": "never measured",
            },
        )
        found = own_notes(noted, ["4x4.adaptive_d.share", "8x8.adaptive_d.share", "trained.fid"])
        assert found == (("adaptive_d.share", "of updates"),)

    def test_notes_stand_once_beside_the_figures_that_they_are_about(self, study, tmp_path):
        noted = replace(
            measured(study, lambda seed: {"adaptive_d.share": 0.5}),
            metric_notes={"diversity": "a ratio", "adaptive_d.share": "of `D`'s updates"},
        )
        page = write_report(noted, tmp_path).read_text()
        own, collapse = (section(page, name) for name in ("own", "collapse"))
        assert "<dd>of <code>D</code>&#39;s updates</dd>" in own
        assert "a ratio" in collapse
        assert "updates</dd>" not in collapse
        markdown = (tmp_path / "report.md").read_text()
        assert markdown.count("- **adaptive_d.share**: of") == 1


class TestPictures:
    def test_a_picture_is_enlarged_by_whole_multiples_and_no_larger_than_fits(self, shown):
        for columns, rows in ((10, 10), (3, 8), (40, 2), (2, 40), (1, 1)):
            picture = own_pictures(shown({"infogan.codes": grid(rows, columns)}))[0]
            width, height = columns * 9 - 1, rows * 9 - 1
            scale = max(1, min(SHOWN[0] // width, SHOWN[1] // height))
            assert (picture.sheet.width, picture.sheet.height) == (width * scale, height * scale)
            assert (len(picture.rows), len(picture.columns)) == (rows, columns)

    def test_one_larger_than_it_may_be_shown_is_reduced(self, shown):
        (picture,) = own_pictures(shown({"infogan.codes": grid(2, 10, 99, labels=False)}))
        # Cells of 99 pixels have gutters of 99 // 16: 1044 by 204 pixels.
        width, height = LARGEST[0], round(LARGEST[0] * 204 / 1044)
        assert (picture.sheet.width, picture.sheet.height) == (width, height)
        assert Image.open(io.BytesIO(picture.sheet.picture)).size == (width, height)

    @pytest.mark.parametrize(("channels", "value"), [(1, 0.0), (3, 0.0), (1, -1.0), (1, 1.0)])
    def test_gutters_stand_out_from_any_grey_and_from_either_page(self, shown, channels, value):
        images = torch.full((2, 3, channels, 32, 32), value)
        (picture,) = own_pictures(shown({"infogan.codes": Picture(images, "All alike")}))
        pixels = np.asarray(Image.open(io.BytesIO(picture.sheet.picture)).convert("RGB"))
        assert pixels.shape == (2 * 34 - 2, 3 * 34 - 2, 3)
        gutter = np.ones(pixels.shape[:2], bool)
        for row in range(2):
            for column in range(3):
                gutter[row * 34 : row * 34 + 32, column * 34 : column * 34 + 32] = False
        assert (pixels[gutter] == GUTTER).all()
        assert (pixels[~gutter] == round(127.5 * (value + 1))).all()
        # Grey has equal channels; black, white and both papers are far in lightness.
        assert max(GUTTER) - min(GUTTER) > 60
        assert 80 < sum(GUTTER) / 3 < 170

    def test_rows_that_were_not_written_are_told(self, shown):
        most = drawing.LARGEST[0] // 9
        (picture,) = own_pictures(shown({"infogan.codes": grid(most + 10, 3)}))
        total = most + 10
        here = len(picture.rows)
        assert here == most
        assert picture.caption == f"A grid. Shown: the first {here} of {total} rows."
        assert picture.sheet.height <= LARGEST[1]

    def test_pictures_that_are_large_together_lose_their_last_rows_and_say_so(self, shown):
        noisy = grid(12, 10, 48, channels=3, noise=True)
        found = own_pictures(shown({"infogan.a": noisy, "infogan.b": noisy}))
        assert 0 < sum(len(picture.sheet.picture) for picture in found) <= BUDGET
        for picture in found:
            kept = len(picture.rows)
            assert picture.caption == f"A grid. Shown: the first {kept} of 12 rows."
            image = Image.open(io.BytesIO(picture.sheet.picture))
            assert image.size == (10 * 51 - 3, kept * 51 - 3)
            # 48 pixels and a gutter of 48 // 16; the first cell, and one further on.
            cells = drawing.quantise(noisy.images).permute(0, 1, 3, 4, 2).numpy()
            pixels = np.asarray(image)
            np.testing.assert_array_equal(pixels[:48, :48], cells[0, 0])
            np.testing.assert_array_equal(pixels[51:99, 102:150], cells[1, 2])

    def test_pictures_that_do_not_fit_even_by_a_row_are_left_out_with_a_word(self, shown):
        noisy = grid(1, 7, 100, channels=3, noise=True)  # 210 kB, and noise does not compress
        found = own_pictures(shown({f"infogan.{name}": noisy for name in "abcd"}))
        assert [picture.sheet is not None for picture in found] == [True, False, False, False]
        assert all("Left out" in picture.caption for picture in found[1:])

    def test_titles_name_arm_seed_plugin_and_picture(self, shown):
        names = ("infogan.categories", f"{ARM}.one", "4x4.infogan.categories")
        results = shown(dict.fromkeys(names, grid()))
        seed = typical_seed(results)
        assert sorted(picture.title for picture in own_pictures(results)) == [
            f"{ARM}, seed {seed}: infogan, categories",
            f"{ARM}, seed {seed}: infogan, categories (4x4)",
            f"{ARM}, seed {seed}: one",
        ]

    def test_names_that_differ_in_a_dot_are_two_files(self, shown):
        names = ("a.b-c.d", "a-b.c.d", "a.b.c-d")
        found = own_pictures(shown(dict.fromkeys(names, grid())))
        assert len({picture.sheet.name for picture in found}) == 3
        assert all(re.fullmatch(r"[a-z0-9-]+", picture.sheet.name) for picture in found)

    @pytest.mark.parametrize(
        ("outcome", "reason"),
        [
            ("complete", "none was drawn"),
            ("diverged", "the trial diverged"),
            ("failed", "the trial failed"),
            ("pending", "the trial has not ended"),
        ],
    )
    def test_an_arm_without_a_picture_at_that_seed_says_why(self, shown, outcome, reason):
        results = shown({"infogan.a": grid(), "infogan.b": grid()})
        seed = typical_seed(results)
        trials = tuple(
            replace(trial, pictures={}, outcome=outcome)
            if (trial.arm, trial.seed) == (ARM, seed)
            else trial
            for trial in results.trials
        )
        (told,) = own_pictures(replace(results, trials=trials))
        assert (told.title, told.sheet) == (f"{ARM}, seed {seed}", None)
        assert told.caption == f"No picture of infogan.a, infogan.b: {reason}."

    def test_before_any_seed_of_the_baseline_has_ended_there_is_no_picture(self, shown):
        results = shown({"infogan.a": grid()})
        trials = tuple(
            replace(trial, outcome="pending") if trial.arm == "baseline" else trial
            for trial in results.trials
        )
        (told,) = own_pictures(replace(results, trials=trials))
        assert told.caption == "Not shown: no seed of the baseline has ended."

    @pytest.mark.parametrize(
        "labels", [None, "no JSON", "[]", "{}", '{"grid": 3}', '{"grid": [1, 1], "whole": null}']
    )
    def test_a_file_that_cannot_be_read_is_told_and_costs_no_report(self, shown, labels):
        results = shown({"infogan.a": grid()})
        (path,) = {p for trial in results.trials for p in trial.pictures.values()}
        if labels is None:
            path.write_bytes(b"\x89PNG")
        else:
            info = PngInfo()
            info.add_text("ganbench", labels)
            Image.new("L", (8, 8)).save(path, pnginfo=info)
        (told,) = own_pictures(results)
        assert told.caption == "No picture of infogan.a: the file cannot be read."


def section(page, name):
    return page.partition(f'<section id="{name}">')[2].partition("</section>")[0]


def rule(selector):
    """Return a rule of the style sheet, its declarations by property."""
    css = (TEMPLATES / "report.css").read_text()
    body = css.partition(f"\n{selector} {{")[2].partition("}")[0]
    pairs = (declaration.partition(":") for declaration in body.split(";"))
    return {key.strip(): value.strip() for key, _, value in pairs if value}


class TestPage:
    @pytest.fixture
    def results(self, shown):
        codes = replace(grid(10, 10, caption="Codes <b>"), row_labels=())
        return shown({"infogan.codes": codes, "lapgan.levels": grid(8, 3, 32)})

    def test_labels_and_image_share_one_grid_whose_column_is_the_image_s_width(
        self, results, tmp_path
    ):
        page = write_report(results, tmp_path).read_text()
        tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
        figures = [node for node in tree.iter("figure") if node.get("class") == "own"]
        assert len(figures) == 2
        for figure, (rows, columns) in zip(figures, [(0, 10), (8, 3)], strict=True):
            box, caption = list(figure)
            assert caption.tag == "figcaption"
            image = box.find("img")
            assert box.get("class") == f"grid w{image.get('width')}"
            assert f".w{image.get('width')} {{ --width: {image.get('width')}px; }}" in page
            strips = {strip.get("class"): list(strip) for strip in box.findall("div")}
            assert len(strips.get("rows", [])) == rows
            assert len(strips["columns"]) == columns
            for label in (label for strip in strips.values() for label in strip):
                assert label.get("title") == "".join(label.itertext())

    def test_the_style_gives_labels_the_image_s_place_and_nothing_the_labels_width(self):
        # Measured in a browser: strips and image agree to the pixel at 390 and at 1200.
        assert rule(".own .grid")["grid-template-columns"].endswith("minmax(0, var(--width))")
        columns, rows, image = (rule(f".own {name}") for name in (".columns", ".rows", "img"))
        assert (columns["grid-area"], image["grid-area"]) == ("1 / 2", "2 / 2")
        assert image["width"] == "100%"
        assert rows["grid-area"] == "2 / 1"
        # A strip of labels is divided evenly whatever they say, and makes no row higher.
        assert columns["grid-auto-columns"] == rows["grid-auto-rows"] == "minmax(0, 1fr)"
        assert (rows["height"], rows["min-height"]) == ("0", "100%")
        label = rule(".own .grid span")
        assert (label["min-width"], label["overflow"]) == ("0", "hidden")

    def test_what_the_note_calls_code_is_code(self, results, tmp_path):
        own = section(write_report(results, tmp_path).read_text(), "own")
        assert "<code>trained.</code>" in own
        assert "`" not in own

    def test_markdown_ends_a_caption_before_the_labels(self, results, tmp_path):
        write_report(results, tmp_path)
        text = (tmp_path / "report.md").read_text()
        columns = " · ".join(f"column {place}" for place in range(10))
        assert f"\nCodes &lt;b&gt;. Columns: {columns}.\n" in text
        assert "\nA grid. Rows: row 0 · row 1" in text

    def test_the_markdown_s_pictures_are_files_of_the_size_shown(self, results, tmp_path):
        write_report(results, tmp_path)
        files = sorted((tmp_path / "figures").glob("own-*.png"))
        assert [file.name for file in files] == [
            "own-01-00-infogan-codes.png",
            "own-01-01-lapgan-levels.png",
        ]
        with Image.open(files[0]) as image:
            assert image.size == (89 * 5, 89 * 5)
        text = (tmp_path / "report.md").read_text()
        assert all(f"(figures/{file.name})" in text for file in files)

    def test_a_missing_picture_is_a_sentence_in_page_and_markdown(self, shown, tmp_path):
        results = shown({"infogan.a": grid()}, seeds=())
        other = next(s for s in range(4) if s != typical_seed(results))
        page = write_report(shown({"infogan.a": grid()}, seeds=(other,)), tmp_path).read_text()
        told = "No picture of infogan.a: none was drawn."
        assert told in section(page, "own")
        assert told in (tmp_path / "report.md").read_text()
        assert not list((tmp_path / "figures").glob("own-*"))

    def test_the_contents_lead_to_what_the_plugins_show(self, results, tmp_path):
        page = write_report(results, tmp_path).read_text()
        contents = page.partition("<nav")[2].partition("</nav>")[0]
        assert '<a href="#own">What the plugins show</a>' in contents

    def test_without_anything_of_their_own_there_is_no_section(self, study, tmp_path):
        page = write_report(study, tmp_path).read_text()
        assert 'id="own"' not in page
        assert "#own" not in page
        assert "What the plugins show" not in (tmp_path / "report.md").read_text()

    def test_hostile_labels_are_escaped(self, shown, tmp_path):
        bad = '"><script>x()</script>'
        hostile = Picture(torch.zeros(1, 1, 1, 8, 8), bad, (bad,), (bad,))
        page = write_report(shown({"infogan.a": hostile}), tmp_path).read_text()
        assert "<script" not in page
        outside_code = re.sub(r"```.*?```", "", (tmp_path / "report.md").read_text(), flags=re.S)
        assert "<script" not in outside_code
