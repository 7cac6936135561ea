"""The base class of data sets, and the data they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from ganbench.plugin.asset import Asset
from ganbench.plugin.errors import GanbenchError
from ganbench.plugin.parameters import Parameters


class DatasetParameters(Parameters):
    """Base of a data set's parameters."""


class DataError(GanbenchError):
    """Data that cannot be had or used; the message says what to do. Exit code 2."""


@dataclass(frozen=True)
class Centres:
    """The modes of a mixture of Gaussians with one standard deviation.

    Attributes
    ----------
    points : Tensor, shape (modes, dimensions)
    deviation : float
    """

    points: Tensor
    deviation: float


@dataclass(frozen=True)
class Data:
    """A data set in memory.

    Attributes
    ----------
    name : str
    items : Tensor
        Images: uint8, shape (items, channels, height, width). Points: float32, shape
        (items, dimensions).
    labels : Tensor or None
        int64, shape (items,), in [0, len(classes)).
    classes : tuple of str
        Names of the classes or modes, in label order; empty without labels.
    centres : Centres or None
        Of a mixture, whose modes are then counted by distance and not by a classifier.
    notes : tuple of str
        What the reader of a report should know, such as the number of files skipped.
    stacked_from : Data or None
        Labelled images of one channel, if each channel of an item is one of them, drawn by
        itself and uniformly. There is then a class for every tuple of their classes, the last
        channel's running fastest; the classifier is trained on them, and looks at each channel
        alone; and a mode's share of the data is the product of its classes' shares.
    held_out : Tensor or None
        Items like ``items`` that are not among them and never trained on, such as some of a test
        split: whether D takes them for data tells if it learns the others by heart.
    """

    name: str
    items: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    centres: Centres | None = None
    notes: tuple[str, ...] = field(default=())
    stacked_from: Data | None = None
    held_out: Tensor | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one item."""
        return tuple(self.items.shape[1:])

    @property
    def is_image(self) -> bool:
        """Whether the items are images rather than points."""
        return self.items.ndim == 4


Progress = Callable[[str, int, int | None], None]
"""Called with a label, the amount done, and the whole amount if it is known."""


class Dataset:
    """Loads a data set whole; the core puts it on the device."""

    name: ClassVar[str]
    Parameters: ClassVar[type[DatasetParameters]] = DatasetParameters

    def __init__(self, parameters: DatasetParameters) -> None:
        self.parameters: Any = parameters

    def load(self, root: Path, progress: Progress) -> Data:
        """Return the data, from ``root`` (a cache that may be written to) if on disk.

        Raises
        ------
        DataError
            If the data cannot be had; the message names the file or address and the fix.
        """
        raise NotImplementedError

    def assets(self, root: Path) -> Sequence[Asset]:
        """Return the files that ``load`` takes from the disk, there or not; downloads nothing.

        Parameters
        ----------
        root : Path
            As of ``load``.
        """
        return ()
