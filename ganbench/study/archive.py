"""A report folder's ledger directory: what stands where, and the study that it is of."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from filelock import FileLock, Timeout

from ganbench.plugin import GanbenchError
from ganbench.study.files import Files, open_files, write_atomically
from ganbench.study.journal import JOURNAL
from ganbench.study.places import Place, place_of
from ganbench.study.records import Record, read_records, settle
from ganbench.study.results import ArmResult, StudyResults, TrialResult, seeds_of
from ganbench.study.search_records import search_result
from ganbench.study.sequential import asked_for
from ganbench.study.storage import Address, Notice, close_storage, open_storage

INSPECTED = "inspection/"
"""Before the names of the inspections' pictures, to tell them from other plugins'."""
OUTCOMES = frozenset({"complete", "diverged", "failed"})


@dataclass(frozen=True)
class Archive:
    """The paths inside a report folder that belong to the ledger.

    Attributes
    ----------
    report : Path
        The report folder.
    files : Path, BucketPlace or None
        Where the trials' checkpoints and pictures are, if not in it.
    """

    report: Path
    files: Place | None = None

    @property
    def folder(self) -> Path:
        """The ledger directory."""
        return self.report / "ledger"

    @property
    def trials(self) -> Path:
        """The folder of the trials' files, which machines may share; of a bucket's, the copies."""
        return self.files if isinstance(self.files, Path) else self.folder

    @property
    def evaluation(self) -> Path:
        """Where machines that share files keep the classifier and the reference statistics."""
        return self.trials / "evaluation"

    @property
    def journal(self) -> Path:
        """Optuna's journal."""
        return self.folder / JOURNAL

    @property
    def header(self) -> Path:
        """The study that the ledger is of, as JSON."""
        return self.folder / "study.json"

    @property
    def data_sheet(self) -> Path:
        """Picture of items of the data."""
        return self.folder / "data.png"

    @property
    def album(self) -> Path:
        """The folder of the trials' pictures."""
        return self.trials / "samples"

    def checkpoint(self, place: str, seed: int) -> Path:
        """Return where a running trial's state is kept, from its claim's ``place``."""
        return self.trials / "checkpoints" / f"{place}-{seed}.pt"

    def samples(self, key: str, seed: int, fingerprint: str) -> Path:
        """Return where a trial's picture goes: beside those of other data or devices."""
        return self.album / f"{key}-{fingerprint}-{seed}.png"

    @property
    def generators(self) -> Path:
        """The folder of the weights that ended trials are sampled with."""
        return self.trials / "generators"

    def generator(self, key: str, seed: int, fingerprint: str) -> Path:
        """Return where the weights of an ended trial's generator go."""
        return self.generators / f"{key}-{fingerprint}-{seed}.pt"

    def picture(self, key: str, seed: int, fingerprint: str, name: str) -> Path:
        """Return where a picture of a plugin's own goes; its name may hold any character.

        An inspection's name begins with ``INSPECTED``.
        """
        return self.album / f"{key}-{fingerprint}-{seed}+{quote(name, safe='')}.png"

    def pictures(self) -> dict[str, dict[str, Path]]:
        """Return every trial's pictures: by the stem of its sheet's name, plugins' own by theirs.

        The sheet itself has the empty name.
        """
        found: dict[str, dict[str, Path]] = {}
        for path in sorted(self.album.glob("*.png")):
            stem, _, name = path.stem.partition("+")
            found.setdefault(stem, {})[unquote(name)] = path
        return found

    def open_files(
        self, notice: Notice | None = None, hurry: Callable[[], bool] | None = None
    ) -> Files:
        """Return what reads and writes the trials' files; parameters and errors as of its own."""
        return open_files(self.files, self.trials, notice, hurry)

    def clear(self) -> None:
        """Delete every record, checkpoint, picture and weight.

        Raises
        ------
        GanbenchError
            If one cannot be deleted.
        """
        for name in ("checkpoints", "samples", "generators"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        for file in (self.journal, self.header, self.data_sheet):
            try:
                file.unlink(missing_ok=True)
            except OSError as error:
                raise GanbenchError(f"{file}: cannot be deleted: {error.strerror}") from error

    def sweep(self) -> None:
        """Delete the half-written files that a kill left; only under the lock."""
        for path in self.folder.rglob("*.tmp"):
            path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs off this folder; the lock ends with the process, however it ends.

        Raises
        ------
        GanbenchError
            If another process has the lock; the message names it.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise GanbenchError(
                f"{self.folder}: cannot be made: {error.strerror}; --out names another place"
            ) from error
        owner = self.folder / "run.pid"
        try:
            with FileLock(self.folder / "run.lock", timeout=0):
                write_atomically(owner, str(os.getpid()).encode())
                try:
                    yield
                finally:
                    owner.unlink(missing_ok=True)
        except Timeout:
            pid = owner.read_text() if owner.exists() else "unknown"
            raise GanbenchError(
                f"{self.report}: another ganbench run (process {pid}) is working in this folder; "
                "wait for it or end it, or give this one another folder with --out"
            ) from None


@dataclass(frozen=True)
class Header:
    """What the ledger knows of the study besides its trials; fields as in StudyResults.

    Attributes
    ----------
    arms : tuple of ArmResult
    fingerprints : mapping of str to str
        Each arm's, as ``Cell.fingerprint``.
    searches : tuple of mapping
        What each search is, as ``SearchResult`` has it.
    ledger : str or None
        On a shared storage, the name that the trials stand under; ``storage`` is then its
        address, without a password, and ``files`` the folder or bucket of the trials' files.
    """

    study: Mapping[str, Any]
    origins: Mapping[str, str]
    arms: tuple[ArmResult, ...]
    fingerprints: Mapping[str, str]
    protocol: Mapping[str, Any]
    environment: Mapping[str, Any]
    command: str
    quick: bool
    metric_notes: Mapping[str, str]
    collapse_rule: str
    wall_seconds: float = 0.0
    searches: tuple[Mapping[str, Any], ...] = ()
    ledger: str | None = None
    storage: str | None = None
    files: str | None = None
    inspections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def write(self, archive: Archive) -> None:
        """Write the header beside the journal.

        Raises
        ------
        GanbenchError
            If it cannot be written.
        """
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        try:
            write_atomically(archive.header, text.encode())
        except OSError as error:
            raise GanbenchError(f"{archive.header}: cannot be written: {error.strerror}") from error


def read_header(archive: Archive) -> Header | None:
    """Return what was noted of the study, None if nothing was.

    Raises
    ------
    GanbenchError
        If the file is not one that ganbench wrote.
    """
    try:
        content = json.loads(archive.header.read_text())
        arms = tuple(ArmResult(**arm) for arm in content.pop("arms"))
        known = {item.name for item in fields(Header)}
        searches = tuple(content.pop("searches", ()))
        others = {key: content[key] for key in content if key in known}
        return Header(arms=arms, searches=searches, **others)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise GanbenchError(f"{archive.header}: not a study's header: {error}") from error


def read_results(folder: Path, address: Address | None = None) -> StudyResults:
    """Return a study as far as it has run, from its report folder.

    Parameters
    ----------
    folder : Path
    address : Address or None
        Of the storage, where the trials do not stand in the folder. Without one the storage is
        asked that the folder names, with whatever password the system has for it.

    Raises
    ------
    GanbenchError
        If the folder holds no ledger, or one that cannot be read, or its pictures cannot be had.
    """
    archive = Archive(folder)
    header = read_header(archive)
    if header is None or not (header.storage is not None or archive.journal.exists()):
        raise GanbenchError(
            f"{folder}: holds no ledger; expected the report folder of a study that "
            "`ganbench run` has started, such as reports/tricks"
        )
    records = stored_records(archive, header, address)
    if header.files is not None:
        archive = Archive(folder, place_of(header.files))
        stems = {archive.samples(*identity).stem for *_, identity in _cells(header)}
        with closing(archive.open_files()) as files:
            files.copy_here(archive.album, stems)
    return results_of(archive, header, records)


def stored_records(
    archive: Archive, header: Header, address: Address | None = None
) -> list[Record]:
    """Return the trials of a study, from where its header says that they stand.

    Raises
    ------
    LedgerError
        If they cannot be read.
    """
    if header.storage is None:
        address = None
    elif address is None:
        address = Address(header.storage)
    storage = open_storage(archive.journal, address)
    try:
        return read_records(storage, header.ledger)
    finally:
        close_storage(storage)


def results_of(archive: Archive, header: Header, records: Sequence[Record]) -> StudyResults:
    """Put a study's results together: every arm that applies, at every seed asked for."""
    answers, pictures = settle(records), archive.pictures()
    trials = tuple(
        _trial(
            arm,
            seed,
            identity[0],
            answers.get(identity),
            pictures.get(archive.samples(*identity).stem, {}),
        )
        for arm, seed, identity in _cells(header)
    )
    results = StudyResults(
        study=header.study,
        origins=header.origins,
        arms=tuple(arm for arm in header.arms if not arm.retuned),
        tuned=tuple(arm for arm in header.arms if arm.retuned),
        searches=tuple(search_result(one, records) for one in header.searches),
        trials=trials,
        protocol=header.protocol,
        environment=header.environment,
        command=header.command,
        quick=header.quick,
        wall_seconds=header.wall_seconds,
        data_samples=_existing(archive.data_sheet),
        metric_notes=header.metric_notes,
        collapse_rule=header.collapse_rule,
        inspections=header.inspections,
    )
    return asked_for(results)


def _cells(header: Header) -> Iterator[tuple[str, int, tuple[str, int, str]]]:
    """Give arm, seed and identity of every trial that a study asks for."""
    for arm in header.arms:
        if arm.key is not None and arm.skipped is None:
            fingerprint = header.fingerprints.get(arm.name, "")
            for seed in seeds_of(header.study):
                yield arm.name, seed, (arm.key, arm.trained_with(seed), fingerprint)


def _trial(
    arm: str, seed: int, key: str, record: Record | None, pictures: Mapping[str, Path]
) -> TrialResult:
    own = record.ending if record is not None else {}
    if record is None or own.get("outcome") not in OUTCOMES:
        return TrialResult(arm, seed, key, "pending")
    return TrialResult(
        arm=arm,
        seed=seed,
        key=key,
        outcome=own["outcome"],
        evaluations=record.evaluations,
        training_seconds=own.get("training_seconds", 0.0),
        evaluation_seconds=own.get("evaluation_seconds", 0.0),
        steps=own.get("steps", 0),
        error=own.get("error"),
        samples=pictures.get(""),
        pictures={n: path for n, path in pictures.items() if n and not n.startswith(INSPECTED)},
        inspected={
            name.removeprefix(INSPECTED): path
            for name, path in pictures.items()
            if name.startswith(INSPECTED)
        },
        details=own.get("details"),
    )


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None
