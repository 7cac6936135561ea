"""Samples as files that other programs read: a folder of PNGs, or an npz file."""

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from torch import Tensor

from ganbench.plugin import GanbenchError, Progress

Format = Literal["png", "npz"]
ABOUT = "ganbench.json"
"""What tells where samples come from, in a folder of PNGs."""
REPORT_EVERY = 500


def write_samples(
    items: Tensor, path: Path, kind: Format, about: Mapping[str, Any], progress: Progress
) -> Path:
    """Write samples, and beside them, as JSON, what they are.

    Parameters
    ----------
    items : Tensor, shape (items, *shape)
        uint8 images or, as npz only, float32 points.
    path : Path
        A new or empty folder; for ``npz`` a new file, to whose name ``.npz`` is added if need be.
    kind : {"png", "npz"}
        PNGs are grey or RGB, numbered; the npz holds ``arr_0``: images (items, height, width,
        channels) in uint8, or points.
    about : mapping
    progress : callable

    Returns
    -------
    Path
        The folder, or the file.

    Raises
    ------
    GanbenchError
        If something is there already, points are to be PNGs, or the disk fails.
    """
    path = check_place(path, kind, items.ndim == 4)
    try:
        if kind == "png":
            _write_pngs(items, path, progress)
            _write_whole(path / ABOUT, json.dumps(about, indent=1, ensure_ascii=False).encode())
        else:
            _write_npz(items, path)
            beside = path.with_name(f"{path.name}.json")
            _write_whole(beside, json.dumps(about, indent=1, ensure_ascii=False).encode())
    except OSError as error:
        raise GanbenchError(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def check_place(path: Path, kind: Format, are_images: bool) -> Path:
    """Return where samples go, once it is sure that they may; raises as ``write_samples``."""
    if kind == "png":
        if not are_images:
            raise GanbenchError("points make no PNGs; --format npz writes them")
        if path.suffix == ".npz":
            raise GanbenchError(
                f"{path}: is the name of a file, and PNGs go into a folder; --format npz writes it"
            )
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise GanbenchError(
                f"{path}: is there already, and other programs would take what is in it for "
                "samples too; --to names another place"
            )
        return path
    path = path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")
    if path.exists():
        raise GanbenchError(f"{path}: is there already; --to names another place")
    return path


def _write_pngs(images: Tensor, folder: Path, progress: Progress) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    digits = len(str(len(images) - 1))
    for index, image in enumerate(images.cpu()):
        if index % REPORT_EVERY == 0:
            progress("writing images", index, len(images))
        pixels = image.permute(1, 2, 0).numpy()
        picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        picture.save(folder / f"{index:0{digits}}.png")
    progress("writing images", len(images), len(images))


def _write_npz(items: Tensor, path: Path) -> None:
    values = items.cpu()
    if values.ndim == 4:
        values = values.permute(0, 2, 3, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".incomplete-")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, values.contiguous().numpy())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write_whole(path: Path, content: bytes) -> None:
    path.write_bytes(content)
