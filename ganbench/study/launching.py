"""Workers of a study that a launcher starts, followed until they have ended."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from optuna.trial import TrialState

from ganbench.plugin import Launcher, WorkerStatus
from ganbench.study.interrupts import Interrupts
from ganbench.study.records import ANSWERS, Record

LOOK_SECONDS = 1.0
COUNT_SECONDS = 10.0
"""How often the ledger is asked: it has better things to do."""
ENDED = ("done", "failed")


@dataclass(frozen=True)
class Order:
    """What a launcher is to start.

    Attributes
    ----------
    lead : sequence of str
        The command of the one that writes the report.
    worker : sequence of str
        That of the others.
    count : int
        Of all of them, the lead included.
    environment : mapping of str to str
    folder : Path
    """

    lead: Sequence[str]
    worker: Sequence[str]
    count: int
    environment: Mapping[str, str]
    folder: Path


@dataclass(frozen=True)
class Tally:
    """Trials of a study, counted once each, whoever trains them on whatever machine."""

    done: int = 0
    running: int = 0
    failed: int = 0


def tally_of(records: Iterable[Record]) -> Tally:
    """Count a study's trials; those of a search too, and those of several kinds of machines once.

    A trial that failed and was tried again since is as it is now.
    """
    states: dict[tuple[object, ...], set[TrialState]] = {}
    for record in records:
        *trial, _ = record.address
        if record.state != TrialState.FAIL or record.ending.get("outcome") == "failed":
            states.setdefault(tuple(trial), set()).add(record.state)
    done = [seen for seen in states.values() if seen & set(ANSWERS)]
    rest = [seen for seen in states.values() if not seen & set(ANSWERS)]
    running = sum(TrialState.RUNNING in seen for seen in rest)
    return Tally(len(done), running, sum(seen == {TrialState.FAIL} for seen in rest))


class View:
    """Who is told how it goes; this one tells nobody."""

    def started(self, handles: Sequence[str]) -> None:
        """Tell that they are handed over."""

    def looked(self, states: Mapping[str, WorkerStatus]) -> None:
        """Tell where they are, every second or so."""

    def failed(self, handle: str, status: WorkerStatus, leads: bool) -> None:
        """Tell that one has failed, and will not be started again."""

    def stopping(self, at_once: bool) -> None:
        """Tell that the user has asked for the end."""


@dataclass
class _Watch:
    launcher: Launcher
    lead: str
    handles: Sequence[str]
    view: View
    told: set[str] = field(default_factory=set)
    asked: int = 0

    def until_the_end(self, interrupts: Interrupts) -> str:
        while True:
            states = self.launcher.poll(self.handles)
            left = [handle for handle, status in states.items() if status.state not in ENDED]
            self._tell(states)
            if not left:
                return states[self.lead].state
            if interrupts.count > self.asked:
                self.asked = interrupts.count
                self.view.stopping(self.asked > 1)
                self.launcher.stop(left, at_once=self.asked > 1)
            elif states[self.lead].state == "done" and not self.asked:
                # The study is over: those that still wait for their turn need not have it.
                self.asked = 1
                self.launcher.stop(left)
            self.view.looked(states)
            time.sleep(LOOK_SECONDS)

    def _tell(self, states: Mapping[str, WorkerStatus]) -> None:
        for handle, status in states.items():
            if status.state == "failed" and handle not in self.told and not self.asked:
                self.told.add(handle)
                self.view.failed(handle, status, handle == self.lead)


@dataclass(frozen=True)
class Result:
    """How it went.

    Attributes
    ----------
    written : bool
        Whether the lead came to its end, and with it the study.
    interrupted : bool
    """

    written: bool
    interrupted: bool


def launch(launcher: Launcher, order: Order, view: View) -> Result:
    """Start the workers of a study, and stay until all have ended.

    Nothing that ends is started again: schedulers do that, and what one worker leaves another
    takes. Ctrl-C stops what was started; a second one kills it.

    Raises
    ------
    GanbenchError
        If they cannot be started, or no longer be found; what was started is stopped then.
    """
    handles: list[str] = []
    with Interrupts() as interrupts:
        try:
            handles += launcher.start(order.lead, 1, order.environment, order.folder)
            if order.count > 1:
                handles += launcher.start(
                    order.worker, order.count - 1, order.environment, order.folder
                )
            view.started(handles)
            state = _Watch(launcher, handles[0], handles, view).until_the_end(interrupts)
        except BaseException:
            launcher.stop(handles)
            raise
        return Result(state == "done", interrupts.count > 0)
