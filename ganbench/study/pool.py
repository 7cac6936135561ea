"""The worker processes: started, watched, replaced when they die."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ganbench.study import worker
from ganbench.study.environment import environment_of_workers, worker_environment
from ganbench.study.forks import can_fork, interrupts_ignored, serve
from ganbench.study.messages import Job, Look, Message, Stop
from ganbench.study.monitor import RunningTrial

GRACE_SECONDS = 60.0
"""How long a worker may take to stop: an evaluation, a checkpoint."""


class WorkerProcess:
    """One worker and what it is at.

    Parameters
    ----------
    index : int
    job : Job
        With the worker's own device.

    Attributes
    ----------
    trials : dict of int to RunningTrial
        By their numbers.
    idle : bool
        It found no trial waiting.
    finished : bool
        It has been told to end, or has said that it does; if it ends otherwise it died.
    """

    def __init__(self, index: int, job: Job) -> None:
        self.index, self.job = index, job
        self.trials: dict[int, RunningTrial] = {}
        self.idle = self.finished = False
        self._ended_for: str | None = None
        forks = can_fork(job.device)
        # CUDA cannot be forked; and what is forked is a process that has imported and done no
        # more, since a fork of this one would copy torch's thread pools.
        context = get_context("forkserver") if forks else get_context("spawn")
        self.connection, theirs = context.Pipe()
        environment = {**os.environ, **worker_environment(job.device)}
        self.process: BaseProcess = context.Process(
            target=_work,
            args=(worker.main, environment, job, theirs),
            name=f"ganbench worker {index}",
        )
        if forks:
            serve()
            # It ignores interrupts, as the server does. This process must not meanwhile: it waits
            # until the server has imported everything.
            self.process.start()
        else:
            with environment_of_workers(job.device), interrupts_ignored():
                self.process.start()
        theirs.close()  # so that the worker's death closes the pipe

    def receive(self) -> Iterator[Message]:
        """Give what the worker has said; ends at what is not there yet, or at its death."""
        try:
            while self.connection.poll():
                yield self.connection.recv()
        except (EOFError, OSError):
            return

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.is_alive()

    @property
    def cause_of_death(self) -> str:
        """Its exit code, or the signal that killed it, by name; or what it was ended for."""
        if self._ended_for is not None:
            return self._ended_for
        code = self.process.exitcode or 0
        if code < 0:
            name = signal.Signals(-code).name
            hint = ", as when memory runs out" if name == "SIGKILL" else ""
            return f"killed by {name}{hint}"
        return f"ended with exit code {code}"

    def ask_to_stop(self) -> None:
        """Let it save a checkpoint, put its trial back and end."""
        self.finished = True
        with suppress(OSError):
            self.connection.send(Stop())

    def ask_to_look(self) -> None:
        """Let it look for a trial once more."""
        self.idle = False
        with suppress(OSError):
            self.connection.send(Look())

    def kill(self, cause: str | None = None) -> None:
        """End it at once.

        Parameters
        ----------
        cause : str or None
            What for, if it is to be told.
        """
        self._ended_for = cause
        self.process.kill()

    def close(self) -> None:
        """Free what belongs to a process that has ended."""
        self.process.join()
        self.connection.close()


class Pool:
    """Some workers, over some devices.

    Parameters
    ----------
    job : Job
    devices : tuple of str
        Dealt out in turn.
    """

    def __init__(self, job: Job, devices: tuple[str, ...]) -> None:
        self._job, self._devices = job, devices
        self.workers: list[WorkerProcess] = []

    def start(self, index: int) -> None:
        """Start the worker of an index, or its replacement."""
        device = self._devices[index % len(self._devices)]
        self.workers.append(WorkerProcess(index, replace(self._job, device=device)))

    def wait(self, seconds: float) -> None:
        """Wait until a worker has said something, or has ended."""
        events: list[Connection | int] = [w.connection for w in self.workers]
        events += [w.process.sentinel for w in self.workers]
        wait(events, timeout=seconds)

    def remove(self, dead: WorkerProcess) -> None:
        """Let go of a worker that has ended."""
        dead.close()
        self.workers.remove(dead)

    def ask_to_stop(self) -> None:
        """Let every worker save a checkpoint, put its trial back and end."""
        for one in self.workers:
            one.ask_to_stop()

    def end(self, in_a_hurry: Callable[[], bool]) -> None:
        """End every worker: politely first, and by force what does not listen."""
        self.ask_to_stop()
        deadline = time.monotonic() + GRACE_SECONDS
        while self.workers and time.monotonic() < deadline and not in_a_hurry():
            for one in list(self.workers):
                for _ in one.receive():
                    pass
                if not one.alive:
                    self.remove(one)
            if self.workers:
                self.wait(0.2)
        self.kill()

    def kill(self) -> None:
        """End every worker at once."""
        for one in list(self.workers):
            one.kill()
            self.remove(one)


def _work(
    main: Callable[[Job, Connection], None],
    environment: Mapping[str, str],
    job: Job,
    connection: Connection,
) -> None:
    """Be a worker, in the environment of who started it: a server's is that of its own start."""
    os.environ.clear()
    os.environ.update(environment)
    main(job, connection)
