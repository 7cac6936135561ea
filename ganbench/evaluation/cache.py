"""Files that workers share: written whole or not at all, never trusted blindly."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def cache_key(content: Mapping[str, Any]) -> str:
    """Return a hash of JSON-able content, 16 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save_atomically(path: Path, content: Mapping[str, Any]) -> None:
    """Write tensors and plain values, so that no reader ever sees half a file.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(dict(content), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def load_if_sound(path: Path) -> dict[str, Any] | None:
    """Return what ``save_atomically`` wrote; None if there is no such file, or a broken one.

    A broken file is made again by the caller, which costs time and changes no number.
    """
    if not path.is_file():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        # Broken bytes make the unpickler raise whatever they happen to lead it to.
        return None
    return content if isinstance(content, dict) else None
