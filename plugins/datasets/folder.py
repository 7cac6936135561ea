"""Any folder of images: class folders or flat, any mix of sizes and modes.

How to use
    ``dataset: {name: folder, path: ~/pictures/cats-and-dogs, size: 64}``

Each sub-folder of the path is a class, named after it; a flat folder, or a single sub-folder,
gives images without labels. Images are made square by ``fit``: ``crop`` keeps the centre,
``pad`` keeps everything, ``stretch`` distorts.

Orientation tags are applied, transparency is laid on the ``background``. A file that cannot be
decoded is left out, and the report counts such files and names the first. Hidden files are
ignored, and so is what has no image's suffix. The order is that of the relative names. The
decoded images are kept in ``folder-cache`` below the data root, under a key of the path, the
names, sizes and times of the files, and the parameters; delete that folder at any time.

Trade-offs: all images are held in memory, 12 kB each at 64×64 in colour. Cropping loses what
is not in the centre. Colour profiles are not applied.
"""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import filelock
import numpy as np
import torch

from ganbench.plugin import Asset, Data, DataError, Dataset, DatasetParameters, Field, Progress

from ._decoding import Background, Fit, decode_all, quiet_pillow
from ._files import written_whole
from ._listing import Listing, class_of, list_images, readable

CACHE_FORMAT = 1
"""Raised when ``decode`` or the cache file changes, so that old files are not read."""
REPORT_EVERY = 200
NAMED = 3
"""Broken files that are named; the rest are counted."""


@dataclass(frozen=True)
class Decoded:
    """A folder's images, decoded.

    Attributes
    ----------
    images : ndarray, shape (items, channels, size, size), uint8
    names : sequence of str
        The relative name of each.
    broken : sequence of str
        A line for each file that was left out: its name and the reason.
    """

    images: np.ndarray
    names: Sequence[str]
    broken: Sequence[str]


