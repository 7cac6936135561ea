"""What a study wants trained, as far as its records tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ganbench.config.model import Study
from ganbench.study.design import Arm
from ganbench.study.records import Cell, Record
from ganbench.study.run_plan import cells_of


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


def agenda_of(study: Study, arms: Sequence[Arm], fingerprints: Mapping[str, str]) -> Agenda:
    """Return what a study with these arms wants trained."""
    return FixedAgenda(tuple(cells_of(study, arms, fingerprints)))
