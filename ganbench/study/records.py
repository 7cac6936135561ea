"""One trial as the ledger records it, to and from Optuna's attributes."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from ganbench.study.results import EvaluationPoint


@dataclass(frozen=True)
class Cell:
    """An arm at a seed, as work to do.

    Attributes
    ----------
    arm : str
    seed : int
    key : str
        Hash of the resolved configuration.
    fingerprint : str
        Hash of what the configuration only names, or does not say: data, extractor, plugin
        files, the kind of device, versions.
    levels : mapping of str to str
        Every factor's level in this arm, as text.
    """

    arm: str
    seed: int
    key: str
    fingerprint: str
    levels: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, int, str]:
        """What a result is found again by; two arms that are the same share it."""
        return self.key, self.seed, self.fingerprint

    def attributes(self) -> dict[str, Any]:
        """Return what a trial carries from the moment it waits."""
        return {
            "arm": self.arm,
            "seed": self.seed,
            "key": self.key,
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True)
class Ending:
    """How a trial ended that did not fail.

    Attributes
    ----------
    outcome : {"complete", "diverged"}
    value : float
        The primary figure at the last step; infinity for a trial that has none.
    evaluations : tuple of EvaluationPoint
    training_seconds, evaluation_seconds : float
    steps : int
        Steps done.
    error : str or None
        Where it diverged.
    details : mapping
        The resolved order of hooks, the trained parameters, and the ``provenance``.
    """

    outcome: Literal["complete", "diverged"]
    value: float
    evaluations: tuple[EvaluationPoint, ...]
    training_seconds: float
    evaluation_seconds: float
    steps: int
    error: str | None
    details: Mapping[str, Any]

    def attributes(self) -> dict[str, Any]:
        """Return what the ledger holds beside Optuna's own fields."""
        return {
            "outcome": self.outcome,
            "evaluations": [asdict(point) for point in self.evaluations],
            "training_seconds": self.training_seconds,
            "evaluation_seconds": self.evaluation_seconds,
            "steps": self.steps,
            "error": self.error,
            "details": dict(self.details),
        }


@dataclass(frozen=True)
class Record:
    """A trial of the ledger.

    Attributes
    ----------
    study : str
        Name of the Optuna study that it stands in.
    trial : FrozenTrial
    """

    study: str
    trial: FrozenTrial

    @property
    def number(self) -> int:
        """The trial's number in its Optuna study."""
        return self.trial.number

    @property
    def state(self) -> TrialState:
        """Waiting, running, complete or failed."""
        return self.trial.state

    @property
    def attributes(self) -> Mapping[str, Any]:
        """What ganbench noted of it."""
        return self.trial.user_attrs

    @property
    def identity(self) -> tuple[str, int, str]:
        """As ``Cell.identity``."""
        own = self.attributes
        return own["key"], own["seed"], own["fingerprint"]

    @property
    def evaluations(self) -> tuple[EvaluationPoint, ...]:
        """The evaluations of a trial that ended."""
        return tuple(EvaluationPoint(**point) for point in self.attributes.get("evaluations", ()))


def read_records(storage: BaseStorage) -> list[Record]:
    """Return every trial that ganbench added, by Optuna study and number."""
    # Somebody may have added trials of their own, in Optuna's dashboard for one.
    ours = {"key", "seed", "fingerprint"}
    return [
        Record(study.study_name, trial)
        for study in storage.get_all_studies()
        for trial in storage.get_all_trials(
            storage.get_study_id_from_name(study.study_name), deepcopy=False
        )
        if ours <= trial.user_attrs.keys()
    ]


def complete_identities(records: Iterable[Record]) -> set[tuple[str, int, str]]:
    """Return the cells that some complete trial answers."""
    return {record.identity for record in records if record.state == TrialState.COMPLETE}


def settle(records: Iterable[Record]) -> dict[tuple[str, int, str], Record]:
    """Choose the record that answers each cell: the first complete one, or else the last."""
    chosen: dict[tuple[str, int, str], Record] = {}
    for record in records:
        known = chosen.get(record.identity)
        if known is None or _rank(record) > _rank(known):
            chosen[record.identity] = record
    return chosen


def _rank(record: Record) -> tuple[bool, float]:
    ended = record.trial.datetime_complete
    if record.state == TrialState.COMPLETE:
        return True, -ended.timestamp() if ended is not None else 0.0
    return False, ended.timestamp() if ended is not None else float("inf")
