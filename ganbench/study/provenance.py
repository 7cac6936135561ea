"""What a result was made with, besides its configuration: results of one kind make pairs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optuna.trial import TrialState

from ganbench import __version__
from ganbench.study.design import Arm
from ganbench.study.records import Cell, Record


def provenance(device: str) -> dict[str, str]:
    """Return the kind of device and the versions that a trial's numbers depend on.

    For one seed the random streams of a CPU and of a GPU differ, and so may the arithmetic
    of two versions of PyTorch.
    """
    import torch

    return {
        "device": torch.device(device).type,
        "torch": str(torch.__version__),
        "ganbench": __version__,
    }


def unused_results(
    records: Sequence[Record], missing: Iterable[Cell], arms: Sequence[Arm], device: str
) -> list[str]:
    """Return the notices of earlier results that a run cannot use as they were made.

    Parameters
    ----------
    records : sequence of Record
        All of the ledger.
    missing : iterable of Cell
        What is to be trained.
    arms : sequence of Arm
    device : str
        On which the run trains.
    """
    notices = [
        notice_of_others(records, missing, provenance(device)),
        notice_of_strangers(records, arms),
    ]
    return [notice for notice in notices if notice is not None]


def notice_of_others(
    records: Iterable[Record], missing: Iterable[Cell], here: Mapping[str, str]
) -> str | None:
    """Say which of the missing cells have results that were made with something else.

    Parameters
    ----------
    records : iterable of Record
        All of the ledger.
    missing : iterable of Cell
        What is to be trained.
    here : mapping of str to str
        The ``provenance`` of this run.

    Returns
    -------
    str or None
        None if there are no such results.
    """
    wanted = {(cell.key, cell.seed) for cell in missing}
    made = {
        record.identity: _origin(record.attributes.get("details") or {}, here)
        for record in records
        if record.state == TrialState.COMPLETE and record.identity[:2] in wanted
    }
    if not made:
        return None
    origins = Counter(made.values())
    told = "; ".join(f"{number} with {origin}" for origin, number in sorted(origins.items()))
    results = "1 earlier result is" if len(made) == 1 else f"{len(made)} earlier results are"
    return (
        f"{results} not used, for this run could not be compared with them ({told}); "
        "those trials are trained again, and both results stay in the ledger"
    )


def notice_of_strangers(records: Iterable[Record], arms: Sequence[Arm]) -> str | None:
    """Say how many results there are of none of a run's arms, as after a change of settings.

    Parameters
    ----------
    records : iterable of Record
        All of the ledger; those of searches do not count.
    arms : sequence of Arm

    Returns
    -------
    str or None
        None if there are no such results, or if a search is still to find an arm's settings.
    """
    if any(arm.config is None and arm.skipped is None for arm in arms):
        return None
    keys = {arm.config.key() for arm in arms if arm.config is not None}
    strange = {
        record.identity
        for record in records
        if record.state == TrialState.COMPLETE
        and record.index is None
        and record.identity[0] not in keys
    }
    if not strange:
        return None
    results = "1 earlier result is" if len(strange) == 1 else f"{len(strange)} earlier results are"
    return (
        f"{results} not used, being of other settings than this run's, or of arms that it has not; "
        "they stay in the ledger"
    )


def _origin(details: Mapping[str, Any], here: Mapping[str, str]) -> str:
    """Return what differs: ``device cuda instead of cpu``."""
    differing = [
        f"{name} {details.get(name, 'unknown')} instead of {value}"
        for name, value in here.items()
        if details.get(name) != value
    ]
    return ", ".join(differing) or "other data, another extractor, back end or plugin file"
