"""The ledger: Optuna records every trial, one an arm and seed, and hands out the work."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from ganbench.study.journal import JOURNAL, open_journal
from ganbench.study.records import Cell, Ending, Record, read_records


@dataclass(frozen=True)
class Definition:
    """What an Optuna study's parameters are.

    Attributes
    ----------
    name : str
        The study file's name.
    arms : tuple of str
    factors : mapping of str to tuple of str
        Each factor's levels, as text.
    seeds : tuple of int
        Their range may change within an Optuna study.
    """

    name: str
    arms: tuple[str, ...]
    factors: Mapping[str, tuple[str, ...]]
    seeds: tuple[int, ...]

    @property
    def study_name(self) -> str:
        """The name, and a hash of the rest.

        Optuna lets no categorical parameter change its choices, so each set of arms and
        levels is an Optuna study of its own.
        """
        text = json.dumps([self.arms, self.factors], sort_keys=True)
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return the parameters as Optuna knows them."""
        return {
            **{key: CategoricalDistribution(levels) for key, levels in self.factors.items()},
            "arm": CategoricalDistribution(self.arms),
            "seed": IntDistribution(min(self.seeds), max(self.seeds)),
        }

    def parameters(self, cell: Cell) -> dict[str, Any]:
        """Return a cell's value of each parameter."""
        return {**cell.levels, "arm": cell.arm, "seed": cell.seed}


@dataclass(frozen=True)
class Claim:
    """A cell that this process is to train, by its trial's number in Optuna's study."""

    number: int
    arm: str
    seed: int
    key: str
    fingerprint: str