class Folder(Dataset):
    """Any folder of images, with or without class folders; resized with antialiasing."""

    name = "folder"

    class Parameters(DatasetParameters):
        """Parameters of ``folder``."""

        path: Annotated[str, Field(min_length=1)]
        """The folder; ``~`` is the home folder, a relative path starts where you are."""
        size: Annotated[int, Field(ge=8, le=64)] = 32
        """Height and width in pixels."""
        channels: Literal[1, 3] = 3
        """3 for colour, 1 for grey."""
        fit: Fit = "crop"
        """How an image is made square: ``crop``, ``pad`` or ``stretch``."""
        background: Background = "white"
        """What shows through transparency and beside a padded image."""

    def assets(self, root: Path) -> tuple[Asset, ...]:
        """Return the folder, and what is wrong with it; its images are not opened."""
        folder = Path(self.parameters.path).expanduser().absolute()
        try:
            images = len(list_images(folder).files)
        except DataError as error:
            remedy = "name a folder of images as the data set's path"
            return (Asset("images", folder, False, str(error), remedy),)
        return (Asset(_count(images, "image", "images"), folder, True),)

    def load(self, root: Path, progress: Progress) -> Data:
        """Return the folder's images, from the cache if none of its files has changed.

        Raises
        ------
        DataError
            If there is no such folder, its layout is unclear, or fewer than 2 images in it
            can be decoded.
        """
        listing = list_images(Path(self.parameters.path).expanduser().absolute())
        decoded, cache_note = self._decode_once(listing, root, progress)
        if len(decoded.images) < 2:
            raise DataError(
                f"the image folder {listing.folder} gives "
                f"{_count(len(decoded.images), 'image', 'images')}, expected at least 2; "
                f"{broken_note(decoded.broken) or 'no file is broken'}"
            )
        labels, classes = labels_of(decoded.names) if listing.classes else (None, ())
        lost = sorted(set(listing.classes) - set(classes))
        notes = (
            broken_note(decoded.broken),
            _others_note(listing.others),
            f"classes without a sound image: {', '.join(lost)}" if lost else "",
            cache_note,
        )
        return Data(
            name=self.name,
            items=torch.from_numpy(decoded.images),
            labels=labels,
            classes=classes,
            notes=tuple(note for note in notes if note),
        )

    def _decode_once(self, listing: Listing, root: Path, progress: Progress) -> tuple[Decoded, str]:
        """Return the images, decoded by one process while others wait, and a note."""
        cache = root / "folder-cache" / f"{self._key(listing)}.npz"
        decoded = read_cache(cache)
        if decoded is not None:
            return decoded, ""
        try:
            cache.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(cache.with_suffix(".lock")):
                decoded = read_cache(cache)  # another process may have written it meanwhile
                if decoded is None:
                    decoded = self._decode(listing, progress)
                    write_cache(cache, decoded)
            return decoded, ""
        except OSError as error:  # a full disk or a read-only root costs time, not the study
            decoded = decoded or self._decode(listing, progress)
            return decoded, f"the decoded images were not cached: {error}"

    def _decode(self, listing: Listing, progress: Progress) -> Decoded:
        p = self.parameters
        total = len(listing.files)
        label = f"decoding {listing.folder.name}"
        paths = [listing.folder / file.name for file in listing.files]
        images = np.empty((total, p.channels, p.size, p.size), dtype=np.uint8)
        names: list[str] = []
        broken: list[str] = []
        with quiet_pillow():
            results = decode_all(paths, p.size, p.channels, p.fit, p.background)
            for done, (file, result) in enumerate(zip(listing.files, results, strict=True)):
                if done % REPORT_EVERY == 0:
                    progress(label, done, total)
                if isinstance(result, str):
                    broken.append(readable(f"{file.name} ({result})"))
                else:
                    images[len(names)] = result
                    names.append(file.name)
        progress(label, total, total)
        if broken:
            progress(broken_note(broken), len(broken), len(broken))
        return Decoded(images[: len(names)], names, broken)

    def _key(self, listing: Listing) -> str:
        import PIL

        parameters = self.parameters.model_dump(exclude={"path"})
        content = [CACHE_FORMAT, PIL.__version__, str(listing.folder.resolve()), parameters]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
        for file in listing.files:
            digest.update(
                f"{file.name}\0{file.bytes}\0{file.modified}\n".encode(errors="surrogateescape")
            )
        return digest.hexdigest()[:32]


def labels_of(names: Sequence[str]) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Return each image's class by its first folder, and the sorted classes.

    Returns
    -------
    labels : Tensor, shape (items,), int64
    classes : tuple of str
    """
    folders = [class_of(name) for name in names]
    classes = tuple(sorted(set(folders)))
    index = {name: position for position, name in enumerate(classes)}
    return torch.tensor([index[name] for name in folders]), classes


def broken_note(broken: Sequence[str]) -> str:
    """Return a line that counts the broken files and names the first; empty for none."""
    if not broken:
        return ""
    rest = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
    files = _count(len(broken), "broken file", "broken files")
    return f"left out {files}: {'; '.join(broken[:NAMED])}{rest}"


def _others_note(others: int) -> str:
    files = _count(others, "file that is not an image", "files that are not images")
    return f"left out {files}" if others else ""


def _count(amount: int, one: str, many: str) -> str:
    return f"{amount} {one if amount == 1 else many}"


def write_cache(path: Path, decoded: Decoded) -> None:
    """Write decoded images to an npz file, whole or not at all.

    Raises
    ------
    OSError
        If there is no room, or no right to write.
    """
    text = json.dumps({"names": list(decoded.names), "broken": list(decoded.broken)})
    with written_whole(path) as stream:
        np.savez(
            stream,
            images=decoded.images,
            text=np.frombuffer(text.encode(), dtype=np.uint8),
        )


def read_cache(path: Path) -> Decoded | None:
    """Read what ``write_cache`` wrote; None if there is no such file or it is damaged."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            images = content["images"]
            text = json.loads(content["text"].tobytes())
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None
    return Decoded(images, text["names"], text["broken"])
