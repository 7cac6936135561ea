"""One trial as the ledger records it, to and from Optuna's attributes."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from ganbench.study.results import EvaluationPoint

STUDY = "study"
"""Attribute of an Optuna study: the name of the study file that it belongs to."""
ANSWERS = (TrialState.COMPLETE, TrialState.PRUNED)
"""States of trials that have a result."""
CELL = ("arm", "seed", "key", "fingerprint", "config", "index")
"""Attributes that a trial carries from the moment it waits."""
FAILURE = "failure"
"""Attribute of a trial without a result: its outcome, the error, and more. It is apart from a
result's, for another machine may give a trial up while its worker is recording one."""


@dataclass(frozen=True)
class Draw:
    """A configuration that a search proposes.

    Attributes
    ----------
    search : str
        Name of the search's Optuna study.
    index : int
        Which of the search's configurations, from 0.
    parameters, distributions : mapping
        As Optuna is to know them.
    seeds : tuple of int
        The seeds that the search trains its configurations with.
    objectives : int
        How many figures it minimises.
    notes : mapping
        What Optuna's sampler must find again with the trial, such as its generation.
    """

    search: str
    index: int
    parameters: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    seeds: tuple[int, ...]
    objectives: int
    notes: Mapping[str, Any] = field(default_factory=dict)


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
    draw : Draw or None
        Where the configuration is not an arm's own, but one that is tried for it.
    config : mapping or None
        The whole trial configuration, as plain values, where it came up during the run.
    """

    arm: str
    seed: int
    key: str
    fingerprint: str
    levels: Mapping[str, str] = field(default_factory=dict)
    draw: Draw | None = None
    config: Mapping[str, Any] | None = None

    @property
    def identity(self) -> tuple[str, int, str]:
        """What a result is found again by; two arms that are the same share it."""
        return self.key, self.seed, self.fingerprint

    @property
    def address(self) -> tuple[Any, ...]:
        """The identity, within its search: what is trained there is no result of the study."""
        if self.draw is None:
            return "", -1, *self.identity
        return self.draw.search, self.draw.index, *self.identity

    def attributes(self) -> dict[str, Any]:
        """Return what a trial carries from the moment it waits."""
        own: dict[str, Any] = {
            "arm": self.arm,
            "seed": self.seed,
            "key": self.key,
            "fingerprint": self.fingerprint,
        }
        if self.config is not None:
            own["config"] = dict(self.config)
        if self.draw is not None:
            own["index"] = self.draw.index
        return own


@dataclass(frozen=True)
class Ending:
    """How a trial ended that did not fail.

    Attributes
    ----------
    outcome : {"complete", "diverged", "pruned"}
        Only a search's trials are pruned.
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
    second : float or None
        What a search minimises besides, if anything.
    """

    outcome: Literal["complete", "diverged", "pruned"]
    value: float
    evaluations: tuple[EvaluationPoint, ...]
    training_seconds: float
    evaluation_seconds: float
    steps: int
    error: str | None
    details: Mapping[str, Any]
    second: float | None = None

    @property
    def state(self) -> TrialState:
        """What it is to Optuna."""
        return TrialState.PRUNED if self.outcome == "pruned" else TrialState.COMPLETE

    @property
    def values(self) -> list[float]:
        """What Optuna is to minimise."""
        return [self.value] if self.second is None else [self.value, self.second]

    def attributes(self) -> dict[str, Any]:
        """Return what the ledger holds beside Optuna's own fields.

        What people read comes first, for Optuna's dashboard shows each as one line, however long.
        """
        own: dict[str, Any] = {"outcome": self.outcome}
        if self.error is not None:
            own["error"] = self.error
        if self.evaluations:
            last = self.evaluations[-1]
            own |= {"health": last.health, "figures": dict(last.figures)}
        return {
            **own,
            "steps": self.steps,
            "training_seconds": self.training_seconds,
            "evaluation_seconds": self.evaluation_seconds,
            "details": dict(self.details),
            "evaluations": [asdict(point) for point in self.evaluations],
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
    def index(self) -> int | None:
        """Which of a search's configurations this trained; None for a trial of an arm."""
        index: int | None = self.attributes.get("index")
        return index

    @property
    def address(self) -> tuple[Any, ...]:
        """As ``Cell.address``."""
        if self.index is None:
            return "", -1, *self.identity
        return self.study, self.index, *self.identity

    @property
    def ending(self) -> Mapping[str, Any]:
        """What was noted of its end: ``outcome``, ``error``, ``details``, and a result's figures.

        Empty of a trial that has not ended. The outcome of one without a result is "failed" or
        "not applicable"; or, where another trial stands for its cell, "lost", "put back" or
        "superseded".
        """
        if self.state in ANSWERS:
            return self.attributes
        if self.state != TrialState.FAIL:
            return {}
        failure: Mapping[str, Any] = self.attributes.get(FAILURE, self.attributes)
        return failure

    @property
    def has_failed(self) -> bool:
        """Whether it ended without a result, and no other trial stands for it."""
        ended_so = self.ending.get("outcome") in ("failed", "not applicable")
        return self.state == TrialState.FAIL and ended_so

    @property
    def evaluations(self) -> tuple[EvaluationPoint, ...]:
        """The evaluations of a trial that has a result."""
        recorded = self.ending.get("evaluations", ())
        return tuple(EvaluationPoint.read(point) for point in recorded)


