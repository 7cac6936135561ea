"""docs/writing-a-trick.md, run from top to bottom in an empty folder, each half on its own."""

import pytest
from docs_page import DOCS, Block, blocks
from docs_session import Session

SECOND_HALF = "## A trick with a schedule"


def halves() -> tuple[list[Block], list[Block]]:
    first, second = (DOCS / "writing-a-trick.md").read_text().split(SECOND_HALF)
    return blocks(first), blocks(second)


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1], ids=["first trick", "other plugins"])
def test_files_and_commands_work_as_they_stand(tmp_path, half):
    session = Session(tmp_path)
    assert session.follow(halves()[half]) == (16, 3)[half]
    rows = session.rows(("my-study-quick", "my-parts-quick")[half])
    assert {row["outcome"] for row in rows} == {"complete"}
    others = {"fading_blur", "latent_regression", "r1_penalty", "top_k"}
    mine = ({"label_flipping"}, others)[half]
    assert mine <= {row["arm"].split()[0] for row in rows}
    assert half == 0 or all(float(row["final_brightness_gap"]) >= 0 for row in rows)


def test_the_study_on_the_page_has_as_many_lines_as_it_says():
    (study,) = (block for block in halves()[0] if block.title == "my_study.yaml")
    assert len(study.text.splitlines()) == 5
