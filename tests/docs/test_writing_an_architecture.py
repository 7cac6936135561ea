"""docs/writing-an-architecture.md, run from top to bottom; and what it says of two pairs."""

import pytest
import torch
from docs_page import DOCS, blocks
from docs_session import Session

from ganbench.plugin import HALVES, Host
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import Trial

BLOCKS = blocks((DOCS / "writing-an-architecture.md").read_text())


@pytest.mark.slow
def test_files_and_commands_work_as_they_stand(tmp_path):
    session = Session(tmp_path)
    assert session.follow(BLOCKS) == 5
    for study, arm in (("my-networks", "shallow"), ("my-stages", "coarse-to-fine")):
        rows = session.rows(f"{study}-quick")
        assert {row["outcome"] for row in rows} == {"complete"}
        assert any(arm in row["arm"] for row in rows)
    page = (tmp_path / "reports" / "my-stages-quick" / "report.md").read_text()
    assert "what the coarse pair draws, and what becomes of it" in page


@pytest.fixture
def two_stages(tmp_path):
    """A trial of the page's two pairs on images of 28 by 28."""
    (text,) = (block.text for block in BLOCKS if block.title == "coarse_to_fine.py")
    (tmp_path / "coarse_to_fine.py").write_text(text)
    host = Host([tmp_path / "coarse_to_fine.py"])
    config = tiny_config({}, "coarse-to-fine", {"width": 4, "hidden": 8}, steps=2)
    return Trial(config, 0, tiny_data((1, 28, 28)), host, torch.device("cpu"))


def test_the_two_pairs_see_what_the_page_says(two_stages):
    coarse, fine = two_stages.pairs
    indices = torch.arange(3)
    small, nothing = coarse.context.real_batch(indices)
    large, condition = fine.context.real_batch(indices)
    assert (small.shape, nothing) == ((3, 1, 14, 14), None)
    assert large.shape == condition.shape == (3, 1, 28, 28)
    torch.testing.assert_close(small[:, :, 0, 0], large[:, :, :2, :2].mean((2, 3)))
    assert torch.equal(condition[:, :, :2, :2], small[:, :, :1, :1].expand(3, 1, 2, 2))
    assert fine.context.spec.latent.dimension == 28 * 28


def test_two_steps_train_both_pairs_and_samples_and_pictures_are_of_both(two_stages):
    before = weights(two_stages)
    two_stages.advance(2)
    changed = differing(before, weights(two_stages))
    assert {tuple(name.split(".")[:2]) for name in changed} == {
        (pair, half) for pair in ("coarse", "fine") for half in HALVES
    }
    assert two_stages.sample(5).shape == (5, 1, 28, 28)
    (picture,) = two_stages.pictures().values()
    assert picture.images.shape == (8, 2, 1, 28, 28)
    blocks_of_coarse = picture.images[:, 0].unfold(2, 2, 2).unfold(3, 2, 2).flatten(-2)
    assert (blocks_of_coarse == blocks_of_coarse[..., :1]).all()
