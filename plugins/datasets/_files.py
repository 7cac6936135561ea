"""Files that are there whole or not at all."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

CHUNK = 1 << 20


@contextmanager
def written_whole(target: Path) -> Iterator[BinaryIO]:
    """Open a stream whose content becomes ``target`` when the block ends without an error.

    Until then it has a hidden name of its own in the same folder, which is made if need be;
    an error or an interrupt removes it, so that nobody ever reads half a file.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".incomplete-")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
        os.chmod(name, 0o644)  # mkstemp's file is the user's alone; a data root may be shared
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def md5_of(path: Path) -> str:
    """Return a file's MD5 in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
