"""Runs a study: prepares, hands out, watches the workers, keeps the ledger in order."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

from ganbench.config.model import SeedRange
from ganbench.plugin import GanbenchError
from ganbench.study.agenda import Agendas
from ganbench.study.archive import Archive, results_of
from ganbench.study.design import Arm
from ganbench.study.forks import can_fork, serve
from ganbench.study.heading import heading, keep_sheet
from ganbench.study.interrupts import Interrupts
from ganbench.study.lanes import parties
from ganbench.study.ledger import Ledger
from ganbench.study.losses import TRIES
from ganbench.study.messages import (
    Broken,
    Claimed,
    Ended,
    Idle,
    Message,
    NotApplicable,
    Notice,
    Overtaken,
    Pulse,
    PutBack,
    Started,
)
from ganbench.study.monitor import Monitor, RunningTrial, State
from ganbench.study.observers import Observers
from ganbench.study.opening import job_of, overview_of, prepared_for, tidy
from ganbench.study.outcome import Outcome, given_up, rescued
from ganbench.study.pace import Pace
from ganbench.study.pool import Pool, WorkerProcess
from ganbench.study.prepare import Prepared
from ganbench.study.progress import Progress
from ganbench.study.provenance import unused_results
from ganbench.study.records import Cell, Record, failures, not_applicable, running
from ganbench.study.rivals import claim_name
from ganbench.study.run_plan import RunPlan, arm_result, definition_of
from ganbench.study.searches import SearchingAgenda
from ganbench.study.watchdog import Watchdog, stalled

TICK_SECONDS = 0.25
WINDOW = 16
"""How many trials wait at a time, besides two a worker: a storage slows down with its queue."""
LOOK_SECONDS = 2.0
"""How often a ledger is asked what is done, as long as no worker waits for an answer."""


def run_study(
    plan: RunPlan,
    monitor: Monitor,
    fresh: bool = False,
    joining: bool = False,
    leisure: Callable[[], None] = lambda: None,
) -> Outcome:
    """Train every trial that the ledger does not answer yet.

    Parameters
    ----------
    plan : RunPlan
    monitor : Monitor
    fresh : bool
        Delete what the ledger holds first; not on a shared storage.
    joining : bool
        Help with a study on a shared storage: leave what failed, wait for nobody, and write
        nothing that belongs to the report. Any number may join, in one folder too.
    leisure : callable ()
        Called again and again while a worker has nothing to do; it must not raise.

    Raises
    ------
    GanbenchError
        If another run works in the folder, the data cannot be had, the ledger cannot be
        read or written, another study has its name, or no worker can be started.
    """
    if can_fork(plan.devices[0]):
        serve()  # imports for the workers while this process prepares
    archive = Archive(plan.report, plan.files)
    with nullcontext() if joining else archive.locked():
        tidy(plan, archive, monitor, fresh)
        prepared = prepared_for(plan, archive, monitor)
        return _Supervisor(plan, prepared, archive, monitor, joining, leisure).run()


class _Supervisor:
    """One run of a study, once it is prepared."""

    def __init__(
        self,
        plan: RunPlan,
        prepared: Prepared,
        archive: Archive,
        monitor: Monitor,
        joining: bool,
        leisure: Callable[[], None],
    ) -> None:
        self.plan, self.archive, self.monitor = plan, archive, monitor
        self.joining, self.leisure = joining, leisure
        self.observers = Observers(plan.host, monitor.notice)
        self.searches = prepared.searches(plan)
        self.arms: tuple[Arm, ...] = (*prepared.arms, *self.searches.arms)
        self.fingerprints = dict(prepared.fingerprints)
        self.interrupts, self.watchdog = Interrupts(), Watchdog(plan.stall)
        self.ledger = Ledger(
            archive.folder,
            definition_of(plan.study, self.arms, tuple(self.searches.rules)),
            plan.storage,
            monitor.notice,
            hurry=lambda: self.interrupts.count > 0,
        )
        self.job = job_of(plan, prepared, self.searches, self.ledger.definition)
        self.progress = Progress({key: config.steps for key, config in self.job.configs.items()})
        self.header = heading(plan, prepared, self.searches, archive)
        if not joining:
            keep_sheet(prepared, archive)
        self.early_deaths = self.fruitless = self.trained = 0
        self.kinds: Counter[str] = Counter()
        self.failed: list[Ended] = []
        self.stopped: str | None = None
        self.broken: str | None = None
        self.stirred = self.over = False
        self.looks, self.writes = Pace(LOOK_SECONDS), Pace(LOOK_SECONDS)
        self.agendas = Agendas(plan.study)
        self.wanted = -1
        self.running: dict[tuple[Any, ...], tuple[str, int]] = {}
        self.forgiven: set[tuple[str, int]] = set()

    def run(self) -> Outcome:
        if self.ledger.shared:
            claim_name(self.ledger, self.plan.resolved)
        if not self.joining:  # a run tries again what failed in those before
            before = failures(self.ledger.records()).values()
            self.forgiven = {(record.study, record.number) for record in before}
        missing = self._supply(orphans=True)
        records, device = self.ledger.records(), self.plan.devices[0]
        for note in unused_results(records, missing, self.arms, device):
            self.monitor.notice(note)
        self.ledger.describe(
            {"question": self.plan.study.question, "primary": self.plan.study.evaluation.primary}
        )
        self._write_header()
        self.pool = Pool(self.job, self.plan.devices)
        free = len(parties(self._free(missing), self.job.room_of))
        workers = self.plan.workers if missing and self._grows else min(self.plan.workers, free)
        self.monitor.begin(overview_of(self.plan, self.arms, self.progress, workers))
        if not self.joining:
            self.observers.notify("on_study_start", study=self.plan.resolved)
        with self.interrupts:
            try:
                for index in range(workers):
                    self.pool.start(index)
                self._watch()
            finally:
                self.pool.end(lambda: self.interrupts.count > 1)
                self.ledger.close()
                self.monitor.close()
        self._write_header()
        if self.broken is not None:
            raise GanbenchError(self.broken)
        return Outcome(
            self.interrupts.count > 0, self.stopped, tuple(self.failed), self.trained, self._now()
        )

    @property
    def _grows(self) -> bool:
        """Whether results decide what is wanted next: little at a time, and more as it goes on."""
        return bool(self.searches.searches) or isinstance(self.plan.study.seeds, SeedRange)

    @property
    def _ending(self) -> bool:
        return bool(self.interrupts.count or self.stopped or self.broken)

    def _supply(self, orphans: bool = False) -> list[Cell]:
        """Queue what is wanted by now; return those of it that no result answers yet."""
        more = True
        while more:
            missing, more = self._supply_once(orphans)
        return missing

    def _supply_once(self, orphans: bool) -> tuple[list[Cell], bool]:
        """Do so, and say whether there may be more to queue by now."""
        records = self.ledger.records()
        self._settle(records)
        # What failed in this run waits for the next.
        failed = failures(records, self.forgiven)
        read = partial(results_of, self.archive, self.header)
        others = self.agendas.of(self.arms, self.fingerprints, read)
        wanted = SearchingAgenda(self.searches, others).wanted(records)
        wanted = self._applicable(wanted, failed)
        # Those that are trained together wait side by side.
        groups = parties((one for one in wanted if one.address not in failed), self.job.room_of)
        cells = [cell for group in groups for cell in group]
        window = WINDOW + 2 * self.plan.workers * self.job.room
        missing = self.ledger.queue(cells, window, orphans, records)
        self.progress.count_in(wanted, missing, failed)
        # In a journal those that nobody can be at wait again by now.
        self.running = running(records if self.ledger.shared or not orphans else (), missing)
        # What was answered just now, from elsewhere, may be what more is wanted after.
        grew, self.wanted = len(wanted) != self.wanted, len(wanted)
        return missing, not missing and grew

    def _settle(self, records: list[Record]) -> None:
        """Take in the arms that searches have come to."""
        arms, found = self.searches.settled(self.arms, records)
        if arms == self.arms:
            return
        self.arms = arms
        self.fingerprints |= found
        self.header = replace(
            self.header,
            arms=tuple(arm_result(arm) for arm in self.arms),
            fingerprints=dict(self.fingerprints),
        )

    def _applicable(
        self, wanted: list[Cell], failed: Mapping[tuple[Any, ...], Record]
    ) -> list[Cell]:
        """Leave out the arms that somebody found not to apply."""
        found = not_applicable(wanted, failed)
        for key, reason in found.items():
            self._leave_out(key, reason)
        return [cell for cell in wanted if cell.key not in found]

    def _go_on(self) -> None:
        """Let workers that wait look again if there is anything, or end if there never will be."""
        waiting = [worker for worker in self.pool.workers if worker.idle]
        all_wait = len(waiting) == len(self.pool.workers)
        # With all of them waiting, a trial that runs is one that a worker had claimed, but not
        # told of, when it died.
        missing = self._supply(orphans=all_wait)
        if self.ledger.shared:
            self._share(waiting, missing)
            return
        if all_wait:
            self.fruitless += 1
            if not missing or self.fruitless > TRIES:
                self.pool.ask_to_stop()
                return
        for worker in waiting[: len(self._free(missing))]:
            worker.ask_to_look()

    def _share(self, waiting: list[WorkerProcess], missing: list[Cell]) -> None:
        """Let as many workers look as there are trials that no other machine is at."""
        free = len(self._free(missing))
        busy = len(self.pool.workers) - len(waiting)
        # More may come of what others are at.
        leave = self.joining and not free and not busy and not self._grows
        if not missing or leave:
            self.over = True
            self.pool.ask_to_stop()
            return
        for worker in waiting[:free]:
            worker.ask_to_look()
        indices = {worker.index for worker in self.pool.workers}
        for index in sorted(set(range(self.plan.workers)) - indices)[: max(0, free - len(waiting))]:
            self.pool.start(index)

    def _free(self, missing: list[Cell]) -> list[Cell]:
        """Return the cells that nobody is at."""
        return [cell for cell in missing if cell.address not in self.running]

    def _watch(self) -> None:
        asked = False
        while (self.pool.workers or self._awaits_others) and self.interrupts.count < 2:
            self.pool.wait(TICK_SECONDS)
            for worker in list(self.pool.workers):
                alive = worker.alive  # asked first, so that all it has said is there to read
                for message in worker.receive():
                    self.watchdog.hear(worker)
                    self._hear(worker, message)
                if not alive:
                    self._bury(worker)
            for worker, seconds in self.watchdog.silent(self.pool.workers).items():
                worker.kill(stalled(worker, seconds))
            if self._is_time_to_look() and not self._ending:
                self.stirred = False
                with self.looks.taken():
                    self._go_on()
            if self._ending and not asked:
                asked = True
                self.pool.ask_to_stop()
            if not self._ending and any(worker.idle for worker in self.pool.workers):
                self.leisure()
            self.monitor.tick(self._now())

    @property
    def _awaits_others(self) -> bool:
        return self.ledger.shared and not self.over and not self._ending

    def _is_time_to_look(self) -> bool:
        if self.ledger.shared:  # asking a server costs it time, and others may have stirred
            return not self.over and self.looks.is_due
        # As long as no worker is idle, the trials that wait will do.
        is_short = any(worker.idle for worker in self.pool.workers)
        return self.stirred and (is_short or self.looks.is_due)

    def _hear(self, worker: WorkerProcess, message: Message) -> None:
        match message:
            case Claimed(number, arm, seed, key, steps):
                self.early_deaths = self.fruitless = 0
                worker.trials[number] = RunningTrial(number, arm, seed, key, 0, 0, steps)
            case Started(number, arm, seed, key, step, steps):
                self.early_deaths = self.fruitless = 0
                started = RunningTrial(number, arm, seed, key, step, step, steps)
                worker.trials[number] = started
                self.progress.start(started)
            case Pulse():
                worker.trials[message.number].hear(message)
            case Ended():
                self._end_trial(message, worker.trials.pop(message.number, None))
            case NotApplicable(number, key, reason, fingerprint):
                self.ledger.withdraw(key, reason, fingerprint)
                self.stirred = True
                self._leave_out(key, reason)
                worker.trials.pop(number, None)
            case PutBack(number) | Overtaken(number) if number in worker.trials:
                self.progress.put_back(worker.trials.pop(number))
            case Idle():
                worker.idle = self.stirred = True
            case Notice(text):
                self.monitor.notice(text)
            case Broken(text):
                self.broken, worker.finished = text, True

    def _end_trial(self, ended: Ended, trial: RunningTrial | None) -> None:
        self.progress.end(ended, trial)
        self.stirred = True
        if ended.outcome == "failed":
            self.failed.append(ended)
            self._count_kind(ended)
        else:
            self.trained += 1
        self.monitor.ended(ended, self._now())
        if self.writes.is_due:
            self._write_header()

    def _count_kind(self, ended: Ended) -> None:
        kind = ended.kind or "?"
        self.kinds[kind] += 1
        if self.kinds[kind] == TRIES and self.stopped is None:
            self.stopped = f"{TRIES} trials failed in the same way, the last with {ended.error}"

    def _leave_out(self, key: str, reason: str) -> None:
        self.progress.withdraw(key)
        self.arms = tuple(
            replace(arm, skipped=reason)
            if arm.config is not None and arm.config.key() == key
            else arm
            for arm in self.arms
        )
        self.header = replace(self.header, arms=tuple(arm_result(arm) for arm in self.arms))
        self._write_header()

    def _bury(self, worker: WorkerProcess) -> None:
        self.pool.remove(worker)
        self.stirred = True
        if self._ending or worker.finished:
            return  # a trial that it left running waits again in the next run
        self._rescue(worker)
        if not worker.trials:
            self.early_deaths += 1
            if self.early_deaths == TRIES:
                self.broken = (
                    f"workers end before they start a trial; the last {worker.cause_of_death}"
                )
        if not self._ending:
            self.pool.start(worker.index)

    def _rescue(self, worker: WorkerProcess) -> None:
        """Let others go on with a dead worker's trials, unless they killed too many."""
        cause, fates = worker.cause_of_death, defaultdict[str, list[RunningTrial]](list)
        for trial in worker.trials.values():
            fates[self.ledger.lose(trial.number, cause)].append(trial)
        saved = fates["waits"], fates["had ended"]
        for trial in (*saved[0], *saved[1]):
            self.progress.put_back(trial)
        if any(saved):
            self.monitor.notice(rescued(worker.index, cause, *saved))
        for trial in fates["failed"]:
            self._end_trial(given_up(trial, cause), trial)

    def _now(self) -> State:
        running = [trial for worker in self.pool.workers for trial in worker.trials.values()]
        here = {(trial.key, trial.seed) for trial in running}
        elsewhere = sum(cell not in here for cell in self.running.values())
        return self.progress.now(running, self._ending, elsewhere if self.ledger.shared else 0)

    def _write_header(self) -> None:
        if not self.joining:
            spent = self.header.wall_seconds + self.progress.elapsed
            with self.writes.taken():
                replace(self.header, wall_seconds=spent).write(self.archive)
