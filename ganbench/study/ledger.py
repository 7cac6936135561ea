"""The ledger: Optuna records every trial, one an arm and seed, and hands out the work."""

import math
import os
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from ganbench.study.answers import take_answers
from ganbench.study.claim import Claim, claim_of
from ganbench.study.definition import Definition
from ganbench.study.duplicates import Duplicates
from ganbench.study.journal import JOURNAL
from ganbench.study.losses import RESUMED, TRIES, lost_for_good, times_lost
from ganbench.study.own_studies import OwnStudies, descriptions
from ganbench.study.records import FAILURE, Cell, Ending, Record, read_records
from ganbench.study.storage import Address, Notice, close_storage, open_storage
from ganbench.study.templates import BEGUN, adopted_trial, late_trial, next_trial, waiting_trial

if TYPE_CHECKING:
    from ganbench.study.heart import Heart


@dataclass
class _Unfiled:
    """What a worker has to say of a trial since somebody else ended it."""

    curve: dict[int, float] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)


class Ledger:
    """The records of one storage, and the waiting trials of one study in it.

    The arms' trials are one Optuna study, each search's trials another.

    Work is handed out by turning a waiting trial into a running one, which the storage
    grants to one process only. ``Study.ask`` is not used: with an empty queue it would
    sample a cell that nobody asked for.

    On a storage that machines share nobody is in charge. Each lets what it wants wait, and
    where two let the same trial wait, the later of the two is put away when it is claimed. A
    running trial is nobody else's until its heart has stopped.

    A trial is claimed once: its number in the storage is what a claim is known by. One that is
    given up before its end, by its worker or by whoever misses a sign of life, has ended, and
    another trial waits to go on with it. So nothing that an earlier owner says reaches a later
    one's claim, on any storage, however late it is; except a result, which nobody throws away.

    Parameters
    ----------
    folder : Path
        Where the journal stands; made if there is none.
    definition : Definition
    address : Address or None
        A storage to use instead of the journal.
    notice : callable (text), optional
        Told when a storage is away, and waited for.
    hurry : callable, optional
        Whether to wait for it no longer.
    patient : bool
        Whether to wait for a storage that is away from the start.

    Raises
    ------
    LedgerError
        If there is a journal that cannot be read, or a storage that cannot be used; by every
        method that writes, if it cannot.
    """

    def __init__(
        self,
        folder: Path,
        definition: Definition,
        address: Address | None = None,
        notice: Notice | None = None,
        hurry: Callable[[], bool] | None = None,
        patient: bool = False,
    ) -> None:
        self.definition = definition
        self._storage = open_storage(folder / JOURNAL, address, notice, hurry, patient)
        self._studies = OwnStudies(self._storage, definition)
        self._study = self._studies.open(definition.study_name)
        self._heart = self._listen(address)
        self._duplicates: defaultdict[int, Duplicates] = defaultdict(Duplicates)
        self._unfiled: defaultdict[int, _Unfiled] = defaultdict(_Unfiled)

    @property
    def shared(self) -> bool:
        """Whether other machines may work on it at the same time."""
        return self._heart is not None

    def close(self) -> None:
        """Give up the connection to a storage; nothing can be done with the ledger any more."""
        close_storage(self._storage)

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Note what Optuna's dashboard should show of the study."""
        known = self._storage.get_study_user_attrs(self._study)
        for key, value in attributes.items():
            if known.get(key) != value:
                self._storage.set_study_user_attr(self._study, key, value)

    def descriptions(self) -> list[Mapping[str, Any]]:
        """Return what is noted of each Optuna study that is this study's, by its name."""
        return descriptions(self._storage, self.definition.name)

    def records(self, search: str | None = None) -> list[Record]:
        """Return every trial of the journal, or of this study on a shared storage.

        Parameters
        ----------
        search : str or None
            Name of the only Optuna study whose trials to return.
        """
        name = self.definition.name if self.shared else None
        return read_records(self._storage, name, search)

    def queue(
        self,
        cells: Iterable[Cell],
        window: int | None = None,
        orphans: bool = True,
        records: Sequence[Record] | None = None,
    ) -> list[Cell]:
        """Let those ``cells`` wait, in order, that no complete trial answers yet.

        Only for a supervisor. In a journal, which has but one, waiting trials that it does not
        want are put away; on a shared storage another machine may want them.

        Parameters
        ----------
        cells : iterable of Cell
        window : int or None
            How many may wait at a time; a storage slows down with the length of its queue.
        orphans : bool
            Whether nobody can be at work, so that trials that are running wait again. On a
            shared storage nobody can know that, and their hearts decide.
        records : sequence of Record, optional
            Those by which the cells were chosen, so that nothing that failed since is chosen.

        Returns
        -------
        list of Cell
            What is not answered yet: it waits, runs, or is still to be queued.
        """
        if self._heart is not None:
            for number in self._heart.stopped(self._studies.all()):
                self.lose(number, "its worker gave no more sign of life")
        missing = {cell.address: cell for cell in cells}
        records = self.records() if records is None else records
        for cell, answer in take_answers(missing, records, self.definition.study_name):
            self._add(cell, adopted_trial(self.definition, cell, answer))
        unanswered = list(missing.values())
        waiting = 0
        for record in records:
            if record.study not in self._studies.names or record.state.is_finished():
                continue
            wanted = missing.pop(record.address, None) is not None
            if record.state == TrialState.RUNNING and (self.shared or not orphans):
                continue
            if not wanted:
                if not self.shared:
                    self.fail(self._id(record), "superseded", "nobody wants this trial any more")
                continue
            if record.state == TrialState.RUNNING:
                self.put_back(self._id(record))
            waiting += 1
        room = None if window is None else max(0, window - waiting)
        for cell in list(missing.values())[:room]:
            self._add(cell, waiting_trial(self.definition, cell))
        return unanswered

    def withdraw(self, key: str, reason: str, fingerprint: str | None = None) -> int:
        """Put away the waiting trials of a configuration; return how many there were.

        Of a fingerprint's only, where it is given: it may apply on machines of another kind.
        """
        found = [
            record
            for record in self.records()
            if record.study in self._studies.names
            and record.state == TrialState.WAITING
            and record.attributes["key"] == key
            and fingerprint in (None, record.attributes["fingerprint"])
        ]
        return sum(self.fail(self._id(record), "not applicable", reason) for record in found)

    def claim(self, accept: Callable[[Mapping[str, Any]], bool] | None = None) -> Claim | None:
        """Take the first waiting trial, which then nobody else gets; None if none waits.

        A search's come first: others wait for what they give. Before others come those that
        somebody has begun.

        Parameters
        ----------
        accept : callable (attributes) -> bool, optional
            Whether this process can train a trial: on a shared storage some may wait for
            machines of another kind.
        """
        for name in (*self.definition.searches, self.definition.study_name):
            study = self._studies.find(name)
            if study is None:
                continue
            trials = self._storage.get_all_trials(study, deepcopy=False)
            found = [trial for trial in trials if trial.state == TrialState.WAITING]
            waiting = deque(sorted(found, key=lambda trial: BEGUN not in trial.user_attrs))
            while waiting:
                trial = waiting.popleft()
                own = trial.user_attrs
                if "key" not in own or not (accept is None or accept(own)):
                    continue
                number = self._storage.get_trial_id_from_study_id_trial_number(study, trial.number)
                if self._take(number) and not self._is_duplicate(study, trial, trials):
                    return claim_of(name, number, own)
                if self.shared:
                    # Many that start at once all lose the first but one: each goes on elsewhere.
                    waiting.rotate(os.getpid())
        return None

    @contextmanager
    def alive(self, claim: Claim) -> Generator[None]:
        """Show, while inside, that somebody is at work on a trial."""
        if self._heart is None:
            yield
            return
        with self._heart.beating(claim.number):
            yield

    def lose(self, number: int, cause: str) -> Literal["waits", "failed", "had ended"]:
        """Give up a trial whose worker was lost: another waits to go on, unless it cost too many.

        On a shared storage several may notice, and only the first of them gives it up.

        Returns
        -------
        {"waits", "failed", "had ended"}
        """
        times = times_lost(self._studies.standing(number))
        if times < TRIES:
            self._give_up(number, "lost", f"its worker was lost: {cause}", times == TRIES - 1)
        elif self.fail(number, "failed", lost_for_good(cause)):
            return "failed"
        known = self._studies.standing(number)
        return "had ended" if known.is_answered or known.has_failed else "waits"

    def put_back(self, number: int) -> bool:
        """Give up a running trial, and let another wait to go on; False if it had ended."""
        return self._give_up(number, "put back", "its worker was asked to stop")

    def resume(self, number: int, step: int) -> None:
        """Record the step of the checkpoint with which a trial goes on: that far it has got."""
        self._update(self._storage.set_trial_user_attr, number, RESUMED, step)

    def note(self, number: int, step: int, value: float | None) -> bool:
        """Record the primary figure at a step; False if the trial's result is seen to be there.

        A worker that was only taken for lost goes on until then: who is first is welcome.
        """
        if value is None or not math.isfinite(value):
            return True
        if self._update(self._storage.set_trial_intermediate_value, number, step, value):
            return True
        self._unfiled[number].curve[step] = value
        return not self._studies.standing(number).is_answered

    def remember(self, number: int, notes: Mapping[str, Any]) -> None:
        """Keep what Optuna's pruner must find again with a trial."""
        for key, value in notes.items():
            if not self._update(self._storage.set_trial_system_attr, number, key, value):
                self._unfiled[number].notes[key] = value

    def finish(self, number: int, ending: Ending) -> bool:
        """Record a trial's result; False if there was one already, which then stands.

        If the trial was given up meanwhile, because its worker was taken for lost, the result
        becomes a trial of its own, and those that wait or run for the same one are put away.
        """
        if self._end(number, ending.attributes(), ending.state, ending.values):
            return True
        known = self._studies.standing(number)
        if known.is_answered:
            return False
        unfiled = self._unfiled[number]
        late = late_trial(known.own, ending, unfiled.curve, unfiled.notes)
        self._storage.create_new_trial(known.study, late)
        for trial in known.trials:
            if not trial.state.is_finished():
                self.fail(trial._trial_id, "superseded", "its result came late, from another")
        return True

    def fail(
        self, number: int, outcome: str, error: str, details: Mapping[str, Any] | None = None
    ) -> bool:
        """Record why a trial has no result; False if it had ended already, which then stands."""
        failure = {"outcome": outcome, "error": error, "details": dict(details or {})}
        return self._end(number, {FAILURE: failure}, TrialState.FAIL)

    def _give_up(self, number: int, outcome: str, error: str, alone: bool = False) -> bool:
        """End a trial, and let another wait to go on with it; False if it had ended."""
        if not self.fail(number, outcome, error):
            return False
        known = self._studies.standing(number)
        self._storage.create_new_trial(known.study, next_trial(known.own, alone))
        return True

    def _take(self, number: int) -> bool:
        """Turn a waiting trial into a running one of this process."""
        if self._heart is not None:
            # First, so that a kill at any moment leaves a trial that has been heard of.
            self._heart.beat(number)
        try:
            return self._storage.set_trial_state_values(number, state=TrialState.RUNNING)
        except UpdateFinishedTrialError:
            return False

    def _is_duplicate(self, study: int, own: FrozenTrial, trials: Sequence[FrozenTrial]) -> bool:
        """Put a trial away if its cell is answered, or an earlier trial's to answer.

        Trials are numbered in the order in which they become visible: who sees one sees all
        that are earlier.
        """
        if not self.shared:
            return False
        if not self._duplicates[study].gives_way(own, trials):
            return False
        self.fail(own._trial_id, "superseded", "another trial answers the same cell")
        return True

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
        """Change a trial unless it has ended."""
        try:
            method(number, *arguments)
        except UpdateFinishedTrialError:
            return False
        return True

    def _add(self, cell: Cell, trial: FrozenTrial) -> None:
        study = self._study
        if cell.draw is not None:
            study = self._studies.open(cell.draw.search, cell.draw.objectives)
        self._storage.create_new_trial(study, trial)

    def _id(self, record: Record) -> int:
        study = self._storage.get_study_id_from_name(record.study)
        return self._storage.get_trial_id_from_study_id_trial_number(study, record.number)

    def _listen(self, address: Address | None) -> "Heart | None":
        if address is None:
            return None
        from ganbench.study.heart import Heart

        return Heart(self._storage, address)
