"""What a study wants trained, as far as its records tell."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ganbench.config.model import SeedRange, Study, shifted_seed
from ganbench.study.design import Arm
from ganbench.study.records import Cell, Record
from ganbench.study.results import StudyResults
from ganbench.study.run_plan import cells_of
from ganbench.study.sequential import progress_of


class Agenda(Protocol):
    """Decides which trials a study consists of, while it runs.

    An agenda is a function of the ledger's records and of nothing else, so that a run that is
    resumed, and every machine that works on a study, comes to the same trials.
    """

    def wanted(self, records: Sequence[Record]) -> list[Cell]:
        """Return every cell whose result is wanted now, answered or not, the first ones first.

        More may be wanted once these are answered; none is ever taken back.
        """


@dataclass(frozen=True)
class FixedAgenda:
    """Every arm at every seed: what most designs want, from the start."""

    cells: tuple[Cell, ...]

    def wanted(self, records: Sequence[Record]) -> list[Cell]:
        """Return all cells."""
        return list(self.cells)


@dataclass(frozen=True)
class SequentialAgenda:
    """More seeds where the verdict is open, as ``ganbench.study.sequential`` decides.

    Attributes
    ----------
    cells : tuple of Cell
        All that there may ever be.
    offsets : mapping of str to int
        By arm, what is added to a seed of the study.
    read : callable
        Gives the study's results, of its records.
    """

    cells: tuple[Cell, ...]
    offsets: Mapping[str, int]
    read: Callable[[Sequence[Record]], StudyResults]

    def wanted(self, records: Sequence[Record]) -> list[Cell]:
        """Return the cells that the looks so far, and the next one, need."""
        progress = progress_of(self.read(records))
        asked = {} if progress is None else progress.wanted
        trained = {
            (arm, shifted_seed(seed, self.offsets[arm]))
            for arm, seeds in asked.items()
            for seed in seeds
        }
        return [cell for cell in self.cells if (cell.arm, cell.seed) in trained]


Read = Callable[[Sequence[Record]], StudyResults]
"""Gives results of records."""


def agenda_of(
    study: Study, arms: Sequence[Arm], fingerprints: Mapping[str, str], read: Read
) -> Agenda:
    """Return what a study with these arms wants trained."""
    cells = tuple(cells_of(study, arms, fingerprints))
    if isinstance(study.seeds, SeedRange):
        return SequentialAgenda(cells, {arm.name: arm.seed_offset for arm in arms}, read)
    return FixedAgenda(cells)


class Agendas:
    """The agenda of a study whose arms may change, made anew only where they have.

    Parameters
    ----------
    study : Study
    """

    def __init__(self, study: Study) -> None:
        self._study = study
        self._last: tuple[tuple[Arm, ...], Agenda] | None = None

    def of(self, arms: tuple[Arm, ...], fingerprints: Mapping[str, str], read: Read) -> Agenda:
        """Return what the arms want; the other arguments may change with them alone."""
        if self._last is None or self._last[0] is not arms:
            self._last = arms, agenda_of(self._study, arms, fingerprints, read)
        return self._last[1]
