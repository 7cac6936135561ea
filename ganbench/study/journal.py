"""The ledger's file: Optuna's journal, safe against kill -9 and full disks."""

import json
import os
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from ganbench.plugin import GanbenchError

JOURNAL = "journal.log"
"""The journal's name in a ledger directory."""


class LedgerError(GanbenchError):
    """A ledger that cannot be read or written. Exit code 2."""


class JournalFile(JournalFileBackend):
    """Optuna's journal file, whose appends are whole or not at all.

    Optuna's own locks are files that a killed process leaves behind, for half a minute;
    this one belongs to the operating system, which frees it with the process. And an append
    that a full disk cut short would swallow the next one, by whoever; here what is torn is
    cut off first. The format stays Optuna's, so that its dashboard opens the file.

    The file stays the one that was there at first. A worker that outlived its supervisor may
    find another at the same path, of a study started afresh, whose trials have the numbers
    of those that it knows: to that one nothing is added.

    Parameters
    ----------
    path : Path
        Made if there is none.

    Raises
    ------
    LedgerError
        If it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._append_lock = FileLock(f"{path}.flock")
        try:
            super().__init__(str(path), lock_obj=JournalFileOpenLock(str(path)))
            # Held open, for the number of a file that is gone may be given to the next one.
            self._held = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise LedgerError(
                f"{path}: the ledger cannot be opened: {error.strerror or error}"
            ) from error

    def __del__(self) -> None:
        if hasattr(self, "_held"):
            os.close(self._held)

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """Give the file's lines from a number on.

        Raises
        ------
        LedgerError
            If another file has taken its place.
        """
        try:
            self._check(os.stat(self._path))
        except FileNotFoundError as error:
            raise self._replaced() from error
        yield from super().read_logs(log_number_from)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Add lines to the file.

        Raises
        ------
        LedgerError
            If they cannot be written, or another file has taken this one's place; the file
            is then as it was before.
        """
        lines = (json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        text = "".join(lines).encode()
        try:
            with self._append_lock:
                self._append(text)
        except FileNotFoundError as error:
            raise self._replaced() from error
        except OSError as error:
            raise LedgerError(
                f"{self._path}: the ledger cannot be written: {error.strerror or error}; "
                "what is finished is safe, and the same command goes on once this is mended"
            ) from error

    def repair(self) -> str | None:
        """Cut the file back to its last whole record, and say so.

        Returns
        -------
        str or None
            What was cut off; None if the file was whole.

        Raises
        ------
        LedgerError
            If the file cannot be read or cut.
        """
        try:
            return self._repair()
        except OSError as error:
            raise LedgerError(
                f"{self._path}: the ledger cannot be repaired: {error.strerror or error}"
            ) from error

    def _repair(self) -> str | None:
        with self._append_lock:
            content = self._path.read_bytes()
            end = len(content)
            while end:
                start = content.rfind(b"\n", 0, end - 1) + 1
                if _is_record(content[start:end]):
                    break
                end = start
            if end == len(content):
                return None
            os.truncate(self._path, end)
        return (
            f"{self._path}: the last record was torn, as by a kill or a full disk; "
            f"cut off {len(content) - end} bytes"
        )

    def _append(self, text: bytes) -> None:
        file = os.open(self._path, os.O_RDWR | os.O_APPEND)
        try:
            self._check(os.fstat(file))
            end = _end_of_last_line(file)
            if end < os.fstat(file).st_size:
                os.ftruncate(file, end)
            try:
                write_all(file, text)
                os.fsync(file)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(file, end)
                raise
        finally:
            os.close(file)

    def _check(self, found: os.stat_result) -> None:
        if not os.path.samestat(found, os.fstat(self._held)):
            raise self._replaced()

    def _replaced(self) -> LedgerError:
        return LedgerError(
            f"{self._path}: the ledger was deleted or replaced while it was in use; "
            "nothing was written to the one that is there now"
        )


def open_journal(path: Path) -> JournalStorage:
    """Open the journal at ``path``, which is made if there is none.

    Raises
    ------
    LedgerError
        If it holds something other than Optuna's records.
    """
    try:
        return JournalStorage(JournalFile(path))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LedgerError(
            f"{path}: line {_first_bad_line(path)} is not a record: {error}"
        ) from error
    except OSError as error:
        raise LedgerError(f"{path}: the ledger cannot be opened: {error}") from error


def _end_of_last_line(file: int) -> int:
    """Return the offset after the last newline, reading backwards from the end."""
    end = os.fstat(file).st_size
    while end:
        start = max(0, end - 4096)
        os.lseek(file, start, os.SEEK_SET)
        newline = os.read(file, end - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def write_all(file: int, text: bytes) -> None:
    """Write to a file descriptor, going on after a short write."""
    while text:
        text = text[os.write(file, text) :]


def _is_record(line: bytes) -> bool:
    if not line.endswith(b"\n"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _first_bad_line(path: Path) -> int:
    lines = path.read_bytes().splitlines(keepends=True)
    return next((i for i, line in enumerate(lines, 1) if not _is_record(line)), len(lines))
