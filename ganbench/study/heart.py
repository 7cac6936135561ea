"""Signs of life: how a shared storage learns that a trial's worker is gone."""

import threading
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from sqlalchemy.exc import SQLAlchemyError

from ganbench.study.storage import Address


class Heart:
    """Beats for the trials of this process, and listens to those of all.

    Optuna's storages on databases keep heartbeats, but only ``Study.optimize``, which is not
    used here, sends them. All times are the server's, whatever the clocks of machines say.

    Parameters
    ----------
    storage : BaseStorage
        As ``open_storage`` returns it for an address.
    address : Address
    """

    def __init__(self, storage: BaseStorage, address: Address) -> None:
        # The heartbeats' methods are RDBStorage's own; a BaseStorage has none.
        self._storage: Any = storage
        self._address = address
        self._suspects: dict[int, float] = {}

    def beat(self, trial: int) -> None:
        """Give one sign of life for a trial, by its number in the storage."""
        self._storage.record_heartbeat(trial)

    @contextmanager
    def beating(self, trial: int) -> Generator[None]:
        """Give signs of life while inside, whatever this thread is at."""
        ended = threading.Event()

        def beat() -> None:
            # Impatient: a beat that is late is worth nothing, the next one is.
            while not ended.wait(self._address.heartbeat):
                with suppress(StorageInternalError, SQLAlchemyError, KeyError):
                    self._storage.impatient.record_heartbeat(trial)

        threading.Thread(target=beat, name="heart", daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def stopped(self, studies: Iterable[int]) -> Iterator[int]:
        """Give the running trials of some Optuna studies whose hearts have stopped.

        Stopped is what is found still twice, at least a beat apart: after a time in which the
        server was away all hearts seem still, until they have had time to beat.
        """
        studies = tuple(studies)
        still = self._still(studies)
        now = time.monotonic()
        self._suspects = {trial: self._suspects.get(trial, now) for trial in still}
        wait = 1.5 * self._address.heartbeat
        dead = [trial for trial, since in self._suspects.items() if now - since >= wait]
        for trial in dead:
            del self._suspects[trial]
            if trial in self._still(studies):  # another machine may have seen to it meanwhile
                yield trial

    def _still(self, studies: Iterable[int]) -> set[int]:
        return {trial for own in studies for trial in self._storage._get_stale_trial_ids(own)}
