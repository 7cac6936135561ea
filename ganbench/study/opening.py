"""What workers and monitors are told when a study starts."""

from collections.abc import Sequence

from ganbench.study.definition import Definition
from ganbench.study.design import Arm
from ganbench.study.messages import Job
from ganbench.study.monitor import Overview
from ganbench.study.prepare import Prepared
from ganbench.study.progress import Progress
from ganbench.study.run_plan import RunPlan
from ganbench.study.searches import Searches
from ganbench.study.sequential import schedule_of


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
