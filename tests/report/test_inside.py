"""What the networks have learned, in a report: arm beside arm, or the reason, and explained."""

from dataclasses import replace

import html5lib
import pytest
import torch
from synthetic_study import build_study

from ganbench.evaluation.pictures import own_picture
from ganbench.plugin import Picture
from ganbench.report import inside as inside_module
from ganbench.report import write_report
from ganbench.report.inside import OPEN, inside_sections
from ganbench.report.sheets import typical_seed

WALKS = {"title": "Walks between latents", "note": "Each walk `leads` from *a* to b & c."}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    found = build_study(tmp_path_factory.mktemp("samples"), seeds=4, arms=9)
    return replace(found, inspections={"walks": WALKS, "features": {"title": "F", "note": "n"}})


def applying(study):
    return [arm.name for arm in study.arms if arm.skipped is None]


@pytest.fixture
def shown(study, tmp_path):
    """Return a function that gives the trials pictures and reasons: of each arm, by its name."""

    def shown(names, details=None, study=study):
        drawn = own_picture(Picture(torch.zeros(4, 3, 1, 8, 8), "A grid", tuple("wxyz")))
        (tmp_path / "one.png").write_bytes(drawn)

        def seen(trial):
            inspected = dict.fromkeys(names(trial.arm), tmp_path / "one.png")
            told = {"not_shown": (details or (lambda arm: {}))(trial.arm)}
            return replace(trial, inspected=inspected, details=told)

        return replace(study, trials=tuple(map(seen, study.trials)))

    return shown


def test_arms_stand_side_by_side_at_the_baselines_typical_seed(shown, study, tmp_path):
    walks, features = inside_sections(shown(lambda arm: ["walks.w", "features.a", "features.b"]))
    arms = applying(study)
    assert (walks.title, walks.note) == (WALKS["title"], WALKS["note"])
    assert [picture.title for picture in walks.pictures] == arms
    wanted = [f"{arm}: {name}" for arm in arms for name in "ab"]
    assert [picture.title for picture in features.pictures] == wanted
    # Several of an arm stand in a row of their own, and what is shown at once ends with one.
    assert [[p.arm for p in row] for row in features.rows] == [[arm, arm] for arm in arms]
    assert [len(features.open), len(features.folded)] == [OPEN // 2, len(arms) - OPEN // 2]
    seed = f"seed {typical_seed(study)}"
    assert all(seed in picture.sheet.alternative for picture in walks.pictures)
    assert walks.pictures[0].rows == tuple("wxyz")
    files = [picture.sheet.name for part in (walks, features) for picture in part.pictures]
    assert len(set(files)) == 3 * len(arms)


def test_arms_without_a_picture_stand_with_their_reason(shown, study):
    mlp = {"features": "the discriminator is not convolutional"}
    found = shown(
        lambda arm: ["walks.w"] if arm == "baseline" else [],
        lambda arm: mlp if arm == "baseline" else {},
    )
    walks, features = inside_sections(found)
    others = ", ".join(applying(study)[1:])
    assert walks.missing == (f"{others}: none was drawn",)
    assert features.missing[0] == "baseline: the discriminator is not convolutional"
    assert features.pictures == ()


def test_what_does_not_apply_to_the_data_is_said_once(shown, study):
    left = {**study.inspections, "sums": {"title": "S", "note": "n", "left_out": "no labels"}}
    found = inside_sections(shown(lambda arm: ["walks.w"], study=replace(study, inspections=left)))
    assert found[2].missing == ("any arm: no labels",)


def test_a_study_that_inspects_nothing_has_no_section(shown, study, tmp_path):
    for none in (study, shown(lambda arm: []), replace(study, inspections={})):
        assert inside_sections(none) == ()
    write_report(study, tmp_path)
    assert "Looking inside" not in (tmp_path / "index.html").read_text()
    assert "Looking inside" not in (tmp_path / "report.md").read_text()


def test_the_page_explains_once_shows_a_few_and_folds_the_rest(shown, study, tmp_path):
    count = len(applying(study))
    write_report(shown(lambda arm: ["walks.w"]), tmp_path)
    page = (tmp_path / "index.html").read_text()
    html5lib.HTMLParser(strict=True).parse(page)
    section = page[page.index('<section id="inside">') : page.index('<section id="collapse">')]
    assert section.count("Each walk <code>leads</code> from <em>a</em> to b &amp; c.") == 1
    first, folded = section.split("<details>")
    assert first.count("<img") == OPEN
    assert folded.count("<img") == count - OPEN
    assert f"<summary>{count - OPEN} more</summary>" in folded
    text = (tmp_path / "report.md").read_text()
    assert text.count("### Walks between latents") == 1
    assert text.count("figures/inside-walks-") == count
    assert len(list((tmp_path / "figures").glob("inside-walks-*.png"))) == count


def test_pictures_that_are_large_together_lose_rows(shown, monkeypatch):
    small = inside_sections(shown(lambda arm: ["walks.w"]))[0].pictures
    whole = sum(len(picture.sheet.picture) for picture in small)
    monkeypatch.setattr(inside_module, "BUDGET", whole - 1)
    cut = inside_sections(shown(lambda arm: ["walks.w"]))[0].pictures
    assert {picture.rows for picture in cut} < {tuple("wx"), ("w",)}
    assert "Shown: the first" in cut[0].caption
