"""The ledger: Optuna records every trial, one an arm and seed, and hands out the work."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
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
    searches : tuple of str
        Names of the Optuna studies of the study's searches.
    """

    name: str
    arms: tuple[str, ...]
    factors: Mapping[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    searches: tuple[str, ...] = ()

    @property
    def study_name(self) -> str:
        """The name, and a hash of the rest.

        Optuna lets no categorical parameter change its choices, so each set of arms and
        levels is an Optuna study of its own.
        """
        text = json.dumps([self.arms, self.factors], sort_keys=True)
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return the arms' parameters as Optuna knows them."""
        return {
            **{key: CategoricalDistribution(levels) for key, levels in self.factors.items()},
            "arm": CategoricalDistribution(self.arms),
            "seed": IntDistribution(min(self.seeds), max(self.seeds)),
        }

    def parameters(self, cell: Cell) -> dict[str, Any]:
        """Return an arm's value of each parameter."""
        return {**cell.levels, "arm": cell.arm, "seed": cell.seed}


@dataclass(frozen=True)
class Claim:
    """A cell that this process is to train.

    Attributes
    ----------
    number : int
        Its trial's id, unique in the storage.
    arm, seed, key, fingerprint
        As in the ``Cell``.
    search : str or None
        The search that it is a trial of, ``index`` then being which.
    config : mapping or None
        The configuration, as plain values, where it came up during the run.
    """

    number: int
    arm: str
    seed: int
    key: str
    fingerprint: str
    search: str | None = None
    index: int = -1
    config: Mapping[str, Any] | None = None

    @property
    def title(self) -> str:
        """What is trained, as a reader knows it."""
        return self.arm if self.search is None else f"{self.arm}, tuning {self.index + 1}"


class Ledger:
    """The records of one journal, and the waiting trials of one study in it.

    The arms' trials are one Optuna study, each search's trials another.

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
        self._studies: dict[str, int] = {}
        self._study = self._open_study(definition.study_name)
        self._claimed: set[int] = set()

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Note what Optuna's dashboard should show of the study."""
        known = self._storage.get_study_user_attrs(self._study)
        for key, value in attributes.items():
            if known.get(key) != value:
                self._storage.set_study_user_attr(self._study, key, value)

    def records(self, search: str | None = None) -> list[Record]:
        """Return every trial of the journal, or those of one search."""
        return read_records(self._storage, search)

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
        missing = {cell.address: cell for cell in cells}
        records = self.records()
        self._answer(missing, records)
        unanswered = list(missing.values())
        waiting = 0
        for record in records:
            if record.study not in self._own or record.state.is_finished():
                continue
            wanted = missing.pop(record.address, None) is not None
            if record.state == TrialState.RUNNING and not orphans:
                continue
            if not wanted:
                self.fail(self._id(record), "superseded", "nobody wants this trial any more")
                continue
            if record.state == TrialState.RUNNING:
                self.put_back(self._id(record))
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
            if record.study in self._own
            and record.state == TrialState.WAITING
            and record.attributes["key"] == key
        ]
        return sum(self.fail(self._id(record), "not applicable", reason) for record in found)

    def claim(self) -> Claim | None:
        """Take the first waiting trial, which then nobody else gets; None if none waits.

        A search's come first: others wait for what they give.
        """
        for name in (*self.definition.searches, self.definition.study_name):
            study = self._find_study(name)
            if study is None:
                continue
            waiting = self._storage.get_all_trials(
                study, deepcopy=False, states=(TrialState.WAITING,)
            )
            for trial in waiting:
                number = self._storage.get_trial_id_from_study_id_trial_number(study, trial.number)
                # The storage recognises a grant by the last trial that this process ran, so
                # one that it has had before could seem granted when another process has it.
                if number in self._claimed or "key" not in trial.user_attrs:
                    continue
                if self._grant(number):
                    return _claim_of(name, number, trial.user_attrs)
        return None

    def _grant(self, number: int) -> bool:
        try:
            granted = self._storage.set_trial_state_values(number, state=TrialState.RUNNING)
        except UpdateFinishedTrialError:
            return False
        if granted:
            self._claimed.add(number)
        return granted

    def put_back(self, number: int) -> None:
        """Let a running trial wait again."""
        self._end(number, {}, TrialState.WAITING)

    def note(self, number: int, step: int, value: float | None) -> None:
        """Record the primary figure at a step."""
        if value is not None and math.isfinite(value):
            self._update(self._storage.set_trial_intermediate_value, number, step, value)

    def remember(self, number: int, notes: Mapping[str, Any]) -> None:
        """Keep what Optuna's pruner must find again with a trial."""
        for key, value in notes.items():
            self._update(self._storage.set_trial_system_attr, number, key, value)

    def finish(self, number: int, ending: Ending) -> bool:
        """Record a trial's end; False if it had ended already, which then stands."""
        state = TrialState.PRUNED if ending.outcome == "pruned" else TrialState.COMPLETE
        return self._end(number, ending.attributes(), state, ending.values)

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
        values: Sequence[float] | None = None,
    ) -> bool:
        for key, attribute in attributes.items():
            if not self._update(self._storage.set_trial_user_attr, number, key, attribute):
                return False
        return self._update(self._storage.set_trial_state_values, number, state, values)

    def _update(self, method: Any, number: int, *arguments: Any) -> bool:
        """Change a trial unless it has ended: the first complete result stands."""
        try:
            method(number, *arguments)
        except UpdateFinishedTrialError:
            return False
        return True

    @property
    def _own(self) -> frozenset[str]:
        """Names of the Optuna studies that are this study's."""
        return frozenset((self.definition.study_name, *self.definition.searches))

    def _answer(self, missing: dict[tuple[Any, ...], Cell], records: Sequence[Record]) -> None:
        """Take away the cells that are answered, adopting what answers one elsewhere."""
        own = self.definition.study_name
        answers = [record for record in records if record.state in _ANSWERS]
        here = {record.address for record in answers if record.index is not None}
        here |= {record.address for record in answers if record.study == own}
        known = {(record.study, *record.identity): record for record in reversed(answers)}
        for record in answers:
            cell = missing.pop(record.address, None)
            if cell is not None and record.address not in here:
                self._adopt(cell, record)
        # A search may propose the same configuration twice: the first answers the second.
        for address, cell in list(missing.items()):
            first = known.get((cell.draw.search, *cell.identity)) if cell.draw else None
            if first is not None:
                self._adopt(cell, first)
                del missing[address]

    def _add(self, cell: Cell) -> None:
        template = create_trial(
            state=TrialState.WAITING,
            params=self._parameters(cell),
            distributions=self._distributions(cell),
            user_attrs=cell.attributes(),
            system_attrs=dict(cell.draw.notes) if cell.draw else None,
        )
        self._storage.create_new_trial(self._study_of(cell), template)

    def _adopt(self, cell: Cell, record: Record) -> None:
        """Copy a result that stands elsewhere, so that Optuna's study shows it too."""
        template = create_trial(
            state=record.state,
            values=record.trial.values,
            params=self._parameters(cell),
            distributions=self._distributions(cell),
            user_attrs={**record.attributes, **cell.attributes(), "from": record.study},
            system_attrs={**record.trial.system_attrs, **(cell.draw.notes if cell.draw else {})},
            intermediate_values=record.trial.intermediate_values,
        )
        self._storage.create_new_trial(self._study_of(cell), template)

    def _parameters(self, cell: Cell) -> dict[str, Any]:
        if cell.draw is None:
            return self.definition.parameters(cell)
        return {**cell.draw.parameters, "seed": cell.seed}

    def _distributions(self, cell: Cell) -> dict[str, BaseDistribution]:
        if cell.draw is None:
            return self.definition.distributions()
        return {**cell.draw.distributions, "seed": CategoricalDistribution(cell.draw.seeds)}

    def _id(self, record: Record) -> int:
        study = self._storage.get_study_id_from_name(record.study)
        return self._storage.get_trial_id_from_study_id_trial_number(study, record.number)

    def _study_of(self, cell: Cell) -> int:
        if cell.draw is None:
            return self._study
        return self._open_study(cell.draw.search, cell.draw.objectives)

    def _find_study(self, name: str) -> int | None:
        try:
            if name not in self._studies:
                self._studies[name] = self._storage.get_study_id_from_name(name)
        except KeyError:
            return None
        return self._studies[name]

    def _open_study(self, name: str, objectives: int = 1) -> int:
        found = self._find_study(name)
        if found is not None:
            return found
        with suppress(DuplicatedStudyError):  # somebody was faster
            self._storage.create_new_study([StudyDirection.MINIMIZE] * objectives, name)
        return self._storage.get_study_id_from_name(name)


_ANSWERS = (TrialState.COMPLETE, TrialState.PRUNED)


def _claim_of(study: str, number: int, own: Mapping[str, Any]) -> Claim:
    claim = Claim(number, own["arm"], own["seed"], own["key"], own["fingerprint"])
    claim = replace(claim, config=own.get("config"))
    return replace(claim, search=study, index=own["index"]) if "index" in own else claim
