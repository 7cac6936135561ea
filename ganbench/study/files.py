"""The trials' checkpoints and pictures, and what the evaluation needs: kept where all see them."""

import os
import socket
from collections.abc import Callable, Collection, Container
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from ganbench.study.bucket import Bucket
from ganbench.study.places import BucketPlace, Place
from ganbench.study.storage import Notice

AT_ONCE = 8
"""Downloads at the same time."""


class Files(Protocol):
    """The files below an archive's ``trials``, by the paths that it gives them."""

    def check(self) -> None:
        """Make sure, before any work, that files can be read and written.

        Raises
        ------
        FilesError
            If not.
        """

    def close(self) -> None:
        """Give up what is held open."""

    def shown(self, path: Path) -> str:
        """Return what messages call a file."""

    def read(self, path: Path) -> bytes | None:
        """Return a file's content, None if there is none.

        Raises
        ------
        OSError
            If a disk cannot be read.
        FilesError
            If a store cannot.
        """

    def write(self, path: Path, content: bytes) -> None:
        """Replace a file as a whole.

        Raises
        ------
        OSError
            If it cannot be written; what was there stays.
        """

    def delete(self, path: Path) -> None:
        """Delete a file, if there is one.

        Raises
        ------
        OSError
            If it cannot be deleted.
        """

    def names(self, folder: Path) -> set[str]:
        """Return the names of the files in a folder.

        Raises
        ------
        FilesError
            If a store cannot be read.
        """

    def copy_here(self, folder: Path, stems: Collection[str] | None = None) -> set[str]:
        """Make the files of a folder stand in it; return the names of what was brought.

        Parameters
        ----------
        folder : Path
        stems : collection of str, optional
            Pictures of these trials only, by ``stem_of``, and only what does not stand there yet.

        Raises
        ------
        OSError
            If one cannot be written here.
        FilesError
            If the store cannot be read.
        """

    def offer(self, folder: Path, brought: Container[str]) -> bool:
        """Give others the files of a folder, less those that were brought from them.

        Returns
        -------
        bool
            False if somebody was first with another one, to be brought now.

        Raises
        ------
        FilesError
            If the store cannot be used.
        """


class _FolderFiles:
    """Files of a folder, which machines may share."""

    def check(self) -> None:
        pass

    def close(self) -> None:
        pass

    def shown(self, path: Path) -> str:
        return str(path)

    def read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: Path, content: bytes) -> None:
        write_atomically(path, content)

    def delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def names(self, folder: Path) -> set[str]:
        return {path.name for path in folder.glob("*")}

    def copy_here(self, folder: Path, stems: Collection[str] | None = None) -> set[str]:
        return set()

    def offer(self, folder: Path, brought: Container[str]) -> bool:
        return True


class _BucketFiles:
    """Files of a bucket: an object has the name that its path has below the archive's trials."""

    def __init__(self, root: Path, place: BucketPlace, bucket: Bucket) -> None:
        self._root, self._place, self._bucket = root, place, bucket

    def check(self) -> None:
        self._bucket.check()

    def close(self) -> None:
        self._bucket.close()

    def shown(self, path: Path) -> str:
        return f"{self._place}/{self._name(path)}"

    def read(self, path: Path) -> bytes | None:
        return self._bucket.read(self._name(path))

    def write(self, path: Path, content: bytes) -> None:
        self._bucket.write(self._name(path), content)

    def delete(self, path: Path) -> None:
        self._bucket.delete(self._name(path))

    def names(self, folder: Path) -> set[str]:
        return set(self._bucket.sizes(self._name(folder)))

    def copy_here(self, folder: Path, stems: Collection[str] | None = None) -> set[str]:
        paths = [
            folder / name
            for name, size in self._bucket.sizes(self._name(folder)).items()
            if stems is None or (stem_of(name) in stems and not _has_size(folder / name, size))
        ]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for path, content in zip(paths, pool.map(self.read, paths), strict=True):
                if content is not None:
                    write_atomically(path, content)
        return {path.name for path in paths}

    def offer(self, folder: Path, brought: Container[str]) -> bool:
        own = [path for path in sorted(folder.glob("*.pt")) if path.name not in brought]
        return all(self._is_first(path, path.read_bytes()) for path in own)

    def _is_first(self, path: Path, content: bytes) -> bool:
        if self._bucket.write_first(self._name(path), content):
            return True
        return self.read(path) == content

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def open_files(
    place: Place | None,
    root: Path,
    notice: Notice | None = None,
    hurry: Callable[[], bool] | None = None,
) -> Files:
    """Return what reads and writes the trials' files.

    Parameters
    ----------
    place : Path, BucketPlace or None
    root : Path
        The folder that the paths are below.
    notice : callable (text), optional
        Told once when a store is away and is waited for.
    hurry : callable, optional
        Whether to wait for it no longer.

    Raises
    ------
    FilesError
        If it needs a package that is not installed, or the store's settings make no sense.
    """
    if isinstance(place, BucketPlace):
        return _BucketFiles(root, place, Bucket(place, notice, hurry))
    return _FolderFiles()


def stem_of(name: str) -> str:
    """Return what the names of one trial's pictures begin with."""
    return name.partition(".")[0].partition("+")[0]


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except FileNotFoundError:
        return False


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file's content as a whole; what was there stays until then.

    Raises
    ------
    OSError
        If it cannot be written, such as on a full disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Machines that share a folder may have processes of one number.
    temporary = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
