"""The data on the device, and the order in which a trial walks through them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from ganbench.data.images import normalise
from ganbench.plugin import Data, DataError

_copies: Any = WeakTensorKeyDictionary()
"""By a tensor: its copies by their devices."""


def _moved(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device, the same for everybody who asks for it there."""
    copies = _copies.setdefault(tensor, {})
    if device not in copies:
        copy = tensor.to(device).contiguous()
        if copy is tensor:
            return tensor
        copies[device] = copy
    found: Tensor = copies[device]
    return found


class Resident:
    """A data set on a device, kept as it is stored and normalised batch by batch.

    All that are of one data set share its copy there.

    Parameters
    ----------
    data : Data
    device : torch.device or str

    Attributes
    ----------
    items : Tensor, shape (items, *shape)
        uint8 images or float32 points, on the device.
    labels : Tensor or None
        int64, shape (items,), on the device.

    Raises
    ------
    DataError
        If the device has no room for the data.
    """

    def __init__(self, data: Data, device: torch.device | str) -> None:
        self.data = data
        self.device = torch.device(device)
        try:
            self.items: Tensor = _moved(data.items, self.device)
            self.labels = None if data.labels is None else _moved(data.labels, self.device)
        except torch.OutOfMemoryError as error:
            size = data.items.numel() * data.items.element_size() / 2**20
            raise DataError(
                f"the data set {data.name!r} takes {size:,.0f} MiB, more than {self.device} has "
                "free; choose a smaller size or run with --device cpu"
            ) from error

    def __len__(self) -> int:
        return len(self.items)

    def batch(self, indices: Tensor) -> Tensor:
        """Return items as networks see them: images in [-1, 1], points as they are.

        Parameters
        ----------
        indices : Tensor, shape (batch,), int64, on the device

        Returns
        -------
        Tensor, shape (batch, *shape), float32
        """
        return normalise(self.items.index_select(0, indices))


class Order:
    """Batches of indices in epochs without replacement; the last partial batch is dropped.

    Each epoch's permutation is drawn when its first batch is asked for, on the generator's
    device and without waiting for it. The generator's own state is the caller's to save:
    restored together with ``state_dict``, the walk goes on bit for bit.

    Parameters
    ----------
    count : int
        Items of the data set.
    batch_size : int
    generator : torch.Generator
        The trial's ``data`` stream, on the device of the data.

    Raises
    ------
    DataError
        If a batch is larger than the data set.
    """

    def __init__(self, count: int, batch_size: int, generator: torch.Generator) -> None:
        if not 1 <= batch_size <= count:
            raise DataError(
                f"batch_size is {batch_size}, but the data set has {count} items; expected "
                f"no more than {count}"
            )
        self.count = count
        self.batch_size = batch_size
        self._generator = generator
        self._permutation = torch.empty(0, dtype=torch.int64, device=generator.device)
        self._offset = 0

    def next(self) -> Tensor:
        """Return the next batch's indices, shape (batch_size,), int64: a view, to be read."""
        if self._offset + self.batch_size > len(self._permutation):
            self._permutation = torch.randperm(
                self.count, generator=self._generator, device=self._generator.device
            )
            self._offset = 0
        start = self._offset
        self._offset += self.batch_size
        return self._permutation[start : self._offset]

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch's permutation and the position in it."""
        return {"permutation": self._permutation, "offset": self._offset}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where ``state_dict`` was taken.

        Raises
        ------
        ValueError
            If the state is of a data set of another size.
        """
        permutation: Tensor = state["permutation"]
        if len(permutation) not in (0, self.count):
            raise ValueError(
                f"the saved order is of {len(permutation)} items, the data set has {self.count}"
            )
        self._permutation = permutation.to(self._generator.device)
        self._offset = int(state["offset"])