class Ledger:
    """The records of one journal, and the waiting trials of one Optuna study in it.

    Work is handed out by turning a waiting trial into a running one, which the storage
    grants to one process only. ``Study.ask`` is not used: with an empty queue it would
    sample a cell that nobody asked for.

    Parameters
    ----------
    folder : Path
        Made if there is none.
    definition : Definition

    Raises
    ------
    LedgerError
        If there is a journal that cannot be read; by every method that writes, if it cannot.
    """

    def __init__(self, folder: Path, definition: Definition) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        folder.mkdir(parents=True, exist_ok=True)
        self.definition = definition
        self._storage = open_journal(folder / JOURNAL)
        self._study = self._open_study()
        self._claimed: set[int] = set()

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Note what Optuna's dashboard should show of the study."""
        known = self._storage.get_study_user_attrs(self._study)
        for key, value in attributes.items():
            if known.get(key) != value:
                self._storage.set_study_user_attr(self._study, key, value)

    def records(self) -> list[Record]:
        """Return every trial of the journal."""
        return read_records(self._storage)

    def queue(
        self, cells: Iterable[Cell], window: int | None = None, orphans: bool = True
    ) -> list[Cell]:
        """Let those ``cells`` wait, in order, that no complete trial answers yet.

        Only for the one supervisor: waiting trials that nobody wants any more are put away.

        Parameters
        ----------
        cells : iterable of Cell
        window : int or None
            How many may wait at a time; a storage slows down with the length of its queue.
        orphans : bool
            Whether nobody can be at work, so that trials that are running wait again.

        Returns
        -------
        list of Cell
            What is not answered yet: it waits, runs, or is still to be queued.
        """
        missing = {cell.identity: cell for cell in cells}
        records = self.records()
        own = self.definition.study_name
        complete = [record for record in records if record.state == TrialState.COMPLETE]
        here = {record.identity for record in complete if record.study == own}
        for record in complete:
            cell = missing.pop(record.identity, None)
            if cell is not None and record.identity not in here:
                self._adopt(cell, record)
        unanswered = list(missing.values())
        waiting = 0
        for record in records:
            if record.study != own or record.state.is_finished():
                continue
            wanted = missing.pop(record.identity, None) is not None
            if record.state == TrialState.RUNNING and not orphans:
                continue
            if not wanted:
                self.fail(record.number, "superseded", "nobody wants this trial any more")
                continue
            if record.state == TrialState.RUNNING:
                self.put_back(record.number)
            waiting += 1
        room = None if window is None else max(0, window - waiting)
        for cell in list(missing.values())[:room]:
            self._add(cell)
        return unanswered

    def withdraw(self, key: str, reason: str) -> int:
        """Put away the waiting trials of a configuration; return how many there were."""
        found = [
            record
            for record in self.records()
            if record.study == self.definition.study_name
            and record.state == TrialState.WAITING
            and record.attributes["key"] == key
        ]
        return sum(self.fail(record.number, "not applicable", reason) for record in found)

    def claim(self) -> Claim | None:
        """Take the first waiting trial, which then nobody else gets; None if none waits."""
        waiting = self._storage.get_all_trials(
            self._study, deepcopy=False, states=(TrialState.WAITING,)
        )
        for trial in waiting:
            # The storage recognises a grant by the last trial that this process ran, so
            # one that it has had before could seem granted when another process has it.
            if trial.number in self._claimed or "key" not in trial.user_attrs:
                continue
            try:
                granted = self._storage.set_trial_state_values(
                    self._trial(trial.number), state=TrialState.RUNNING
                )
            except UpdateFinishedTrialError:
                continue
            if granted:
                self._claimed.add(trial.number)
                own = trial.user_attrs
                return Claim(trial.number, own["arm"], own["seed"], own["key"], own["fingerprint"])
        return None

    def put_back(self, number: int) -> None:
        """Let a running trial wait again."""
        self._end(number, {}, TrialState.WAITING)

    def note(self, number: int, step: int, value: float | None) -> None:
        """Record the primary figure at a step."""
        if value is not None and math.isfinite(value):
            self._update(self._storage.set_trial_intermediate_value, number, step, value)

    def finish(self, number: int, ending: Ending) -> bool:
        """Record a trial's end; False if it had ended already, which then stands."""
        return self._end(number, ending.attributes(), TrialState.COMPLETE, ending.value)

    def fail(
        self, number: int, outcome: str, error: str, details: Mapping[str, Any] | None = None
    ) -> bool:
        """Record why a trial failed; False if it had ended already, which then stands."""
        attributes = {"outcome": outcome, "error": error, "details": dict(details or {})}
        return self._end(number, attributes, TrialState.FAIL)

    def _end(
        self,
        number: int,
        attributes: Mapping[str, Any],
        state: TrialState,
        value: float | None = None,
    ) -> bool:
        for key, attribute in attributes.items():
            if not self._update(self._storage.set_trial_user_attr, number, key, attribute):
                return False
        values = None if value is None else [value]
        return self._update(self._storage.set_trial_state_values, number, state, values)

    def _update(self, method: Any, number: int, *arguments: Any) -> bool:
        """Change a trial unless it has ended: the first complete result stands."""
        try:
            method(self._trial(number), *arguments)
        except UpdateFinishedTrialError:
            return False
        return True

    def _add(self, cell: Cell) -> None:
        template = create_trial(
            state=TrialState.WAITING,
            params=self.definition.parameters(cell),
            distributions=self.definition.distributions(),
            user_attrs=cell.attributes(),
        )
        self._storage.create_new_trial(self._study, template)

    def _adopt(self, cell: Cell, record: Record) -> None:
        """Copy a result that another set of arms left, so that the study shows it too."""
        template = create_trial(
            state=TrialState.COMPLETE,
            value=record.trial.value,
            params=self.definition.parameters(cell),
            distributions=self.definition.distributions(),
            user_attrs={**record.attributes, **cell.attributes(), "from": record.study},
            intermediate_values=record.trial.intermediate_values,
        )
        self._storage.create_new_trial(self._study, template)

    def _trial(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study, number)

    def _open_study(self) -> int:
        name = self.definition.study_name
        try:
            return self._storage.get_study_id_from_name(name)
        except KeyError:
            pass
        try:
            return self._storage.create_new_study([StudyDirection.MINIMIZE], name)
        except DuplicatedStudyError:  # somebody was faster
            return self._storage.get_study_id_from_name(name)
