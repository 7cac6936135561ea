import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench.evaluation.pictures import LARGEST, own_picture, sample_sheet
from ganbench.plugin import Data, Picture


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


class TestPlugins:
    """Pictures of plugins' own."""

    @pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
    def test_cells_stand_in_rows_and_columns_one_pixel_apart(self, channels, mode):
        draws = torch.Generator().manual_seed(0)
        bytes_ = torch.randint(256, (2, 3, channels, 4, 5), generator=draws)
        picture = read(own_picture(Picture(bytes_ / 127.5 - 1, "six")))
        assert (picture.mode, picture.size) == (mode, (3 * 6 - 1, 2 * 5 - 1))
        pixels = np.asarray(picture).reshape(9, 17, channels)
        np.testing.assert_array_equal(pixels[5:9, 12:17], bytes_[1, 2].permute(1, 2, 0).numpy())
        assert (pixels[4] == 128).all()
        assert (pixels[:, 5] == 128).all()

    def test_caption_and_labels_are_inside(self):
        picture = Picture(torch.zeros(2, 3, 1, 4, 4), "six", ("a", "b"), ("1", "2", "3"))
        assert json.loads(read(own_picture(picture)).info["ganbench"]) == {
            "caption": "six",
            "rows": ["a", "b"],
            "columns": ["1", "2", "3"],
            "grid": [2, 3],
            "whole": [2, 3],
        }

    def test_a_grid_that_is_too_large_loses_its_last_rows_and_columns_with_their_labels(self):
        rows, columns = LARGEST[0] // 10, LARGEST[1] // 50
        labels = tuple(map(str, range(rows + 7))), tuple(map(str, range(columns + 3)))
        images = torch.zeros(rows + 7, columns + 3, 1, 9, 49)
        picture = read(own_picture(Picture(images, "many", *labels)))
        assert picture.size == (columns * 50 - 1, rows * 10 - 1)
        told = json.loads(picture.info["ganbench"])
        assert (told["grid"], told["whole"]) == ([rows, columns], [rows + 7, columns + 3])
        assert told["rows"] == list(labels[0][:rows])
        assert told["columns"] == list(labels[1][:columns])

    def test_one_cell_is_shown_however_large_it_is(self):
        images = torch.zeros(2, 2, 1, LARGEST[0] + 80, LARGEST[1] + 60)
        assert read(own_picture(Picture(images, "big"))).size == (LARGEST[1] + 60, LARGEST[0] + 80)
