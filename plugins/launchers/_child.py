"""A command as a child of a scheduler's process, at the place where it runs.

Imported there, so it needs the standard library only.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

THIS_PYTHON = ""
"""Stands for the Python of the place where a command runs."""
LOOK_SECONDS = 0.25
GRACE_SECONDS = 75.0
"""How long a child may take to end: a worker waits a minute for its own."""


def portable(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command that means the Python of its place where it means this one."""
    first = THIS_PYTHON if command[0] == sys.executable else command[0]
    return (first, *command[1:])


class Child:
    """A command that runs, and that does not outlive this process.

    Parameters
    ----------
    command : sequence of str
        As ``portable`` returns it.
    environment : mapping of str to str
        On top of this process's.
    log : Path, optional
        What it prints is added to it; else it prints where this process does.

    Raises
    ------
    OSError
        If it cannot be started.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path | None = None
    ) -> None:
        program = sys.executable if command[0] == THIS_PYTHON else command[0]
        leash = [sys.executable, "-m", f"{__package__}._leash", str(os.getpid())]
        output = None
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            output = log.open("ab")
        try:
            self._process = subprocess.Popen(  # noqa: S603
                [*leash, program, *command[1:]],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=None if output is None else subprocess.STDOUT,
            )
        finally:
            if output is not None:
                output.close()

    def wait(self) -> int:
        """Return its exit code; whatever interrupts the waiting ends it."""
        try:
            # Looking now and then, since an interrupt may be a flag that no system call sees.
            while (code := self._process.poll()) is None:
                time.sleep(LOOK_SECONDS)
            return code
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Ask it to end, and kill it if it does not."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
            return
        self._process.kill()
        self._process.wait()


def run(command: Sequence[str], environment: Mapping[str, str], log: str) -> int:
    """Run a command to its end, and return its exit code; parameters as of ``Child``."""
    return Child(command, environment, Path(log)).wait()
