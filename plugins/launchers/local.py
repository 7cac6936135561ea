"""Processes on this machine.

The plain example of a launcher. On one machine ``ganbench run`` alone does the same and needs no
storage; this one is for trying out what will run on a cluster.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count as numbers
from pathlib import Path

from ganbench.plugin import GanbenchError, Launcher, LauncherParameters, WorkerStatus


class Local(Launcher):
    """Start processes on this machine, which go on if the one that started them is killed."""

    name = "local"

    def __init__(self, parameters: LauncherParameters) -> None:
        super().__init__(parameters)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, Path] = {}
        self._numbers = numbers()

    def start(
        self, command: Sequence[str], count: int, environment: Mapping[str, str], folder: Path
    ) -> Sequence[str]:
        return [self._start(command, environment, folder) for _ in range(count)]

    def poll(self, handles: Sequence[str]) -> Mapping[str, WorkerStatus]:
        return {handle: self._status(handle) for handle in handles}

    def stop(self, handles: Sequence[str], at_once: bool = False) -> None:
        for handle in handles:
            process = self._processes[handle]
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    if at_once:  # with all that it has started
                        os.killpg(process.pid, signal.SIGKILL)
                    else:
                        process.terminate()

    def _start(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> str:
        log = folder / f"local-{os.getpid()}-{next(self._numbers)}.log"
        try:
            with log.open("ab") as output:
                process = subprocess.Popen(  # noqa: S603
                    list(command),
                    env={**os.environ, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # So that Ctrl-C does not reach it, but `stop` does.
                    start_new_session=True,
                )
        except OSError as error:
            raise GanbenchError(f"{command[0]} cannot be started: {error}") from error
        handle = f"process {process.pid}"
        self._processes[handle], self._logs[handle] = process, log
        return handle

    def _status(self, handle: str) -> WorkerStatus:
        code = self._processes[handle].poll()
        if code is None:
            return WorkerStatus("running")
        if code == 0:
            return WorkerStatus("done")
        how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
        return WorkerStatus("failed", f"{how}; see {self._logs[handle]}")
