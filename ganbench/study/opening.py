"""What happens when a study starts: it is prepared, and workers and monitors are told of it."""

from collections.abc import Sequence
from contextlib import closing

from ganbench.study.archive import Archive
from ganbench.study.auto import measure_backends, settle_auto
from ganbench.study.definition import Definition
from ganbench.study.design import Arm
from ganbench.study.journal import JournalFile
from ganbench.study.messages import Job
from ganbench.study.monitor import Monitor, Overview
from ganbench.study.prepare import Prepared, prepare_together
from ganbench.study.progress import Progress
from ganbench.study.run_plan import RunPlan
from ganbench.study.searches import Searches
from ganbench.study.sequential import schedule_of
from ganbench.study.wishes import notes_on_execution


def tidy(plan: RunPlan, archive: Archive, monitor: Monitor, fresh: bool) -> None:
    """Put in order what a run before may have left unfinished; if ``fresh``, delete it."""
    if fresh:
        archive.clear()
    if plan.storage is not None:
        return  # where machines share a folder, a half-written file is somebody's
    archive.sweep()
    if archive.journal.exists():
        repaired = JournalFile(archive.journal).repair()
        if repaired is not None:
            monitor.notice(repaired)


def prepared_for(plan: RunPlan, archive: Archive, monitor: Monitor) -> Prepared:
    """Return all that is found out before a study's workers start.

    Raises
    ------
    GanbenchError
        As ``prepare_together`` does, or if the ledger cannot be read or written.
    """
    with closing(archive.open_files(monitor.notice)) as files:
        files.check()
        prepared = prepare_together(plan, files, monitor.preparing)
    for note in prepared.data.notes:
        monitor.notice(f"{prepared.data.name}: {note}")
    for note in notes_on_execution(plan, prepared.arms):
        monitor.notice(note)
    return settle_auto(plan, prepared, archive, monitor, measure_backends)


def job_of(plan: RunPlan, prepared: Prepared, searches: Searches, definition: Definition) -> Job:
    """Return what a worker needs to know of a study."""
    arms = (*prepared.arms, *searches.arms)
    return Job(
        report=plan.report,
        definition=definition,
        dataset=plan.study.dataset,
        evaluation=plan.study.evaluation,
        configs={arm.config.key(): arm.config for arm in arms if arm.config is not None},
        plugins=plan.host.files,
        data_root=plan.data_root,
        cache=plan.cache,
        device=plan.devices[0],
        files=plan.files,
        storage=plan.storage,
        instrument=prepared.instrument,
        searches=searches.rules,
        fingerprints={
            arm.config.key(): prepared.fingerprints[arm.name]
            for arm in prepared.arms
            if arm.config is not None and arm.name in prepared.fingerprints
        },
    )


def overview_of(plan: RunPlan, arms: Sequence[Arm], progress: Progress, workers: int) -> Overview:
    """Return what a monitor shows of a study at its start.

    Arms that are retuned are arms in another reading, a family of its own.
    """
    study = plan.study
    arms = [arm for arm in arms if not arm.retuned]
    return Overview(
        name=study.name,
        question=study.question,
        arms=sum(arm.skipped is None for arm in arms),
        family=sum(arm.skipped is None and not arm.seed_offset for arm in arms[1:]),
        seeds=len(study.all_seeds),
        schedule=schedule_of(plan.resolved),
        skipped=tuple((arm.name, arm.skipped) for arm in arms if arm.skipped is not None),
        done=progress.done,
        total=progress.total,
        steps=study.baseline.steps,
        primary=study.evaluation.primary,
        alpha=study.evaluation.judgement.alpha,
        device=", ".join(plan.devices),
        workers=workers,
        report=plan.report,
        quick=plan.quick,
    )
