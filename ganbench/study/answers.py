"""Which of a ledger's results answer the cells that a study asks for."""

from collections.abc import Sequence
from typing import Any

from ganbench.study.records import ANSWERS, Cell, Record


def take_answers(
    missing: dict[tuple[Any, ...], Cell], records: Sequence[Record], study: str
) -> list[tuple[Cell, Record]]:
    """Take away the cells that are answered.

    Parameters
    ----------
    missing : dict of address to Cell
        Changed.
    records : sequence of Record
    study : str
        Name of the Optuna study of the arms.

    Returns
    -------
    list of (Cell, Record)
        Cells whose answer stands elsewhere, for the study to take it over.
    """
    elsewhere: list[tuple[Cell, Record]] = []
    answers = [record for record in records if record.state in ANSWERS]
    here = {record.address for record in answers if record.index is not None}
    here |= {record.address for record in answers if record.study == study}
    known = {(record.study, *record.identity): record for record in reversed(answers)}
    for record in answers:
        cell = missing.pop(record.address, None)
        if cell is not None and record.address not in here:
            elsewhere.append((cell, record))
    # A search may propose the same configuration twice: the first answers the second.
    for address, cell in list(missing.items()):
        first = known.get((cell.draw.search, *cell.identity)) if cell.draw else None
        if first is not None:
            elsewhere.append((cell, first))
            del missing[address]
    return elsewhere
