"""What a supervisor shows of a study while it runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ganbench.study.messages import Ended, Pulse
from ganbench.study.sequential import Schedule


@dataclass(frozen=True)
class Overview:
    """A study at its start.

    Attributes
    ----------
    name, question : str
    arms, seeds : int
        Arms that apply, and seeds: where they are added, all that there may be.
    family : int
        Arms that Holm's method corrects for: less the baseline, and an A/A arm.
    schedule : Schedule or None
        At how many seeds the results are looked at, where seeds are added.
    skipped : tuple of (str, str)
        Arms that do not apply, with the reasons.
    done, total : int
        Trials answered by the ledger, and all of them.
    steps : int
        Steps of a trial.
    primary : str
    alpha : float
        Family-wise error rate.
    device : str
    workers : int
    report : Path
    quick : bool
    """

    name: str
    question: str
    arms: int
    seeds: int
    family: int
    schedule: Schedule | None
    skipped: tuple[tuple[str, str], ...]
    done: int
    total: int
    steps: int
    primary: str
    alpha: float
    device: str
    workers: int
    report: Path
    quick: bool


@dataclass
class RunningTrial:
    """A trial in a worker's hands; ``resumed_at`` is the step of the checkpoint it had."""

    number: int
    arm: str
    seed: int
    key: str
    resumed_at: int
    step: int
    steps: int
    steps_per_second: float = 0.0
    state: str = "starting"
    figure: float | None = None
    health: str | None = None
    warned: bool = False

    def hear(self, pulse: Pulse) -> None:
        """Take in how far it is."""
        self.step, self.state = pulse.step, pulse.state
        self.figure, self.health, self.warned = pulse.figure, pulse.health, pulse.warned
        self.steps_per_second = pulse.steps_per_second or self.steps_per_second


@dataclass
class State:
    """A study in the middle.

    Attributes
    ----------
    running : list of RunningTrial
    done, total, diverged, failed : int
        Trials; ``done`` counts those from earlier runs and those that diverged, not those
        that failed.
    share : float
        Share of this run's steps that are done, 0 to 1.
    elapsed : float
        Seconds of this run.
    remaining : float or None
        Seconds still to go, once anything can be said.
    stopping : bool
    elsewhere : int
        Trials that other machines train.
    """

    running: list[RunningTrial]
    done: int
    total: int
    diverged: int = 0
    failed: int = 0
    share: float = 0.0
    elapsed: float = 0.0
    remaining: float | None = None
    stopping: bool = False
    elsewhere: int = 0


class Monitor(Protocol):
    """Whom a supervisor keeps informed."""

    def preparing(self, label: str, done: int, total: int | None) -> None:
        """Show how far the preparation is."""

    def begin(self, overview: Overview) -> None:
        """Show what will run."""

    def tick(self, state: State) -> None:
        """Show where the study is; called a few times a second."""

    def ended(self, ended: Ended, state: State) -> None:
        """Show a trial that ended."""

    def notice(self, text: str) -> None:
        """Show something that the user should know."""

    def close(self) -> None:
        """Leave the terminal as it was; may be called twice."""
