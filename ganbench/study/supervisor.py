"""Runs a study: prepares, hands out, watches the workers, keeps the ledger in order."""

from collections import Counter
from dataclasses import dataclass, replace

from ganbench.plugin import GanbenchError
from ganbench.study.agenda import agenda_of
from ganbench.study.archive import Archive
from ganbench.study.design import Arm
from ganbench.study.heading import heading
from ganbench.study.interrupts import Interrupts
from ganbench.study.journal import JournalFile
from ganbench.study.ledger import Ledger
from ganbench.study.messages import (
    Broken,
    Ended,
    Idle,
    Job,
    Message,
    NotApplicable,
    Notice,
    Pulse,
    PutBack,
    Started,
)
from ganbench.study.monitor import Monitor, Overview, RunningTrial, State
from ganbench.study.observers import Observers
from ganbench.study.pool import Pool, WorkerProcess
from ganbench.study.prepare import Prepared, prepare
from ganbench.study.provenance import notice_of_others, provenance
from ganbench.study.records import Cell, Record
from ganbench.study.run_plan import (
    RunPlan,
    arm_result,
    definition_of,
)
from ganbench.study.searches import SearchingAgenda
from ganbench.study.workload import Workload

TICK_SECONDS = 0.25
TRIES = 3
"""Deaths over one trial, failures of one kind, deaths at the start: then it is no accident."""
WINDOW = 16
"""How many trials wait at a time, besides two a worker: a storage slows down with its queue."""


@dataclass(frozen=True)
class Outcome:
    """How a run of a study went.

    Attributes
    ----------
    interrupted : bool
        By Ctrl-C or SIGTERM.
    stopped : str or None
        Why the study was given up before its end.
    failed : tuple of Ended
        Trials that failed in this run.
    """

    interrupted: bool = False
    stopped: str | None = None
    failed: tuple[Ended, ...] = ()


def run_study(plan: RunPlan, monitor: Monitor, fresh: bool = False) -> Outcome:
    """Train every trial that the ledger does not answer yet.

    Parameters
    ----------
    plan : RunPlan
    monitor : Monitor
    fresh : bool
        Delete what the ledger holds first.

    Raises
    ------
    GanbenchError
        If another run works in the folder, the data cannot be had, the ledger cannot be
        read or written, or no worker can be started.
    """
    archive = Archive(plan.report)
    with archive.locked():
        if fresh:
            archive.clear()
        archive.sweep()
        if archive.journal.exists():
            repaired = JournalFile(archive.journal).repair()
            if repaired is not None:
                monitor.notice(repaired)
        prepared = prepare(plan, monitor.preparing)
        for note in prepared.data.notes:
            monitor.notice(f"{prepared.data.name}: {note}")
        return _Supervisor(plan, prepared, archive, monitor).run()


