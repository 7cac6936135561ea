"""Putting what several ledgers hold of a study into one."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optuna.exceptions import DuplicatedStudyError
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from ganbench.config.differences import differing_settings
from ganbench.plugin import GanbenchError
from ganbench.study.archive import Archive, Header, read_header
from ganbench.study.files import stem_of
from ganbench.study.journal import LedgerError
from ganbench.study.places import place_of
from ganbench.study.records import ANSWERS, Record, read_records
from ganbench.study.results import seeds_of
from ganbench.study.storage import Address, close_storage, open_storage


@dataclass(frozen=True)
class Merged:
    """What came of one ledger.

    Attributes
    ----------
    copied, there : int
        Results that were copied, and those that were there already.
    conflicts : tuple of str
        Results of one trial that differ, one line each; what was there first stands.
    left : int
        Results that were left where they are: of searches that have trials of their own here.
    """

    copied: int
    there: int
    conflicts: tuple[str, ...]
    left: int = 0


def merge(into: Path, source: Path) -> Merged:
    """Copy the results of a report folder's ledger, with their pictures, into another's.

    Trials that run, wait or failed are not copied, nor checkpoints; except a search's that failed,
    for what it tried in their place makes no sense without them. The seeds and arms of both are
    then the study's.

    Parameters
    ----------
    into : Path
        Made if there is none.
    source : Path
        Left as it is; its trials may stand in a storage.

    Raises
    ------
    GanbenchError
        If one of them cannot be read, another process works in ``into``, or they are not of
        one study; nothing is copied then.
    """
    there = _opened(source)
    target = Archive(into)
    with target.locked():
        header = read_header(target)
        header = there.header if header is None else joined(header, there.header, source)
        if header is there.header:
            header = replace(header, ledger=None, storage=None, files=None)
        target = _archive(into, header)
        storage = open_storage(target.journal, _address(header))
        try:
            merged = _copy(storage, header, there)
        finally:
            close_storage(storage)
        _copy_files(there, target)
        header.write(target)
    return merged


def refuse_unlike(into: Path, sources: Sequence[Path]) -> None:
    """End before anything is copied where several report folders are not of one study.

    Raises
    ------
    GanbenchError
        If one holds no ledger, or is of another study than ``into`` or those before it.
    """
    header = read_header(Archive(into))
    for source in sources:
        there = _header(source)
        header = there if header is None else joined(header, there, source)


@dataclass(frozen=True)
class _Source:
    archive: Archive
    header: Header
    records: list[Record]
    studies: Mapping[str, tuple[Any, Mapping[str, Any]]]
    """Directions and attributes of each Optuna study."""


def _header(folder: Path) -> Header:
    header = read_header(Archive(folder))
    if header is None or not (header.storage is not None or Archive(folder).journal.exists()):
        raise GanbenchError(f"{folder}: holds no ledger, so there is nothing to merge")
    return header


def _opened(folder: Path) -> _Source:
    header = _header(folder)
    archive = _archive(folder, header)
    storage = open_storage(archive.journal, _address(header))
    try:
        studies = {
            study.study_name: (study.directions, study.user_attrs)
            for study in storage.get_all_studies()
        }
        return _Source(archive, header, read_records(storage, header.ledger), studies)
    finally:
        close_storage(storage)


def _archive(folder: Path, header: Header) -> Archive:
    return Archive(folder, None if header.files is None else place_of(header.files))


def _address(header: Header) -> Address | None:
    return None if header.storage is None else Address(header.storage)


def joined(here: Header, there: Header, source: Path) -> Header:
    """Return a header with the seeds, arms and searches of two.

    Raises
    ------
    GanbenchError
        If they are of two studies.
    """
    told = differing_settings(there.study, here.study)
    keys = {arm.name: arm.key for arm in here.arms}
    told += [
        f"{arm.name} is another arm there"
        for arm in there.arms
        if arm.key is not None and keys.get(arm.name) not in (None, arm.key)
    ]
    baseline = here.arms[0].name
    if here.fingerprints.get(baseline) != there.fingerprints.get(baseline):
        # Results of one kind make pairs: these arms' could only be compared with another's.
        told += [
            f"{arm.name} is only there, and trained on another kind of device, or with other "
            "data, versions or plugin files, than the baseline here"
            for arm in there.arms
            if arm.key is not None and arm.name not in keys
        ]
    ranges = [isinstance(header.study["seeds"], Mapping) for header in (here, there)]
    if any(ranges) and here.study["seeds"] != there.study["seeds"]:
        told.append("seeds that results decide on are another range there")
    if told:
        differences = "\n  ".join(told)
        raise GanbenchError(f"{source} is of another study, nothing was copied:\n  {differences}")
    seeds = list(dict.fromkeys([*seeds_of(here.study), *seeds_of(there.study)]))
    arms = (*here.arms, *(arm for arm in there.arms if arm.name not in keys))
    searched = {search["name"] for search in here.searches}
    more = (search for search in there.searches if search["name"] not in searched)
    return replace(
        here,
        study=here.study if any(ranges) else {**here.study, "seeds": seeds},
        arms=arms,
        searches=(*here.searches, *more),
        fingerprints={**there.fingerprints, **here.fingerprints},
        wall_seconds=here.wall_seconds + there.wall_seconds,
    )


def _copy(storage: BaseStorage, header: Header, there: _Source) -> Merged:
    here = read_records(storage, header.ledger)
    known = {record.address: record for record in here if record.state in ANSWERS}
    before = set(known)
    studies = {record.study for record in here if record.state != TrialState.WAITING}
    copied = left = 0
    conflicts: list[str] = []
    answers = [record for record in there.records if record.state in ANSWERS]
    failed = [record for record in there.records if record.has_failed and record.index is not None]
    for record in (*answers, *failed):
        if record.address in known:
            conflicts += _conflict(known[record.address], record)
        elif record.index is None or record.study not in studies:
            # A search goes on from its own trials: two of one name are not mixed.
            study = _study(storage, record.study, there)
            storage.create_new_trial(study, record.trial)
            if record.state in ANSWERS:
                known[record.address] = record
                copied += 1
        else:
            left += record.state in ANSWERS
    there_already = len(before & {record.address for record in answers})
    return Merged(copied, there_already, tuple(conflicts), left)


def _study(storage: BaseStorage, name: str, there: _Source) -> int:
    try:
        return storage.get_study_id_from_name(name)
    except KeyError:
        pass
    directions, attributes = there.studies[name]
    try:
        study = storage.create_new_study(directions, name)
    except DuplicatedStudyError as error:
        raise LedgerError(f"{name}: somebody else works on this ledger; try again") from error
    for key, value in attributes.items():
        storage.set_study_user_attr(study, key, value)
    return study


def _conflict(here: Record, there: Record) -> list[str]:
    """Say that two results of one trial differ, if they do."""
    figures = [
        [(point.step, dict(point.figures)) for point in record.evaluations]
        for record in (here, there)
    ]
    if figures[0] == figures[1]:
        return []
    own = there.attributes
    values = [record.trial.values[0] if record.trial.values else None for record in (here, there)]
    state = "" if there.state == TrialState.COMPLETE else " (pruned)"
    return [f"{own['arm']}, seed {own['seed']}{state}: {values[0]} here and {values[1]} there"]


def _copy_files(there: _Source, target: Archive) -> None:
    answers = [record for record in there.records if record.state in ANSWERS]
    wanted = {there.archive.samples(*record.identity).stem for record in answers}
    folders = (
        (there.archive.album, target.album),
        (there.archive.generators, target.generators),
    )
    with closing(there.archive.open_files()) as source, closing(target.open_files()) as goal:
        for theirs, ours in folders:
            for name in sorted(source.names(theirs) - goal.names(ours)):
                content = source.read(theirs / name) if stem_of(name) in wanted else None
                if content is not None:
                    goal.write(ours / name, content)
    if there.archive.data_sheet.exists() and not target.data_sheet.exists():
        shutil.copyfile(there.archive.data_sheet, target.data_sheet)
