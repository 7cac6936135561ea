"""Workers that have stopped getting on: a training that hangs would keep its trial for ever."""

import time
from collections.abc import Iterable, Mapping

from ganbench.study.pool import WorkerProcess

FACTOR = 5
"""A worker may be silent for so many times as long as one was that then went on."""
LONGEST_LOOK = 5.0
"""Seconds that count between two looks, at most: this process, too, may have been stopped."""


class Watchdog:
    """Listens to workers, and finds those that give no more sign of life.

    A heart beats in a thread of its own, whatever the training is at. A sign of life is a message:
    of steps that are done, of a batch that is measured, of a download or a wait for a storage that
    goes on.

    Parameters
    ----------
    seconds : float
        For how long a worker may be silent; longer, where some were that then went on. Zero is for
        ever.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._longest = seconds, 0.0
        self._silences: dict[WorkerProcess, float] = {}
        self._looked = time.monotonic()

    def hear(self, worker: WorkerProcess) -> None:
        """Hear a sign of life."""
        self._longest = max(self._longest, self._silences.pop(worker, 0.0))

    def silent(self, workers: Iterable[WorkerProcess]) -> Mapping[WorkerProcess, float]:
        """Return the workers that have been silent for too long, and how many seconds each.

        One that waits for a trial may be silent.
        """
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, LONGEST_LOOK), now
        self._silences = {
            worker: self._silences.get(worker, 0.0) + passed
            for worker in workers
            if not worker.idle
        }
        if self._seconds == 0:
            return {}
        limit = max(self._seconds, FACTOR * self._longest)
        return {worker: silence for worker, silence in self._silences.items() if silence >= limit}


def stalled(worker: WorkerProcess, seconds: float) -> str:
    """Return the cause of death of a worker that was ended for its silence."""
    states = [trial.state for trial in worker.trials.values()]
    state = max(states, key=states.count, default="starting")
    span = f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"
    return f"killed after {span} without a sign of life while {state}; see --stall"