class _Supervisor:
    """One run of a study, once it is prepared."""

    def __init__(
        self, plan: RunPlan, prepared: Prepared, archive: Archive, monitor: Monitor
    ) -> None:
        self.plan, self.archive, self.monitor = plan, archive, monitor
        self.observers = Observers(plan.host, monitor.notice)
        self.searches = prepared.searches(plan)
        self.arms: tuple[Arm, ...] = (*prepared.arms, *self.searches.arms)
        self.fingerprints = dict(prepared.fingerprints)
        self.configs = {arm.config.key(): arm.config for arm in self.arms if arm.config is not None}
        self.steps = {key: config.steps for key, config in self.configs.items()}
        self.header = heading(plan, prepared, self.searches, archive)
        definition = definition_of(plan.study, self.arms, tuple(self.searches.rules))
        self.ledger = Ledger(archive.folder, definition)
        self.interrupts = Interrupts()
        self.deaths: Counter[int] = Counter()
        self.early_deaths = 0
        self.kinds: Counter[str] = Counter()
        self.failed: list[Ended] = []
        self.stopped: str | None = None
        self.broken: str | None = None
        self.known: set[tuple[str, int]] = set()
        self.open: set[tuple[str, int]] = set()
        self.fruitless = 0
        self.stirred = False

    def run(self) -> Outcome:
        self.state, self.workload = State([], done=0, total=0), Workload()
        missing = self._supply(orphans=True)
        others = notice_of_others(self.ledger.records(), missing, provenance(self.plan.devices[0]))
        if others is not None:
            self.monitor.notice(others)
        self.ledger.describe(
            {"question": self.plan.study.question, "primary": self.plan.study.evaluation.primary}
        )
        self._write_header()
        self.pool = Pool(self._job(), self.plan.devices)
        # A search wants little at a time, and more as it goes on.
        growing = bool(missing and self.searches.searches)
        workers = self.plan.workers if growing else min(self.plan.workers, len(missing))
        self.monitor.begin(self._overview(workers))
        self.observers.notify("on_study_start", study=self.plan.resolved)
        with self.interrupts:
            try:
                for index in range(workers):
                    self.pool.start(index)
                self._watch()
            finally:
                self.pool.end(lambda: self.interrupts.count > 1)
                self.monitor.close()
        self._write_header()
        if self.broken is not None:
            raise GanbenchError(self.broken)
        return Outcome(self.interrupts.count > 0, self.stopped, tuple(self.failed))

    @property
    def _ending(self) -> bool:
        return bool(self.interrupts.count or self.stopped or self.broken)

    def _supply(self, orphans: bool = False) -> list[Cell]:
        """Queue what is wanted by now; return those of it that no result answers yet."""
        records = self.ledger.records()
        self._settle(records)
        others = agenda_of(self.plan.study, self.arms, self.fingerprints)
        agenda = SearchingAgenda(self.searches, others)
        # What failed in this run waits for the next.
        failed = {(ended.key, ended.seed) for ended in self.failed}
        cells = [cell for cell in agenda.wanted(records) if (cell.key, cell.seed) not in failed]
        missing = self.ledger.queue(cells, WINDOW + 2 * self.plan.workers, orphans)
        self._count_in(cells, missing)
        return missing

    def _settle(self, records: list[Record]) -> None:
        """Take in the arms that searches have come to."""
        before = self.arms
        self.arms, found = self.searches.settled(self.arms, records)
        if self.arms == before:
            return
        self.fingerprints |= found
        self.header = replace(
            self.header,
            arms=tuple(arm_result(arm) for arm in self.arms),
            fingerprints=dict(self.fingerprints),
        )

    def _count_in(self, cells: list[Cell], missing: list[Cell]) -> None:
        """Add what was not wanted before to the work; arms that are the same share trials."""
        unanswered = {(cell.key, cell.seed) for cell in missing}
        for cell in cells:
            one = cell.key, cell.seed
            if one in self.known:
                continue
            self.known.add(one)
            self.state.total += 1
            if cell.config is not None:
                self.steps[cell.key] = cell.config["steps"]
            if one in unanswered:
                self.open.add(one)
                self.workload.add(self.steps[cell.key])
            else:
                self.state.done += 1

    def _go_on(self) -> None:
        """Let workers that wait look again if there is anything, or end if there never will be."""
        waiting = [worker for worker in self.pool.workers if worker.idle]
        all_wait = len(waiting) == len(self.pool.workers)
        # With all of them waiting, a trial that runs is one that a worker had claimed, but not
        # told of, when it died.
        missing = self._supply(orphans=all_wait)
        if all_wait:
            self.fruitless += 1
            if not missing or self.fruitless > TRIES:
                for worker in waiting:
                    worker.ask_to_stop()
                return
        for worker in waiting[: len(missing)]:
            worker.ask_to_look()

    def _watch(self) -> None:
        asked = False
        while self.pool.workers and self.interrupts.count < 2:
            self.pool.wait(TICK_SECONDS)
            for worker in list(self.pool.workers):
                alive = worker.alive  # asked first, so that all it has said is there to read
                for message in worker.receive():
                    self._hear(worker, message)
                if not alive:
                    self._bury(worker)
            if self.stirred and not self._ending:
                self.stirred = False
                self._go_on()
            if self._ending and not asked:
                asked = True
                for worker in self.pool.workers:
                    worker.ask_to_stop()
            self.monitor.tick(self._now())

    def _hear(self, worker: WorkerProcess, message: Message) -> None:
        current = worker.current
        match message:
            case Started(number, arm, seed, key, step, steps):
                self.early_deaths = self.fruitless = 0
                worker.current = RunningTrial(number, arm, seed, key, step, step, steps)
                self.workload.start(worker.current)
            case Pulse(step, speed, state, figure, health) if current is not None:
                current.step, current.state = step, state
                current.figure, current.health = figure, health
                current.steps_per_second = speed or current.steps_per_second
            case Ended():
                self._end_trial(worker, message)
            case NotApplicable(key, reason):
                self._skip(key, reason)
            case PutBack() if current is not None:
                self.workload.put_back(current)
                worker.current = None
            case Idle():
                worker.idle = self.stirred = True
            case Notice(text):
                self.monitor.notice(text)
            case Broken(text):
                self.broken, worker.finished = text, True
            case _:
                pass

    def _end_trial(self, worker: WorkerProcess, ended: Ended) -> None:
        if worker.current is not None:
            self.workload.end(worker.current, ended.steps)
        else:  # it failed before it started
            self.workload.drop(self.steps[ended.key])
        worker.current = None
        self.open.discard((ended.key, ended.seed))
        self.stirred = True
        if ended.outcome == "failed":
            self.failed.append(ended)
            self.state.failed += 1
            self._count_kind(ended)
        else:
            self.state.done += 1
            self.state.diverged += ended.outcome == "diverged"
        self.monitor.ended(ended, self._now())
        self._write_header()

    def _count_kind(self, ended: Ended) -> None:
        kind = ended.kind or "?"
        self.kinds[kind] += 1
        if self.kinds[kind] == TRIES and self.stopped is None:
            self.stopped = f"{TRIES} trials failed in the same way, the last with {ended.error}"

    def _skip(self, key: str, reason: str) -> None:
        self.ledger.withdraw(key, reason)
        withdrawn = {one for one in self.open if one[0] == key}
        self.open -= withdrawn
        self.stirred = True
        self.workload.drop(len(withdrawn) * self.steps[key])
        self.state.total -= len(withdrawn)
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
        if worker.current is not None:
            self._rescue(worker, worker.current)
        else:
            self.early_deaths += 1
            if self.early_deaths == TRIES:
                self.broken = (
                    f"workers end before they start a trial; the last {worker.cause_of_death}"
                )
        if not self._ending:
            self.pool.start(worker.index)

    def _rescue(self, worker: WorkerProcess, trial: RunningTrial) -> None:
        """Let another worker go on with a dead one's trial, unless it killed too many."""
        self.deaths[trial.number] += 1
        cause = worker.cause_of_death
        if self.deaths[trial.number] < TRIES:
            self.ledger.put_back(trial.number)
            self.workload.put_back(trial)
            self.monitor.notice(
                f"worker {worker.index} was lost ({cause}); {trial.arm}, seed {trial.seed} "
                "goes on from its last checkpoint"
            )
            return
        error = f"its worker was lost {TRIES} times, the last time {cause}"
        self.ledger.fail(trial.number, "failed", error)
        self._end_trial(
            worker,
            Ended(
                number=trial.number,
                arm=trial.arm,
                seed=trial.seed,
                key=trial.key,
                outcome="failed",
                steps=trial.step,
                figure=None,
                seconds=0.0,
                error=error,
                kind=cause,
            ),
        )

    def _now(self) -> State:
        running = [worker.current for worker in self.pool.workers if worker.current is not None]
        return replace(
            self.state,
            running=[replace(trial) for trial in sorted(running, key=lambda one: one.number)],
            share=self.workload.share(running),
            elapsed=self.workload.elapsed,
            remaining=self.workload.remaining(running),
            stopping=self._ending,
        )

    def _write_header(self) -> None:
        spent = self.header.wall_seconds + self.workload.elapsed
        replace(self.header, wall_seconds=spent).write(self.archive)

    def _job(self) -> Job:
        plan = self.plan
        return Job(
            report=plan.report,
            definition=self.ledger.definition,
            dataset=plan.study.dataset,
            evaluation=plan.study.evaluation,
            configs=self.configs,
            plugins=plan.host.files,
            data_root=plan.data_root,
            cache=plan.cache,
            device=plan.devices[0],
            searches=self.searches.rules,
        )

    def _overview(self, workers: int) -> Overview:
        study = self.plan.study
        return Overview(
            name=study.name,
            question=study.question,
            arms=sum(arm.skipped is None for arm in self.arms),
            seeds=len(study.seeds),
            skipped=tuple((arm.name, arm.skipped) for arm in self.arms if arm.skipped is not None),
            done=self.state.done,
            total=self.state.total,
            steps=study.baseline.steps,
            primary=study.evaluation.primary,
            alpha=study.evaluation.judgement.alpha,
            device=", ".join(self.plan.devices),
            workers=workers,
            report=self.plan.report,
            quick=self.plan.quick,
        )
