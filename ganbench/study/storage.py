"""Where the ledger's trials stand: a journal of one's own, or a server that machines share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.storages import BaseStorage

from ganbench.study.journal import open_journal

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Address:
    """A storage that several machines may share, and how it is dealt with.

    Attributes
    ----------
    url : str
        As SQLAlchemy writes them.
    heartbeat : int
        Seconds between the signs of life of a trial.
    grace : int
        Seconds without one, by the server's clock, after which its worker is taken for lost.
    patience : float
        Seconds for which a server that is away is waited for.
    """

    url: str = field(repr=False)
    heartbeat: int = 20
    grace: int = 90
    patience: float = 600.0

    @property
    def shown(self) -> str:
        """The URL without its password."""
        from ganbench.study.server import without_password

        return without_password(self.url)


def open_storage(
    journal: Path,
    address: Address | None = None,
    notice: Notice | None = None,
    hurry: Callable[[], bool] | None = None,
    patient: bool = False,
) -> BaseStorage:
    """Open the storage at an address, or else the journal.

    Parameters
    ----------
    journal : Path
        Made, with its folder, if there is none; not looked at where there is an address.
    address : Address or None
    notice : callable (text), optional
        Told once when a server is away and is waited for.
    hurry : callable, optional
        Whether not to wait for a server any longer, for the user wants to end.
    patient : bool
        Whether to wait for a server that is away from the start.

    Returns
    -------
    BaseStorage
        Of an address: one that waits for its server while that is away.

    Raises
    ------
    LedgerError
        If it cannot be opened; by every method of a storage at an address, if its server stays
        away, or refuses.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if address is None:
        journal.parent.mkdir(parents=True, exist_ok=True)
        return open_journal(journal)
    from ganbench.study.server import open_server

    return open_server(address, notice or _say_nothing, hurry or _never, patient)


def close_storage(storage: BaseStorage) -> None:
    """Give up the connections of a storage that ``open_storage`` returned."""
    close = getattr(storage, "close", None)  # a journal has none
    if close is not None:
        close()


def _say_nothing(text: str) -> None:
    pass


def _never() -> bool:
    return False
