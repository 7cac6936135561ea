"""Which files of a folder are images, and which classes its layout gives them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganbench.plugin import DataError

SUFFIXES = frozenset(
    f".{suffix}"
    for suffix in (
        *("avif", "bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "pbm", "pgm", "png"),
        *("pnm", "ppm", "tga", "tif", "tiff", "webp"),
    )
)
SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation"})
IGNORED_FOLDERS = frozenset({"__MACOSX", "@eaDir"})
"""Where operating systems keep previews of their own."""


@dataclass(frozen=True)
class ImageFile:
    """An image file, before it is opened.

    Attributes
    ----------
    name : str
        Path relative to the listed folder, with ``/``.
    bytes : int
    modified : int
        Time of the last change in nanoseconds.
    """

    name: str
    bytes: int
    modified: int


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes
    ----------
    folder : Path
    files : tuple of ImageFile, sorted by name
    others : int
        Files that are not images by their suffix.
    classes : tuple of str
        Names of the class folders, sorted; empty for a flat folder.
    """

    folder: Path
    files: tuple[ImageFile, ...]
    others: int
    classes: tuple[str, ...]


def list_images(folder: Path) -> Listing:
    """List the images of a folder and of all folders in it; hidden ones are left out.

    Two or more sub-folders with images in them are classes, to any depth. A single one is no
    class: its images are taken as if they lay in the folder itself.

    Raises
    ------
    DataError
        If the folder cannot be read or holds no image, if images lie beside class folders,
        or if the sub-folders are splits such as ``train`` and ``test``.
    """
    if not folder.is_dir():
        kind = "a file, not a folder" if folder.exists() else "not there"
        raise DataError(
            f"the image folder {folder} is {kind}; expected a folder of images, or of one "
            "sub-folder of images for each class"
        )
    files: list[ImageFile] = []
    others = 0
    try:
        for name, entry in _walk(folder, "", frozenset()):
            if Path(name).suffix.lower() in SUFFIXES and _is_regular(entry):
                status = entry.stat() if entry.is_file() else entry.stat(follow_symlinks=False)
                files.append(ImageFile(name, status.st_size, status.st_mtime_ns))
            else:
                others += 1
    except OSError as error:
        raise DataError(f"the image folder {folder} cannot be read: {error}") from error
    if not files:
        raise DataError(
            f"the image folder {folder} holds no image (other files: {others}); images are "
            f"known by their suffix: {', '.join(sorted(SUFFIXES))}"
        )
    files.sort(key=lambda file: file.name)
    return Listing(folder, tuple(files), others, _classes(folder, files))


def class_of(name: str) -> str:
    """Return the first folder of a relative name, empty for a file at the top."""
    first, slash, _ = name.partition("/")
    return readable(first) if slash else ""


def readable(name: str) -> str:
    """Return a file's name as text that can be written: what is not UTF-8 becomes �."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def _classes(folder: Path, files: Sequence[ImageFile]) -> tuple[str, ...]:
    found = sorted({class_of(file.name) for file in files})
    folders = [name for name in found if name]
    if folders and all(name.lower() in SPLITS for name in folders):
        raise DataError(
            f"the folders in {folder} are splits rather than classes: {', '.join(folders)}; "
            f"choose one, such as path: {folder / folders[-1]}"
        )
    if folders and "" in found:
        loose = [file.name for file in files if "/" not in file.name]
        raise DataError(
            f"{folder} mixes two layouts: {len(loose)} images lie in it (such as "
            f"{readable(loose[0])}) beside folders of images ({_some(folders)}); move the "
            "images into a folder of their class, or the folders elsewhere"
        )
    return tuple(folders) if len(folders) > 1 else ()


def _walk(
    folder: Path, prefix: str, above: frozenset[tuple[int, int]]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield each visible file, following links to folders but not in circles."""
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in IGNORED_FOLDERS:
                continue
            if entry.is_dir():
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", above | {here})
            else:
                yield prefix + entry.name, entry


def _is_regular(entry: os.DirEntry[str]) -> bool:
    """Whether opening the entry cannot block: a file, or a link that leads nowhere."""
    return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
