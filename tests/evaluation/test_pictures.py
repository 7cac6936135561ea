import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench.evaluation.pictures import sample_sheet
from ganbench.plugin import Data


def read(png):
    return Image.open(io.BytesIO(png))


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_a_sheet_holds_64_tiles_row_by_row(channels, mode):
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(256, (70, channels, 8, 12), generator=draws, dtype=torch.uint8)
    picture = read(sample_sheet(images, Data("x", images)))
    assert picture.mode == mode
    assert picture.size == (8 * 12, 8 * 8)
    pixels = np.asarray(picture).reshape(64, 96, channels)
    # Tile 10 is the third of the second row.
    tile = pixels[8:16, 24:36]
    np.testing.assert_array_equal(tile, images[10].permute(1, 2, 0).numpy())


def test_missing_tiles_stay_black():
    images = torch.full((3, 1, 8, 8), 255, dtype=torch.uint8)
    pixels = np.asarray(read(sample_sheet(images, Data("x", images))))
    assert pixels.sum() == 3 * 64 * 255


def test_points_lie_where_a_plot_has_them():
    data = Data("x", torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    pixels = np.asarray(read(sample_sheet(torch.tensor([[0.0, 1.0]]), data)))
    assert pixels.shape == (256, 256)
    (row,), (column,) = np.nonzero(pixels < 255)
    # Limits are -0.15 to 1.15: x = 0 is at 0.115 from the left, y = 1 as far from the top.
    assert column == pytest.approx(0.115 * 256, abs=1)
    assert row == pytest.approx(0.115 * 256, abs=1)


def test_points_outside_the_limits_or_not_finite_are_left_out():
    data = Data("x", torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    points = torch.tensor([[9.0, 9.0], [float("nan"), 0.5]])
    assert np.asarray(read(sample_sheet(points, data))).min() == 255


def test_points_of_one_dimension_make_a_strip():
    data = Data("x", torch.tensor([[0.0], [1.0]]))
    pixels = np.asarray(read(sample_sheet(torch.tensor([[0.0], [1.0]]), data)))
    assert (pixels < 255).sum() == 2


def test_the_same_samples_give_the_same_bytes(digits):
    assert sample_sheet(digits.items, digits) == sample_sheet(digits.items.clone(), digits)
