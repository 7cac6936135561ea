"""The ledger: Optuna records every trial, one an arm and seed, and hands out the work."""

import math
import os
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from ganbench.study.claim import Claim, claim_of
from ganbench.study.definition import Definition
from ganbench.study.duplicates import Duplicates
from ganbench.study.journal import JOURNAL
from ganbench.study.records import ANSWERS, STUDY, Cell, Ending, Record, read_records
from ganbench.study.storage import Address, Notice, close_storage, open_storage
from ganbench.study.templates import adopted_trial, waiting_trial

if TYPE_CHECKING:
    from ganbench.study.heart import Heart

LOST = "lost"
"""Attribute: how often a trial's worker was lost, how far the trial was then, and since when it
had run: several machines may notice one loss at once, and then note the same."""
TRIES = 3
"""So many workers may be lost over one trial: then it is no accident."""


class Ledger:
    """The records of one storage, and the waiting trials of one study in it.

    The arms' trials are one Optuna study, each search's trials another.

    Work is handed out by turning a waiting trial into a running one, which the storage
    grants to one process only. ``Study.ask`` is not used: with an empty queue it would
    sample a cell that nobody asked for.

    On a storage that machines share nobody is in charge. Each lets what it wants wait, and
    where two let the same trial wait, the later of the two is put away when it is claimed. A
    running trial is nobody else's until its heart has stopped.

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
        self._studies: dict[str, int] = {}
        self._study = self._open_study(definition.study_name)
        self._heart = self._listen(address)
        self._own = frozenset((definition.study_name, *definition.searches))
        self._duplicates: defaultdict[int, Duplicates] = defaultdict(Duplicates)
        self._claimed: set[int] = set()
        self._lost: Counter[int] = Counter()

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
        return [
            study.user_attrs
            for study in self._storage.get_all_studies()
            if study.user_attrs.get(STUDY) == self.definition.name
        ]

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
            for number in self._heart.stopped(self._own_studies()):
                self.lose(number, "its worker gave no more sign of life")
        missing = {cell.address: cell for cell in cells}
        records = self.records() if records is None else records
        self._answer(missing, records)
        unanswered = list(missing.values())
        waiting = 0
        for record in records:
            if record.study not in self._own or record.state.is_finished():
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
            if record.study in self._own
            and record.state == TrialState.WAITING
            and record.attributes["key"] == key
            and fingerprint in (None, record.attributes["fingerprint"])
        ]
        return sum(self.fail(self._id(record), "not applicable", reason) for record in found)

    def claim(self, accept: Callable[[Mapping[str, Any]], bool] | None = None) -> Claim | None:
        """Take the first waiting trial, which then nobody else gets; None if none waits.

        A search's come first: others wait for what they give.

        Parameters
        ----------
        accept : callable (attributes) -> bool, optional
            Whether this process can train a trial: on a shared storage some may wait for
            machines of another kind.
        """
        for name in (*self.definition.searches, self.definition.study_name):
            study = self._find_study(name)
            if study is None:
                continue
            trials = self._storage.get_all_trials(study, deepcopy=False)
            waiting = deque(trial for trial in trials if trial.state == TrialState.WAITING)
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
        """Let a trial wait again whose worker was lost, unless it cost too many.

        On a shared storage whoever notices counts, and a trial that got on since it was lost
        last is no killer: then it is counted anew.

        Returns
        -------
        {"waits", "failed", "had ended"}
        """
        if self._count_loss(number) < TRIES:
            return "waits" if self.put_back(number) else "had ended"
        return "failed" if self.fail(number, "failed", lost_for_good(cause)) else "had ended"

    def put_back(self, number: int) -> bool:
        """Let a running trial wait again; False if it had ended."""
        return self._end(number, {}, TrialState.WAITING)

    def note(self, number: int, step: int, value: float | None) -> bool:
        """Record the primary figure at a step; False if the trial is seen to have ended."""
        if value is None or not math.isfinite(value):
            return True
        return self._update(self._storage.set_trial_intermediate_value, number, step, value)

    def remember(self, number: int, notes: Mapping[str, Any]) -> None:
        """Keep what Optuna's pruner must find again with a trial."""
        for key, value in notes.items():
            self._update(self._storage.set_trial_system_attr, number, key, value)

    def finish(self, number: int, ending: Ending) -> bool:
        """Record a trial's end; False if it had ended already, which then stands.

        It may have been put back meanwhile, because its worker was taken for lost.
        """
        state = TrialState.PRUNED if ending.outcome == "pruned" else TrialState.COMPLETE
        return self._end(number, ending.attributes(), state, ending.values)

    def fail(
        self, number: int, outcome: str, error: str, details: Mapping[str, Any] | None = None
    ) -> bool:
        """Record why a trial failed; False if it had ended already, which then stands."""
        attributes = {"outcome": outcome, "error": error, "details": dict(details or {})}
        return self._end(number, attributes, TrialState.FAIL)

    def _take(self, number: int) -> bool:
        """Turn a waiting trial into a running one of this process."""
        if self._heart is not None:
            # First, so that a kill at any moment leaves a trial that has been heard of.
            self._heart.beat(number)
        elif number in self._claimed:
            # A journal recognises a grant by the last trial that this process ran, so
            # one that it has had before could seem granted when another process has it.
            return False
        try:
            granted = self._storage.set_trial_state_values(number, state=TrialState.RUNNING)
        except UpdateFinishedTrialError:
            return False
        if granted:
            self._claimed.add(number)
        return granted

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

    def _count_loss(self, number: int) -> int:
        if not self.shared:
            self._lost[number] += 1
            return self._lost[number]
        trial = self._storage.get_trial(number)
        before = trial.user_attrs.get(LOST, {"times": 0, "measured": 0, "ran since": None})
        measured, since = len(trial.intermediate_values), str(trial.datetime_start)
        if since == before["ran since"]:
            return int(before["times"])
        losses = 1 if measured > before["measured"] else int(before["times"]) + 1
        now = {"times": losses, "measured": measured, "ran since": since}
        self._update(self._storage.set_trial_user_attr, number, LOST, now)
        return losses

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

    def _answer(self, missing: dict[tuple[Any, ...], Cell], records: Sequence[Record]) -> None:
        """Take away the cells that are answered, adopting what answers one elsewhere."""
        own = self.definition.study_name
        answers = [record for record in records if record.state in ANSWERS]
        here = {record.address for record in answers if record.index is not None}
        here |= {record.address for record in answers if record.study == own}
        known = {(record.study, *record.identity): record for record in reversed(answers)}
        for record in answers:
            cell = missing.pop(record.address, None)
            if cell is not None and record.address not in here:
                self._add(cell, adopted_trial(self.definition, cell, record))
        # A search may propose the same configuration twice: the first answers the second.
        for address, cell in list(missing.items()):
            first = known.get((cell.draw.search, *cell.identity)) if cell.draw else None
            if first is not None:
                self._add(cell, adopted_trial(self.definition, cell, first))
                del missing[address]

    def _add(self, cell: Cell, trial: FrozenTrial) -> None:
        study = self._study
        if cell.draw is not None:
            study = self._open_study(cell.draw.search, cell.draw.objectives)
        self._storage.create_new_trial(study, trial)

    def _id(self, record: Record) -> int:
        study = self._storage.get_study_id_from_name(record.study)
        return self._storage.get_trial_id_from_study_id_trial_number(study, record.number)

    def _find_study(self, name: str) -> int | None:
        try:
            if name not in self._studies:
                self._studies[name] = self._storage.get_study_id_from_name(name)
        except KeyError:
            return None
        return self._studies[name]

    def _open_study(self, name: str, objectives: int = 1) -> int:
        if name in self._studies:
            return self._studies[name]
        if self._find_study(name) is None:
            with suppress(DuplicatedStudyError):  # somebody was faster
                self._storage.create_new_study([StudyDirection.MINIMIZE] * objectives, name)
        study = self._storage.get_study_id_from_name(name)
        if STUDY not in self._storage.get_study_user_attrs(study):
            self._storage.set_study_user_attr(study, STUDY, self.definition.name)
        self._studies[name] = study
        return study

    def _own_studies(self) -> list[int]:
        studies = [self._find_study(name) for name in sorted(self._own)]
        return [study for study in studies if study is not None]

    def _listen(self, address: Address | None) -> "Heart | None":
        if address is None:
            return None
        from ganbench.study.heart import Heart

        return Heart(self._storage, address)


def lost_for_good(cause: str) -> str:
    """Return what is said of a trial that cost ``TRIES`` workers."""
    return f"its worker was lost {TRIES} times, the last time {cause}"
