"""Loading a data set by name, checking what a plugin gave, and naming it by its hash."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
import torch
from pydantic import ValidationError
from torch import Tensor

from ganbench.plugin import Data, DataError, Host, Progress
from ganbench.plugin.parameters import describe_invalid

ROOT_VARIABLE = "GANBENCH_DATA"
SMALLEST, LARGEST = 8, 64


def data_root() -> Path:
    """Return where data sets are kept: ``$GANBENCH_DATA``, or the user's cache folder."""
    chosen = os.environ.get(ROOT_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("ganbench")) / "data"


def load_data(
    name: str,
    parameters: Mapping[str, Any],
    host: Host,
    root: Path | None = None,
    progress: Progress | None = None,
) -> Data:
    """Load a data set whole and check it.

    Parameters
    ----------
    name : str
        A registered data set.
    parameters : mapping
        Its parameters, as in the study file.
    host : Host
    root : Path, optional
        Where data are kept; ``data_root()`` if not given.
    progress : callable, optional
        Told of downloads and of decoding.

    Raises
    ------
    UnknownPluginError
        If no data set has that name.
    DataError
        If a parameter is wrong, the data cannot be had, or the plugin gave no valid data.
    """
    registered = host.find("dataset", name)
    try:
        dataset = host.create("dataset", name, parameters)
    except ValidationError as error:
        raise DataError(
            f"the data set {name!r} does not take these parameters: {describe_invalid(error)}"
        ) from None
    root = data_root() if root is None else root
    if root.exists() and not root.is_dir():
        raise DataError(
            f"the data root {root} is a file, not a folder; set {ROOT_VARIABLE} to a folder"
        )
    data: Data = dataset.load(root, progress or _quiet)
    problem = find_problem(data)
    if problem is not None:
        raise DataError(
            f"the data set plugin {name!r} of {registered.source} gave unusable data: {problem}"
        )
    return data


def find_problem(data: Any) -> str | None:
    """Return what is wrong with a data set, None if nothing is."""
    if not isinstance(data, Data):
        return f"load() returned a {type(data).__name__}, expected a ganbench.plugin.Data"
    return (
        _items_problem(data.items)
        or _labels_problem(data)
        or _centres_problem(data)
        or _stack_problem(data)
        or _held_out_problem(data)
    )


def data_hash(data: Data) -> str:
    """Return 16 hexadecimal digits that stand for the items, their shape and the labels.

    The first half of a SHA-256; names and notes do not enter, what is stacked does.
    """
    digest = hashlib.sha256()
    for tensor in (data.items, data.labels):
        if tensor is None:
            digest.update(b"none;")
            continue
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().data)
    if data.stacked_from is not None:
        digest.update(data_hash(data.stacked_from).encode())
    return digest.hexdigest()[:16]


def _items_problem(items: Any) -> str | None:
    if not isinstance(items, Tensor):
        return f"items are a {type(items).__name__}, expected a tensor"
    shape = tuple(items.shape)
    if items.ndim not in (2, 4):
        return (
            f"items have shape {shape}, expected (items, channels, height, width) for images or "
            "(items, dimensions) for points"
        )
    if items.shape[0] < 2:
        return f"there are {items.shape[0]} items, expected at least 2"
    if items.ndim == 2:
        return _points_problem(items)
    if items.dtype != torch.uint8:
        return f"images are {items.dtype}, expected torch.uint8 in 0 to 255"
    channels, height, width = shape[1:]
    if channels not in (1, 3):
        last = shape[3] in (1, 3) and channels == height
        hint = "; channels come first, so `items.permute(0, 3, 1, 2)`" if last else ""
        return f"images have {channels} channels (shape {shape}), expected 1 or 3{hint}"
    if height != width or not SMALLEST <= height <= LARGEST:
        return f"images are {height}×{width}, expected square ones of {SMALLEST} to {LARGEST}"
    low, high = (int(value) for value in items.aminmax())
    if high <= 1:
        # Images meant for [0, 1], or black ones: nobody could see either.
        return f"images run from {low} to {high}, expected grey levels of 0 to 255"
    return None


def _points_problem(points: Tensor) -> str | None:
    if points.dtype != torch.float32:
        return f"points are {points.dtype}, expected torch.float32"
    if points.shape[1] < 1:
        return "points have no coordinate, expected at least 1"
    bad = int((~points.isfinite()).any(dim=1).sum())
    if bad:
        return f"{bad} points are not finite"
    return None


def _labels_problem(data: Data) -> str | None:
    labels, classes = data.labels, data.classes
    if labels is None:
        return f"there are {len(classes)} classes but no labels" if classes else None
    if not isinstance(labels, Tensor) or labels.dtype != torch.int64:
        kind = labels.dtype if isinstance(labels, Tensor) else type(labels).__name__
        return f"labels are {kind}, expected torch.int64"
    if tuple(labels.shape) != (len(data.items),):
        return f"labels have shape {tuple(labels.shape)}, expected ({len(data.items)},)"
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= len(classes):
        return (
            f"labels run from {low} to {high}, expected 0 to {len(classes) - 1} for the "
            f"{len(classes)} classes"
        )
    if len(set(classes)) != len(classes):
        return f"two classes have the same name among {list(classes)}"
    return None


def _centres_problem(data: Data) -> str | None:
    if data.centres is None:
        return None
    expected = (len(data.classes), *data.shape)
    if data.is_image or tuple(data.centres.points.shape) != expected:
        return (
            f"centres have shape {tuple(data.centres.points.shape)}, expected {expected}: one "
            "point a class, and only for points"
        )
    if not data.centres.deviation > 0:
        return f"the centres' deviation is {data.centres.deviation}, expected above 0"
    return None


def _stack_problem(data: Data) -> str | None:
    single = data.stacked_from
    if single is None:
        return None
    inner = find_problem(single)
    if inner is not None:
        return f"what it is stacked from is unusable: {inner}"
    channels = data.items.shape[1]
    if not data.is_image or single.shape != (1, *data.shape[1:]):
        return (
            f"items of shape {data.shape} are stacked from ones of {single.shape}, expected images "
            "of one channel and the same size"
        )
    expected = len(single.classes) ** channels
    if single.labels is None or len(data.classes) != expected:
        return (
            f"there are {len(data.classes)} classes of {channels} channels stacked from "
            f"{len(single.classes)} classes, expected {expected}: one for each tuple"
        )
    return None


def _held_out_problem(data: Data) -> str | None:
    others = data.held_out
    if others is None:
        return None
    if not isinstance(others, Tensor) or others.dtype != data.items.dtype:
        kind = others.dtype if isinstance(others, Tensor) else type(others).__name__
        return f"held-out items are {kind}, expected {data.items.dtype} as the others"
    if tuple(others.shape[1:]) != data.shape or not len(others):
        return f"held-out items have shape {tuple(others.shape)}, expected (items, *{data.shape})"
    return None


def _quiet(label: str, done: int, total: int | None) -> None:
    """Report nothing."""
