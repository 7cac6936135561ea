"""How much of a run is done, and how long the rest will take."""

import time
from collections.abc import Iterable

from ganbench.study.monitor import RunningTrial

SETTLED_SECONDS = 3.0
"""Before this, speed says nothing: a first step takes far longer than the next."""
FIRST_STEPS = 5
"""Of a trial: during these it may be compiled, for a minute, and they say nothing either."""


class Workload:
    """Steps done and to do, in one run of a study."""

    def __init__(self) -> None:
        self._total = 0
        self._waiting = 0
        self._trained = 0
        self._began = time.monotonic()
        self._first_start: float | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def add(self, steps: int) -> None:
        """Count a trial of so many steps as waiting."""
        self._total += steps
        self._waiting += steps

    def start(self, trial: RunningTrial) -> None:
        """Count a trial as no longer waiting; what a checkpoint saved is no work."""
        if self._first_start is None:
            self._first_start = time.monotonic()
        self._waiting -= trial.steps
        self._total -= trial.resumed_at

    def end(self, trial: RunningTrial, steps: int) -> None:
        """Count a trial that ended after ``steps``."""
        self._trained += max(0, steps - trial.resumed_at)

    def put_back(self, trial: RunningTrial) -> None:
        """Count a trial as waiting again."""
        self._trained += trial.step - trial.resumed_at
        self._total += trial.resumed_at
        self._waiting += trial.steps

    def drop(self, steps: int) -> None:
        """Count steps of waiting trials as not wanted any more."""
        self._waiting -= steps
        self._total -= steps

    def share(self, running: Iterable[RunningTrial]) -> float:
        """Return the share of the steps that is done, 0 to 1."""
        return 1 - self._left(running) / self._total if self._total > 0 else 1.0

    def remaining(self, running: Iterable[RunningTrial]) -> float | None:
        """Return the seconds still to go at the pace so far; None while there is none."""
        running = list(running)
        taken = [trial.step - trial.resumed_at for trial in running]
        trained = self._trained + sum(taken)
        # From the first start: until then the workers were only loading.
        spent = 0.0 if self._first_start is None else time.monotonic() - self._first_start
        is_settled = self._trained > 0 or max(taken, default=0) > FIRST_STEPS
        if not is_settled or spent < SETTLED_SECONDS:
            return None
        return self._left(running) * spent / trained

    def _left(self, running: Iterable[RunningTrial]) -> int:
        return self._waiting + sum(trial.steps - trial.step for trial in running)
