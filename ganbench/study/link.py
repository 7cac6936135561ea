"""A worker's bond with its supervisor: what it hears, and that it ends with it."""

import multiprocessing
import os
import threading
import time
from multiprocessing.connection import Connection
from types import FrameType

from ganbench.study.messages import Alive, Idle, Look, Message, Notice

PULSE_SECONDS = 0.25
ALIVE_SECONDS = 1.0


class OrphanedError(Exception):
    """The supervisor is gone; the trial is the next supervisor's."""


def end_with_the_supervisor() -> None:
    """End this process at once when the one that started it has ended, whatever it is at.

    A step, an evaluation or a compilation may take minutes, in which nobody reads the pipe. An
    end at any moment is what the ledger is made for.
    """
    supervisor = multiprocessing.parent_process()
    if supervisor is None:
        return

    def wait() -> None:
        supervisor.join()
        os._exit(1)

    threading.Thread(target=wait, name="waits for the supervisor's end", daemon=True).start()


class Link:
    """A worker's end of its pipe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stopped = False
        self._notices: set[str] = set()
        self._spoke = 0.0

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Treat a signal as a request to stop."""
        self._stopped = True

    def send(self, message: Message) -> None:
        """Tell the supervisor.

        Raises
        ------
        OrphanedError
            If it is gone.
        """
        try:
            self._connection.send(message)
        except OSError as error:
            raise OrphanedError from error
        self._spoke = time.monotonic()

    def alive(self) -> None:
        """Give a sign of life, if there was none for a moment.

        Raises
        ------
        OrphanedError
            If the supervisor is gone.
        """
        if time.monotonic() - self._spoke >= ALIVE_SECONDS:
            self.send(Alive())

    def progress(self, label: str, done: int, total: int | None) -> None:
        """Pass on, of what takes long, that it gets on; errors as of ``alive``."""
        self.alive()

    def stopped_waiting(self) -> bool:
        """Say whether to wait no longer, for a storage that is away; errors as of ``alive``."""
        self.alive()
        return self.stopped()

    def last_words(self, message: Message) -> None:
        """Tell the supervisor, if it is there."""
        try:
            self._connection.send(message)
        except OSError:
            os._exit(1)

    def notice(self, text: str) -> None:
        """Pass something on to the user, once."""
        kind = text.partition(":")[2] or text
        if kind not in self._notices:
            self._notices.add(kind)
            self.send(Notice(text))

    def stopped(self) -> bool:
        """Say whether to stop.

        Raises
        ------
        OrphanedError
            If the supervisor is gone.
        """
        self.check()
        return self._stopped

    def wait(self) -> bool:
        """Say that no trial waits, and hear whether to look again or to end.

        Raises
        ------
        OrphanedError
            If the supervisor is gone.
        """
        self.send(Idle())
        try:
            while not self._stopped:
                # Not without an end: a signal that arrives meanwhile says stop, too.
                if self._connection.poll(PULSE_SECONDS):
                    return isinstance(self._connection.recv(), Look)
        except (EOFError, OSError) as error:
            raise OrphanedError from error
        return False

    def check(self) -> None:
        """Hear whether the supervisor says stop, or is gone: before anything is recorded.

        Raises
        ------
        OrphanedError
            If it is gone: its ledger may be another's by now.
        """
        try:
            if self._connection.poll():
                self._connection.recv()  # to one at work it only ever says stop
                self._stopped = True
        except (EOFError, OSError) as error:
            raise OrphanedError from error
