"""The base class of launchers: they start commands somewhere, and know whether they still run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from ganbench.plugin.parameters import Parameters


class LauncherParameters(Parameters):
    """Base of a launcher's parameters."""


@dataclass(frozen=True)
class WorkerStatus:
    """Where a started command is.

    Attributes
    ----------
    state : {"waiting", "running", "done", "failed"}
        Waiting: for its turn, or to be started again by the scheduler itself; a launcher that
        cannot tell that from running says running. Done: it ended with exit code 0. Failed: it
        ended otherwise, and nobody will start it again.
    detail : str
        Of one that failed: why, as far as is known.
    """

    state: Literal["waiting", "running", "done", "failed"]
    detail: str = ""


class Launcher:
    """Starts a command somewhere, so many times, and can tell whether it still runs.

    What it starts is idempotent: a worker that is killed and started again, here or elsewhere,
    loses no finished work. So a launcher may let its scheduler start a command again as often
    as that likes, and never has to.
    """

    name: ClassVar[str]
    Parameters: ClassVar[type[LauncherParameters]] = LauncherParameters

    def __init__(self, parameters: LauncherParameters) -> None:
        self.parameters: Any = parameters

    def available(self) -> tuple[bool, str]:
        """Say whether it can be used here, and if not, what to install or to mend."""
        return True, ""

    def start(
        self, command: Sequence[str], count: int, environment: Mapping[str, str], folder: Path
    ) -> Sequence[str]:
        """Start a command ``count`` times; return a handle for each.

        Returns without waiting for any of them to run. May be called more than once.

        Parameters
        ----------
        command : sequence of str
            The program and its arguments. A program that is ``sys.executable`` stands for the
            Python of the place where it runs.
        count : int
            At least 1.
        environment : mapping of str to str
            What must be in the command's environment, on top of what the place gives.
        folder : Path
            For logs, and for what the launcher must keep; it exists.

        Returns
        -------
        sequence of str
            Names by which a user may look for each: a process's number, a job's. None is ever
            given twice.

        Raises
        ------
        GanbenchError
            If it cannot be started.
        """
        raise NotImplementedError

    def poll(self, handles: Sequence[str]) -> Mapping[str, WorkerStatus]:
        """Return where each of some commands is; called every second or so.

        Raises
        ------
        GanbenchError
            If that cannot be known any more.
        """
        raise NotImplementedError

    def stop(self, handles: Sequence[str], at_once: bool = False) -> None:
        """End commands, also those that wait; return without waiting for their end.

        Parameters
        ----------
        handles : sequence of str
            Those that have ended already are no error.
        at_once : bool
            Kill them. Otherwise they are asked with SIGTERM, or what comes nearest to it, so that
            a worker keeps a checkpoint.
        """
        raise NotImplementedError
