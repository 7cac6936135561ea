"""How far a study is: counted from what the workers say and from what the ledger holds."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ganbench.study.messages import Ended
from ganbench.study.monitor import RunningTrial, State
from ganbench.study.records import Cell
from ganbench.study.workload import Workload


class Progress:
    """Counts each cell once, whoever answers it, and whoever tells of it first.

    Parameters
    ----------
    steps : mapping of str to int
        Of each configuration, by its key.
    """

    def __init__(self, steps: Mapping[str, int]) -> None:
        self._steps = dict(steps)
        self._workload = Workload()
        self._state = State([], done=0, total=0)
        self._known: set[tuple[str, int]] = set()
        self._open: set[tuple[str, int]] = set()
        self._started: set[tuple[str, int]] = set()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._workload.elapsed

    @property
    def done(self) -> int:
        """Trials that are answered."""
        return self._state.done

    @property
    def total(self) -> int:
        """Trials that are wanted."""
        return self._state.total

    def count_in(
        self, wanted: Iterable[Cell], missing: Iterable[Cell], failed: Collection[tuple[Any, ...]]
    ) -> None:
        """Compare with the ledger; arms that are the same share trials.

        Parameters
        ----------
        wanted : iterable of Cell
            All of the study, by now.
        missing : iterable of Cell
            Those of them that no result answers yet.
        failed : collection of addresses
            Of those that have failed, and are not to be tried again.
        """
        unanswered = {(cell.key, cell.seed) for cell in missing}
        for cell in wanted:
            one = cell.key, cell.seed
            if cell.config is not None:  # it came up during the run
                self._steps[cell.key] = cell.config["steps"]
            if one not in self._known:
                self._known.add(one)
                self._open.add(one)
                self._state.total += 1
                self._workload.add(self._steps[cell.key])
            elif one in self._started:
                continue  # its worker tells how it ends
            if one in self._open and one not in unanswered:
                self._open.discard(one)
                self._workload.drop(self._steps[cell.key])
                self._count("failed" if cell.address in failed else "complete")

    def start(self, trial: RunningTrial) -> None:
        """Count a trial as one of a worker here."""
        one = trial.key, trial.seed
        if one in self._open:
            self._started.add(one)
            self._workload.start(trial)

    def put_back(self, trial: RunningTrial) -> None:
        """Count a trial as waiting again, or as somebody else's."""
        one = trial.key, trial.seed
        if one in self._started:
            self._started.discard(one)
            self._workload.put_back(trial)

    def end(self, ended: Ended, trial: RunningTrial | None) -> None:
        """Count the end of a trial; one that failed before it started was not at work."""
        one = ended.key, ended.seed
        if one not in self._open:
            return
        self._open.discard(one)
        if one in self._started and trial is not None:
            self._started.discard(one)
            self._workload.end(trial, ended.steps)
        else:
            self._workload.drop(self._steps[ended.key])
        self._count(ended.outcome)

    def withdraw(self, key: str) -> None:
        """Take the open trials of a configuration, which does not apply, out of the study."""
        withdrawn = {one for one in self._open if one[0] == key}
        self._open -= withdrawn
        if withdrawn:  # another machine may have come to one that is not known here yet
            self._workload.drop(len(withdrawn) * self._steps[key])
        self._state.total -= len(withdrawn)

    def now(self, running: Iterable[RunningTrial], stopping: bool, elsewhere: int) -> State:
        """Return a copy of what is known, for a monitor to keep."""
        running = sorted(running, key=lambda one: one.number)
        counted = [one for one in running if (one.key, one.seed) in self._started]
        return replace(
            self._state,
            running=[replace(trial) for trial in running],
            share=self._workload.share(counted),
            elapsed=self._workload.elapsed,
            remaining=self._workload.remaining(counted),
            stopping=stopping,
            elsewhere=elsewhere,
        )

    def _count(self, outcome: str) -> None:
        if outcome == "failed":
            self._state.failed += 1
        else:
            self._state.done += 1
            self._state.diverged += outcome == "diverged"
