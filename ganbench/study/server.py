"""A storage on a database server: its address, its connection, its absences."""

import logging
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, RDBStorage, get_storage
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError, SQLAlchemyError

from ganbench.plugin import GanbenchError
from ganbench.study.journal import LedgerError
from ganbench.study.storage import Address, Notice

POSTGRESQL = "postgresql+psycopg"
EXTRA = "postgresql"
SUPPORTED = (
    "supported are postgresql+psycopg://USER@HOST/DATABASE, for any number of workers on any "
    "number of machines, sqlite:///FILE for one worker, and, without --storage, the journal in "
    "the report's folder"
)
CONNECT_SECONDS = 10
OPEN_TRIES, AWAY_TRIES = 6, 3
"""Two that make the tables of an empty database at once get in each other's way; and a server
that many workers come to at once may turn one away."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds between tries while a server is away; each wait is twice the one before."""


def address_of(url: str, workers: int = 1) -> Address:
    """Return the address that a user gave, once it is one that can work.

    Parameters
    ----------
    url : str
    workers : int
        How many processes are to claim trials from it.

    Raises
    ------
    GanbenchError
        If it is of an unknown kind, or cannot serve so many workers.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise GanbenchError(f"--storage is no address of a storage; {SUPPORTED}") from error
    if "@" in (parsed.host or ""):  # what comes before it is part of a password
        raise GanbenchError(
            "--storage: an @ in a user's name or a password is written %40 in an address; better, "
            "leave the password to ~/.pgpass or PGPASSWORD"
        )
    kind = parsed.get_backend_name()
    if kind in ("postgresql", "postgres") and parsed.drivername in (kind, POSTGRESQL):
        parsed = parsed.set(drivername=POSTGRESQL)
    elif kind != "sqlite" or not parsed.database:
        raise GanbenchError(f"--storage {parsed.drivername}://… is not supported; {SUPPORTED}")
    elif workers > 1:
        raise GanbenchError(
            f"--storage {parsed.drivername}://… can serve one worker, not {workers}: with 8 "
            "workers SQLite was seen to hand out 115 of 300 trials twice. Use PostgreSQL, leave "
            "out --storage, or add --workers 1"
        )
    return Address(parsed.render_as_string(hide_password=False))


def without_password(url: str) -> str:
    """Return an address as it may be shown."""
    parsed = make_url(url).difference_update_query(["password", "sslpassword"])
    shown = URL.create(
        parsed.drivername,
        username=parsed.username,
        host=parsed.host,
        port=parsed.port,
        database=parsed.database,
        query=parsed.query,
    )
    return shown.render_as_string()


def open_server(
    address: Address, notice: Notice, hurry: Callable[[], bool], patient: bool
) -> BaseStorage:
    """Open the storage at an address; parameters and errors as of ``open_storage``."""
    waits = _Patience(address, notice, hurry)
    if patient:
        storage = waits.insist(partial(_connect, address))
    else:
        try:
            storage = _connect(address)
        except (StorageInternalError, SQLAlchemyError) as error:
            raise _told(address, error) from error
    return cast(BaseStorage, PatientStorage(storage, waits))


class PatientStorage:
    """A storage on a server, each of whose methods outlasts the server's absence.

    A server that restarts, or a network that is cut, costs minutes of waiting and no trial.
    What was done twice, because its first answer was lost, does no harm: values are set to
    what they are, and an ended trial stays as it ended.

    Parameters
    ----------
    storage : RDBStorage
    waits : _Patience
    """

    def __init__(self, storage: RDBStorage, waits: "_Patience") -> None:
        self.impatient = get_storage(storage)
        self._engine = storage.engine
        self._waits = waits

    def close(self) -> None:
        """Give up the connections."""
        self._engine.dispose()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.impatient, name)
        if not callable(found):
            return found
        absent = name.startswith("get_study_id")  # there, no such study is an answer
        return lambda *args, **kwargs: self._waits.insist(partial(found, *args, **kwargs), absent)


class _Patience:
    """Repeats what a server could not do because it was away."""

    def __init__(self, address: Address, notice: Notice, hurry: Callable[[], bool]) -> None:
        self._address, self._notice, self._hurry = address, notice, hurry
        self._told = False

    def insist(self, act: Callable[[], Any], absent_is_an_answer: bool = False) -> Any:
        since = time.monotonic()
        pause = FIRST_WAIT
        while True:
            try:
                return act()
            except KeyError as error:
                if absent_is_an_answer:
                    raise
                raise LedgerError(
                    f"{self._address.shown}: the study was deleted from it while it was in use"
                ) from error
            except (StorageInternalError, SQLAlchemyError) as error:
                if not _is_away(error):
                    raise _told(self._address, error) from error
                waited = time.monotonic() - since
                if waited >= self._address.patience or self._hurry():
                    raise LedgerError(
                        f"{self._address.shown}: {_reason(error)}; waited {waited:.0f} seconds. "
                        "What is finished is safe, and the same command goes on"
                    ) from error
                if not self._told:
                    self._told = True
                    self._notice(f"the storage is away, and is waited for: {_reason(error)}")
            self._pause(pause)
            pause = min(2 * pause, LONGEST_WAIT)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._hurry():
            time.sleep(min(left, 0.25))


def _connect(address: Address) -> RDBStorage:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    for tried in range(1, OPEN_TRIES + 1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)  # of heartbeats
                return RDBStorage(
                    address.url,
                    engine_kwargs=_engine(make_url(address.url)),
                    heartbeat_interval=address.heartbeat,
                    grace_period=address.grace,
                )
        except ImportError as error:
            raise LedgerError(
                "a storage on PostgreSQL needs the package psycopg, which is not installed: "
                f"pip install 'ganbench[{EXTRA}]'"
            ) from error
        except RuntimeError as error:  # tables of another Optuna
            raise LedgerError(f"{address.shown}: {_one_line(error)}") from error
        except (StorageInternalError, SQLAlchemyError) as error:
            if tried == (AWAY_TRIES if _is_away(error) else OPEN_TRIES):
                raise
        time.sleep(0.2 * tried)
    raise LedgerError(f"{address.shown}: cannot be opened")


def _engine(url: URL) -> dict[str, Any]:
    """Return how SQLAlchemy is to connect."""
    if url.get_backend_name() == "sqlite":
        return {}
    stated = url.query.get("options", "")
    return {
        # A connection that a restart of the server cut is noticed before it is used.
        "pool_pre_ping": True,
        # A worker's two threads hardly meet, and a server has 100 connections unless it is told
        # otherwise: so each process keeps one.
        "pool_size": 1,
        "max_overflow": 4,
        "connect_args": {
            "connect_timeout": CONNECT_SECONDS,
            # A cut network says nothing: a peer that is silent for a minute is gone.
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "tcp_user_timeout": 60_000,
            # Heartbeats are compared without their zones; in UTC no clock is put back.
            "options": f"{stated if isinstance(stated, str) else ' '.join(stated)} -c timezone=UTC",
        },
    }


def _is_away(error: BaseException) -> bool:
    """Say whether an error may pass: a connection refused or cut, a deadlock."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OperationalError | InterfaceError):
            return True
        seen = seen.__cause__
    return False


def _told(address: Address, error: Exception) -> LedgerError:
    return LedgerError(f"{address.shown}: the storage cannot be used: {_reason(error)}")


def _reason(error: BaseException) -> str:
    """Return the driver's own words, which hold no password."""
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    return _one_line(getattr(cause, "orig", None) or cause or error)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
