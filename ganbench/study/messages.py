"""What supervisor and workers tell each other, each worker through a pipe of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ganbench.config.model import Component, Evaluation, TrialConfig
from ganbench.study.definition import Definition
from ganbench.study.places import Place
from ganbench.study.records import Cell
from ganbench.study.run_plan import TOGETHER
from ganbench.study.search import Rules
from ganbench.study.storage import Address


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know of a study.

    Attributes
    ----------
    report : Path
        The report folder, absolute.
    definition : Definition
    dataset : Component
    evaluation : Evaluation
    configs : mapping of str to TrialConfig
        By their keys.
    plugins : tuple of Path
        Plugin files.
    data_root : Path or None
    cache : Path
    device : str
    searches : mapping of str to Rules
        By the names of their Optuna studies.
    files : Path, BucketPlace or None
        Where the trials' files are, if not in the report folder.
    storage : Address or None
        Where the trials stand, if not in the report folder's journal.
    instrument : mapping
        What this machine makes and measures trials with. On a shared storage, some wait for
        machines of another kind.
    fingerprints : mapping of str to str
        Those of ``configs`` when the study began, by their keys.
    """

    report: Path
    definition: Definition
    dataset: Component
    evaluation: Evaluation
    configs: Mapping[str, TrialConfig]
    plugins: tuple[Path, ...]
    data_root: Path | None
    cache: Path
    device: str
    searches: Mapping[str, Rules] = field(default_factory=dict)
    files: Place | None = None
    storage: Address | None = None
    instrument: Mapping[str, Any] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @property
    def together(self) -> int:
        """What ``execution.together: auto`` is."""
        return int(self.instrument.get(TOGETHER, 1))

    @property
    def room(self) -> int:
        """How many trials a worker may be at, at most."""
        rooms = [config.execution.company(self.together) for config in self.configs.values()]
        return max(rooms, default=1)

    def room_of(self, cell: Cell) -> int:
        """Return how many trials of a cell's configuration a worker is at, as far as is known."""
        config = self.configs.get(cell.key)
        if config is None or cell.draw is not None:
            return 1
        return config.execution.company(self.together)


@dataclass(frozen=True)
class Stop:
    """To a worker: save a checkpoint, put the trial back, and end."""


@dataclass(frozen=True)
class Look:
    """To a worker that found no trial waiting: there may be one now."""


@dataclass(frozen=True)
class Claimed:
    """A trial is the worker's, and is being built."""

    number: int
    arm: str
    seed: int
    key: str
    steps: int


@dataclass(frozen=True)
class Alive:
    """Something goes on that has nothing else to tell, such as a download or an evaluation."""


@dataclass(frozen=True)
class Started:
    """A trial starts, or goes on from ``step``."""

    number: int
    arm: str
    seed: int
    key: str
    step: int
    steps: int


@dataclass(frozen=True)
class Pulse:
    """How far a trial is; ``figure`` is the latest primary one, ``warned`` if warnings stand."""

    number: int
    step: int
    steps_per_second: float
    state: Literal["training", "evaluating"]
    figure: float | None = None
    health: str | None = None
    warned: bool = False


@dataclass(frozen=True)
class Ended:
    """A trial ended: complete, diverged, pruned or failed.

    Attributes
    ----------
    kind : str or None
        Where a failure came from: failures of one kind are likely to have one cause.
    """

    number: int
    arm: str
    seed: int
    key: str
    outcome: Literal["complete", "diverged", "pruned", "failed"]
    steps: int
    figure: float | None
    seconds: float
    error: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class NotApplicable:
    """An arm turned out not to apply."""

    number: int
    key: str
    reason: str
    fingerprint: str | None = None


@dataclass(frozen=True)
class PutBack:
    """The trial waits again; the worker ends."""

    number: int


@dataclass(frozen=True)
class Overtaken:
    """Another machine has ended the trial that this worker was at."""

    number: int


@dataclass(frozen=True)
class Idle:
    """No trial waits; the worker does, for ``Look`` or ``Stop``."""


@dataclass(frozen=True)
class Notice:
    """Something that the user should know; the work goes on."""

    text: str


@dataclass(frozen=True)
class Broken:
    """The worker cannot go on, and no other could: the user must mend something first."""

    message: str


Message = (
    Alive
    | Claimed
    | Started
    | Pulse
    | Ended
    | NotApplicable
    | PutBack
    | Overtaken
    | Idle
    | Notice
    | Broken
)