def read_records(
    storage: BaseStorage, name: str | None = None, only: str | None = None
) -> list[Record]:
    """Return every trial that ganbench added, by Optuna study and number.

    Parameters
    ----------
    storage : BaseStorage
    name : str or None
        Of the only study whose trials to return; a storage may hold other people's too.
    only : str or None
        Name of the only Optuna study whose trials to return.
    """
    # Somebody may have added trials of their own, in Optuna's dashboard for one.
    ours = {"key", "seed", "fingerprint"}
    return [
        Record(study.study_name, trial)
        for study in storage.get_all_studies()
        if only in (None, study.study_name)
        and (name is None or study.user_attrs.get(STUDY) == name)
        for trial in storage.get_all_trials(
            storage.get_study_id_from_name(study.study_name), deepcopy=False
        )
        if ours <= trial.user_attrs.keys()
    ]


def failures(
    records: Iterable[Record], forgiven: Container[tuple[str, int]] = ()
) -> dict[tuple[Any, ...], Record]:
    """Return, by address, the cells whose trial failed, or turned out not to apply.

    Those that were tried again since are not among them.

    Parameters
    ----------
    records : iterable of Record
    forgiven : container of (str, int)
        Failed trials that do not count, by Optuna study and number.
    """
    return {
        address: record
        for address, record in _chosen(records).items()
        if record.has_failed and (record.study, record.number) not in forgiven
    }


def running(
    records: Iterable[Record], cells: Iterable[Cell]
) -> dict[tuple[Any, ...], tuple[str, int]]:
    """Return those of some cells that somebody is at: by address, the key and the seed."""
    asked = {cell.address for cell in cells}
    return {
        record.address: (record.attributes["key"], record.attributes["seed"])
        for record in records
        if record.state == TrialState.RUNNING and record.address in asked
    }


def not_applicable(
    wanted: Iterable[Cell], failed: Mapping[tuple[Any, ...], Record]
) -> dict[str, str]:
    """Return, by key, why configurations do not apply, where a trial of theirs told.

    Parameters
    ----------
    wanted : iterable of Cell
    failed : mapping of address to Record
        As ``failures`` gives it.
    """
    found = [(cell.key, failed[cell.address]) for cell in wanted if cell.address in failed]
    return {
        key: record.ending["error"]
        for key, record in found
        if record.ending["outcome"] == "not applicable"
    }


def complete_identities(records: Iterable[Record]) -> set[tuple[str, int, str]]:
    """Return the study's cells that some complete trial answers."""
    return {
        record.identity
        for record in records
        if record.state == TrialState.COMPLETE and record.index is None
    }


def settle(records: Iterable[Record]) -> dict[tuple[str, int, str], Record]:
    """Choose the record that answers each cell: the first complete one, or else the last.

    One that was put away is chosen where there is no other: it says nothing of the cell. What a
    search trained answers none: its winner was chosen by it.
    """
    arms = (record for record in records if record.index is None)
    return {record.identity: record for record in _chosen(arms).values()}


def _chosen(records: Iterable[Record]) -> dict[tuple[Any, ...], Record]:
    chosen: dict[tuple[Any, ...], Record] = {}
    for record in records:
        known = chosen.get(record.address)
        if known is None or _rank(record) > _rank(known):
            chosen[record.address] = record
    return chosen


def _rank(record: Record) -> tuple[int, float]:
    ended = record.trial.datetime_complete
    if record.state in ANSWERS:
        return 2, -ended.timestamp() if ended is not None else 0.0
    is_put_away = record.state == TrialState.FAIL and not record.has_failed
    return 0 if is_put_away else 1, ended.timestamp() if ended is not None else float("inf")
