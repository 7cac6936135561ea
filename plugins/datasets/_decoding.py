"""From an image file of any size and mode to one square uint8 image."""

import functools
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:  # Pillow is imported where it is used: not every run decodes images
    from PIL import Image

Fit = Literal["crop", "pad", "stretch"]
Background = Literal["white", "black"]
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP")
"""Plain raster formats: some of Pillow's others start programs."""
MOST_PIXELS = 89_478_485
"""More is taken for a decompression bomb: Pillow's own limit, a quarter of a GB in RGB."""
THREADED_BYTES = 1 << 15
"""Mean size of files from which on decoding outweighs the interpreter's lock."""


class UnusableImageError(Exception):
    """A sound file whose content has no meaning as 8-bit grey or colour."""


def decode(
    path: Path, size: int, channels: int, fit: Fit = "crop", background: Background = "white"
) -> np.ndarray:
    """Read one image file; of an animation, the first frame.

    In this order: the EXIF orientation is applied; 16-bit grey is scaled to 8 (v / 257,
    rounded); transparency is laid over the background; palette, CMYK and the like become RGB,
    or grey by ITU-R 601-2 luma; the image is fitted and resized with Lanczos' filter, widened
    when it shrinks (antialiasing). Colour profiles are not applied.

    A JPEG file that is far larger than needed is decoded at a half, a quarter or an eighth of
    its size, but to no less than twice ``size``: the filter does the rest.

    Parameters
    ----------
    path : Path
    size : int
    channels : {1, 3}
    fit : {"crop", "pad", "stretch"}
        Keep the central square; keep all and fill up with the background; or distort.
    background : {"white", "black"}

    Returns
    -------
    ndarray, shape (channels, size, size), uint8

    Raises
    ------
    Exception
        Of any type: Pillow's decoders raise a dozen kinds for damaged files.
    """
    from PIL import Image, ImageOps

    with Image.open(path, formats=_formats()) as image:
        if image.width * image.height > MOST_PIXELS:
            raise UnusableImageError(f"{image.width}×{image.height} pixels are too many")
        image.draft(None, (2 * size, 2 * size))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        mode: Literal["L", "RGB"] = "L" if channels == 1 else "RGB"
        square = _fitted(_flattened(image, mode, background), size, fit, background)
        pixels = np.asarray(square, dtype=np.uint8)
    return pixels.reshape(size, size, channels).transpose(2, 0, 1)


def decode_all(
    paths: Sequence[Path], size: int, channels: int, fit: Fit, background: Background
) -> Iterator[np.ndarray | str]:
    """Yield, in order, each image as ``decode`` gives it, or why it cannot be had."""

    def attempt(path: Path) -> np.ndarray | str:
        try:
            return decode(path, size, channels, fit, background)
        except Exception as error:  # see decode: any type, and the next file may be sound
            text = str(error).replace(str(path), path.name)
            return f"{type(error).__name__}: {text}" if text else type(error).__name__

    if _mean_bytes(paths) < THREADED_BYTES:
        yield from map(attempt, paths)
    else:
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            yield from pool.map(attempt, paths)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Keep Pillow's warnings and log to itself: what it complains of and can read is read."""
    logger = logging.getLogger("PIL")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return those of ``FORMATS`` that the installed Pillow can read."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _flattened(
    image: "Image.Image", mode: Literal["L", "RGB"], background: Background
) -> "Image.Image":
    """Return an 8-bit image in ``mode``, without transparency."""
    from PIL import Image

    if image.mode == "F":
        raise UnusableImageError("floating-point pixels have no fixed range")
    if image.mode.startswith("I"):
        image = _from_16_bit(image)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGBA", layer.size, background)
        image.alpha_composite(layer)
    return image.convert(mode)


def _from_16_bit(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise UnusableImageError("32-bit pixels have no fixed range")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _fitted(image: "Image.Image", size: int, fit: Fit, background: Background) -> "Image.Image":
    from PIL import Image

    width, height = image.size
    resample = Image.Resampling.LANCZOS
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        return image.resize((size, size), resample, box=(left, top, left + side, top + side))
    if fit == "stretch":
        return image.resize((size, size), resample)
    scale = size / max(width, height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    square = Image.new(image.mode, (size, size), background)
    square.paste(image.resize(inner, resample), ((size - inner[0]) // 2, (size - inner[1]) // 2))
    return square


def _mean_bytes(paths: Sequence[Path]) -> float:
    """Return the mean size of a few files, evenly chosen."""
    some = paths[:: max(1, len(paths) // 64)]
    sizes = [path.stat().st_size for path in some if path.exists()]
    return sum(sizes) / len(sizes) if sizes else 0.0
