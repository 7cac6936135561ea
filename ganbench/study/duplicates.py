"""Two trials of one cell: which of them gives way."""

from collections.abc import Iterable, Mapping
from typing import Any

from optuna.trial import FrozenTrial

from ganbench.study.records import ANSWERS


class Duplicates:
    """Finds the trials of one Optuna study that are of one cell.

    What a trial that has ended tells is remembered, so that a claim reads those alone that
    have ended since the one before.
    """

    def __init__(self) -> None:
        self._read: set[int] = set()
        self._answered: set[tuple[Any, ...]] = set()

    def gives_way(self, own: FrozenTrial, trials: Iterable[FrozenTrial]) -> bool:
        """Say whether a trial's cell is answered, or an earlier one's to answer.

        Parameters
        ----------
        own : FrozenTrial
            One that has not ended.
        trials : iterable of FrozenTrial
            All of the Optuna study.
        """
        cell = cell_of(own.user_attrs)
        is_taken = False
        for trial in trials:
            if trial.number in self._read:
                continue
            if trial.state.is_finished():
                self._read.add(trial.number)
                if trial.state in ANSWERS:
                    self._answered.add(cell_of(trial.user_attrs))
            elif trial.number < own.number and cell_of(trial.user_attrs) == cell:
                is_taken = True
        return is_taken or cell in self._answered


def cell_of(attributes: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what the trials of one cell share, within an Optuna study."""
    return tuple(attributes.get(key) for key in ("key", "seed", "fingerprint", "index"))
