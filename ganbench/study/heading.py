"""What a report says of a study besides its trials: put together when a run starts."""

from typing import Any

from ganbench.plugin import GanbenchError
from ganbench.study.archive import Archive, Header, read_header
from ganbench.study.compute import describe_environment
from ganbench.study.files import write_atomically
from ganbench.study.prepare import Prepared
from ganbench.study.run_plan import (
    AUTO,
    TOGETHER,
    RunPlan,
    arm_result,
    describe_plugins,
    trick_notes,
)
from ganbench.study.searches import Searches


def heading(plan: RunPlan, prepared: Prepared, searches: Searches, archive: Archive) -> Header:
    """Return what the ledger is to know of a study besides its trials.

    Raises
    ------
    GanbenchError
        If there is a header that ganbench did not write.
    """
    before = read_header(archive)
    return Header(
        study=plan.resolved,
        origins=plan.origins,
        arms=tuple(arm_result(arm) for arm in (*prepared.arms, *searches.arms)),
        fingerprints=prepared.fingerprints,
        protocol={
            **prepared.evaluator.protocol,
            "execution": {
                **plan.study.baseline.execution.model_dump(mode="json"),
                **_chosen(prepared),
            },
        },
        environment={
            **describe_environment(plan.devices, plan.workers),
            **({} if prepared.auto is None else {"backend auto": str(prepared.auto)}),
            "plugins from elsewhere": describe_plugins(prepared.arms, plan.host) or "none",
        },
        command=plan.command,
        quick=plan.quick,
        metric_notes={
            **prepared.evaluator.metric_notes,
            **trick_notes(prepared.arms, plan.host),
        },
        inspections=prepared.inspector.notes,
        collapse_rule=prepared.evaluator.collapse_rule,
        wall_seconds=before.wall_seconds if before is not None else 0.0,
        searches=searches.described(),
        ledger=plan.study.name if plan.storage is not None else None,
        storage=plan.storage.shown if plan.storage is not None else None,
        files=str(plan.files) if plan.files is not None else None,
    )


def _chosen(prepared: Prepared) -> dict[str, Any]:
    """Return what ``auto`` stands for, as far as it was measured."""
    if prepared.auto is None:
        return {}
    together = prepared.auto.together
    more = {f"{AUTO} {TOGETHER}": together} if together > 1 else {}
    return {AUTO: prepared.auto.backend, **more}


def keep_sheet(prepared: Prepared, archive: Archive) -> None:
    """Write a picture of the data for the report.

    Raises
    ------
    GanbenchError
        If it cannot be written.
    """
    try:
        write_atomically(archive.data_sheet, prepared.data_sheet())
    except OSError as error:
        raise GanbenchError(f"{archive.data_sheet}: cannot be written: {error.strerror}") from error
