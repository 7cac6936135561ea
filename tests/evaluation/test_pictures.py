import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench.evaluation.pictures import LARGEST, own_picture, sample_sheet, shown
from ganbench.evaluation.scatter import DOT, FOUND, GROUND, LEAST_MARK, MISSED, SIDE
from ganbench.plugin import Centres, Data, Picture


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


def colours(picture, colour):
    """Return the rows and columns of the pixels of a colour."""
    return np.nonzero((np.asarray(picture) == colour).all(axis=2))


def test_points_lie_where_a_plot_has_them():
    data = Data("x", torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    picture = read(sample_sheet(torch.tensor([[0.0, 1.0]]), data))
    assert (picture.mode, picture.size) == ("RGB", (SIDE, SIDE))
    rows, columns = colours(picture, DOT)
    # Limits are -0.15 to 1.15: x = 0 is at 0.115 from the left, y = 1 as far from the top.
    assert columns.mean() == pytest.approx(0.115 * SIDE, abs=2)
    assert rows.mean() == pytest.approx(0.115 * SIDE, abs=2)


def test_the_data_are_the_ground_that_points_lie_on():
    data = Data("x", torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]]))
    pixels = np.asarray(read(sample_sheet(torch.empty(0, 2), data)))
    rows, columns = np.nonzero((pixels != 255).any(axis=2))
    near, far = 0.115 * SIDE, 0.885 * SIDE
    places = sorted(zip(columns.tolist(), rows.tolist(), strict=True))
    for place, expected in zip(places, [(near, far), (far, near), (far, far)], strict=True):
        assert place == pytest.approx(expected, abs=2)


def test_where_the_data_are_dense_the_ground_is_darker():
    often = torch.tensor([[0.0, 0.0]]).repeat(500, 1)
    data = Data("x", torch.cat([often, torch.tensor([[1.0, 1.0]])]))
    levels = np.asarray(read(sample_sheet(torch.empty(0, 2), data))).sum(axis=2)
    low, high = int(0.115 * SIDE), int(0.885 * SIDE)
    assert levels[high - 1 : high + 2, low - 1 : low + 2].min() == sum(GROUND)
    assert sum(GROUND) < levels[low - 1 : low + 2, high - 1 : high + 2].min() < 3 * 255


def test_points_outside_the_limits_or_not_finite_are_left_out():
    data = Data("x", torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    points = torch.tensor([[9.0, 9.0], [float("nan"), 0.5]])
    assert len(colours(read(sample_sheet(points, data)), DOT)[0]) == 0


def test_points_of_one_dimension_make_a_strip():
    data = Data("x", torch.tensor([[0.0], [1.0]]))
    rows, _ = colours(read(sample_sheet(torch.tensor([[0.0], [1.0]]), data)), DOT)
    assert len(np.unique(rows)) == 2
    assert len(rows) == 8  # two dots of two by two


def mixture(dimensions=2):
    centres = torch.zeros(3, dimensions)
    centres[:, 0] = torch.tensor([0.0, 1.0, 2.0])
    centres[2, 1] = 1.0
    return Data(
        "x", centres.clone(), torch.arange(3), ("a", "b", "c"), centres=Centres(centres, 0.05)
    )


@pytest.mark.parametrize("dimensions", [2, 20])
def test_a_mode_that_is_found_has_a_ring_and_one_that_is_missed_a_cross(dimensions):
    data = mixture(dimensions)
    points = data.centres.points[:2].clone()
    points[1, 0] += 1.0  # far from the second, and not of the third
    picture = read(sample_sheet(points, data))
    rows, columns = colours(picture, FOUND)
    # Limits are -0.3 to 2.3: the first mode is at 0.115 from the left and bottom.
    x, y = 0.3 / 2.6 * SIDE, 0.885 * SIDE
    assert (columns.mean(), rows.mean()) == pytest.approx((x, y), abs=2)
    # Its ring is three deviations wide, whatever the dimension: it is seen in two.
    assert (columns.max() - columns.min()) / 2 == pytest.approx(0.15 / 2.6 * SIDE, abs=2)
    rows, columns = colours(picture, MISSED)
    for x, y in ((1.3 / 2.6, 0.885), (2.3 / 2.6, 0.115)):
        near = (abs(columns - x * SIDE) < 40) & (abs(rows - y * SIDE) < 80)
        assert (columns[near].mean(), rows[near].mean()) == pytest.approx(
            (x * SIDE, y * SIDE), abs=2
        )


def test_a_mode_smaller_than_its_mark_is_marked_all_the_same():
    small = mixture()
    data = Data("x", small.items, small.labels, small.classes, Centres(small.items, 1e-6))
    rows, _ = colours(read(sample_sheet(data.items[:1], data)), FOUND)
    assert rows.max() - rows.min() == pytest.approx(2 * LEAST_MARK, abs=2)


def test_a_picture_of_points_is_of_as_many_as_the_published_counts(digits):
    assert shown(mixture()) == 2500
    assert shown(digits) == 64


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
