"""Pictures of samples: a sheet of images, or points over the density of the data."""

import io
import json

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from ganbench.data.images import quantise
from ganbench.evaluation.scatter import POINTS, scatter
from ganbench.plugin import Data, Picture

TILES = 8
"""Tiles a side of a sheet."""
LABELS = "ganbench"
"""Key of the text in a plugin's picture that holds its caption and labels, as JSON."""
LARGEST = (1920, 1440)
"""Pixels down and across that the cells of a plugin's picture may fill; one cell always may."""


def shown(data: Data) -> int:
    """Return how many samples a picture is of."""
    return TILES**2 if data.is_image else POINTS


def sample_sheet(items: Tensor, data: Data) -> bytes:
    """Return a PNG of samples: the same bytes for the same samples.

    Parameters
    ----------
    items : Tensor, shape (items, *shape)
        uint8 images: the first 64 become 8 by 8 tiles, without gaps, at native resolution,
        and tiles without an image stay black. Points: all become dots over the density of
        the data (`scatter`).
    data : Data
        What the samples are to be like.
    """
    picture = _tiles(items) if data.is_image else scatter(items, data)
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return file.getvalue()


def own_picture(picture: Picture) -> bytes:
    """Return a plugin's picture as a PNG: a grid at native resolution, its labels inside.

    Cells are one pixel apart, in mid-grey. Of a grid larger than ``LARGEST`` the last columns
    and rows are left out; the text inside tells how many there are of how many.
    """
    channels, height, width = picture.images.shape[2:]
    whole = tuple(picture.images.shape[:2])
    sizes = zip(whole, LARGEST, (height, width), strict=True)
    rows, columns = (max(1, min(n, (most + 1) // (side + 1))) for n, most, side in sizes)
    images = quantise(picture.images[:rows, :columns].flatten(0, 1)).cpu()
    sheet = torch.full((rows * (height + 1) - 1, columns * (width + 1) - 1, channels), 128).byte()
    for index, image in enumerate(images):
        y, x = (index // columns) * (height + 1), (index % columns) * (width + 1)
        sheet[y : y + height, x : x + width] = image.permute(1, 2, 0)
    pixels = sheet.numpy()
    labels = {
        "caption": picture.caption,
        "rows": picture.row_labels[:rows],
        "columns": picture.column_labels[:columns],
        "grid": (rows, columns),
        "whole": whole,
    }
    info = PngInfo()
    info.add_text(LABELS, json.dumps(labels))
    file = io.BytesIO()
    drawn = Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
    drawn.save(file, format="PNG", optimize=True, pnginfo=info)
    return file.getvalue()


def _tiles(images: Tensor) -> Image.Image:
    channels, height, width = images.shape[1:]
    sheet = torch.zeros(TILES * TILES, channels, height, width, dtype=torch.uint8)
    shown = images[: TILES * TILES].cpu()
    sheet[: len(shown)] = shown
    rows = sheet.view(TILES, TILES, channels, height, width).permute(0, 3, 1, 4, 2)
    pixels = rows.reshape(TILES * height, TILES * width, channels).numpy()
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)
