"""The losses of a trial, kept on the device: what is new is put in its place in one go."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ganbench.plugin import HALVES, Half

FRESH = 2048
"""How many losses of updates are kept one by one before they are put into the log."""


class Losses:
    """The sums of each step's losses, and how many updates they are of.

    Parameters
    ----------
    steps, pairs : int
    device : torch.device

    Attributes
    ----------
    log : Tensor, shape (steps, pairs, halves), float32, on the device
    updates : Tensor, of the same shape, int16, on the CPU
    """

    def __init__(self, steps: int, pairs: int, device: torch.device) -> None:
        shape = (steps, pairs, len(HALVES))
        self.log = torch.zeros(shape, device=device)
        self.updates = torch.zeros(shape, dtype=torch.int16)
        self._fresh: list[tuple[tuple[int, int, int], Tensor]] = []

    def add(self, step: int, pair: int, half: Half, loss: Tensor) -> None:
        """Take in the loss of an update, 0-d, which nobody waits for."""
        self._fresh.append(((step, pair, HALVES.index(half)), loss))
        if len(self._fresh) >= FRESH:
            self.settle()

    def settle(self) -> None:
        """Put the losses since the last call in their places: in one go, without a wait."""
        if self._fresh:
            places, losses = zip(*self._fresh, strict=True)
            at = torch.tensor(places).T
            ones = torch.ones(len(places), dtype=self.updates.dtype)
            self.updates.index_put_(tuple(at), ones, accumulate=True)
            where = tuple(at.to(self.log.device, non_blocking=True))
            values = torch.stack(losses).to(self.log.dtype)
            self.log.index_put_(where, values, accumulate=True)
            self._fresh.clear()

    def begun(self, step: int) -> Sequence[set[Half]]:
        """Return, for each pair, the halves that were updated before step ``step``."""
        return [
            {half for half, count in zip(HALVES, taken, strict=True) if count}
            for taken in self.updates[:step].sum(0)
        ]

    def first_not_finite(self, start: int, end: int) -> int | None:
        """Return the first step of a range whose losses are not finite, None if all are."""
        finite = torch.isfinite(self.log[start:end]).flatten(1).all(1).cpu()
        return None if finite.all() else start + int(finite.long().argmin())

    def means(self, start: int, end: int) -> list[tuple[int, Half, float]]:
        """Return (pair, half, mean loss) over the updates of a range of steps, if there are any."""
        totals = self.log[start:end].sum(0).tolist()
        counts = self.updates[start:end].sum(0).tolist()
        return [
            (pair, half, total / count)
            for pair, (row, taken) in enumerate(zip(totals, counts, strict=True))
            for half, total, count in zip(HALVES, row, taken, strict=True)
            if count
        ]
