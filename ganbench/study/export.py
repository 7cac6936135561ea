"""A trial of a report made again, to draw samples of it: from its weights, or by training."""

import json
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ganbench.config.load import load_study
from ganbench.config.model import TrialConfig
from ganbench.config.problems import suggest
from ganbench.data.load import data_hash, load_data
from ganbench.evaluation.pictures import sample_sheet, shown
from ganbench.plugin import Data, GanbenchError, Host, Progress
from ganbench.study.archive import Archive, Header, read_header
from ganbench.study.design import expand
from ganbench.study.places import place_of
from ganbench.study.results import ArmResult, seeds_of
from ganbench.study.run_plan import AUTO, TOGETHER
from ganbench.training import Company, KeptGenerator, Trial, read_generator

SLICE = 50
"""Steps between signs of life."""


@dataclass(frozen=True)
class Chosen:
    """One trial of a report.

    Attributes
    ----------
    archive : Archive
    header : Header or None
        None where only the report is there, without its ledger.
    study, protocol : mapping
        The resolved study, and how it was measured.
    arm : ArmResult
    seed : int
        The pair's.
    """

    archive: Archive
    header: Header | None
    study: Mapping[str, Any]
    protocol: Mapping[str, Any]
    arm: ArmResult
    seed: int

    @property
    def identity(self) -> tuple[str, int, str] | None:
        """What its files are found by; None without a ledger."""
        if self.header is None or self.arm.key is None:
            return None
        fingerprint = self.header.fingerprints.get(self.arm.name, "")
        return self.arm.key, self.arm.trained_with(self.seed), fingerprint

    def picture(self) -> bytes | None:
        """Return the sheet of samples that was drawn when the trial ended, if it is there."""
        if self.identity is None:
            return None
        with closing(self.archive.open_files()) as files:
            return files.read(self.archive.samples(*self.identity))

    def kept(self) -> KeptGenerator | None:
        """Return the weights that were kept, None if none were.

        Raises
        ------
        CheckpointError
            If the file cannot be used.
        """
        if self.identity is None:
            return None
        with closing(self.archive.open_files()) as files:
            content = files.read(self.archive.generator(*self.identity))
        return None if content is None else read_generator(content)


def choose(folder: Path, arm: str | None, seed: int | None) -> Chosen:
    """Find a trial of a report: of the first arm and at the first seed, if not said otherwise.

    Raises
    ------
    GanbenchError
        If the folder holds no report, or the report has no such arm or seed.
    """
    header = read_header(Archive(folder))
    if header is not None:
        study, arms, protocol = header.study, header.arms, header.protocol
    else:
        study, arms, protocol = _without_ledger(folder)
    names = [each.name for each in arms if each.key is not None]
    wanted = names[0] if arm is None else arm
    if wanted not in names:
        skipped = next((each.skipped for each in arms if each.name == wanted), None)
        if skipped is not None:
            raise GanbenchError(f"{folder}: the arm {wanted!r} was not trained: {skipped}")
        listing = suggest(wanted, names) or f"; arms are {', '.join(names)}"
        raise GanbenchError(f"{folder}: there is no arm {wanted!r}{listing}")
    seeds = seeds_of(study)
    chosen = seeds[0] if seed is None else seed
    if chosen not in seeds:
        raise GanbenchError(
            f"{folder}: the study has no seed {chosen}; seeds are {', '.join(map(str, seeds))}"
        )
    place = None if header is None or header.files is None else place_of(header.files)
    found = next(each for each in arms if each.name == wanted)
    return Chosen(Archive(folder, place), header, study, protocol, found, chosen)


def _without_ledger(
    folder: Path,
) -> tuple[Mapping[str, Any], tuple[ArmResult, ...], Mapping[str, Any]]:
    path = folder / "results.json"
    try:
        content = json.loads(path.read_text())
        arms = tuple(ArmResult(**arm) for arm in content["arms"])
        return content["study"], arms, content["protocol"]
    except FileNotFoundError:
        raise GanbenchError(
            f"{folder}: holds neither a ledger nor {path.name}; expected the folder of a report"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GanbenchError(f"{path}: not the results of a report: {error}") from error


def load_reference(chosen: Chosen, host: Host, root: Path | None, progress: Progress) -> Data:
    """Load the data of a study, and make sure that they are those that it had.

    Raises
    ------
    GanbenchError
        If they cannot be had, or are others.
    """
    dataset = dict(chosen.study["dataset"])
    name = dataset.pop("name")
    data = load_data(name, dataset, host, root, progress)
    expected = chosen.protocol["reference"]["sha256"]
    if data_hash(data) != expected:
        raise GanbenchError(
            f"the data set {name!r} is not what the study was trained on: its hash is "
            f"{data_hash(data)}, and was {expected}"
        )
    return data


def restore(
    chosen: Chosen,
    data: Data,
    host: Host,
    device: torch.device,
    retrain: bool,
    progress: Progress,
) -> Trial:
    """Return the trial as it was at its end.

    Parameters
    ----------
    chosen : Chosen
    data : Data
    host : Host
    device : torch.device
    retrain : bool
        Train it again where no weights were kept.
    progress : callable

    Raises
    ------
    GanbenchError
        If neither is possible, or it diverges.
    """
    kept = chosen.kept()
    seed = chosen.arm.trained_with(chosen.seed)
    if kept is not None:
        trial = Trial(kept.config, kept.seed, data, host, device)
        kept.restore(trial)
        return trial
    if not retrain:
        why = "it has not ended well, is of an earlier ganbench, or its generator was too large"
        if chosen.header is None:
            why = "the report has come without its ledger"
        raise GanbenchError(
            f"no weights are kept of {chosen.arm.name} at seed {chosen.seed} in "
            f"{chosen.archive.generators}: {why}; --retrain trains it again"
        )
    config, executed = _config(chosen, host), chosen.protocol.get("execution", {})
    trial = Trial(config, seed, data, host, device, executed.get(AUTO, "eager"))
    rows = config.execution.company(executed.get(f"{AUTO} {TOGETHER}", 1))
    company = Company([trial], rows)  # of its own, as it had then
    while trial.step < trial.steps:
        company.advance(SLICE)
        progress(f"training {chosen.arm.name}", trial.step, trial.steps)
        if trial.diverged_at is not None:
            raise GanbenchError(
                f"{chosen.arm.name} at seed {chosen.seed} diverges at step {trial.diverged_at}: "
                "there is nothing to draw from"
            )
    return trial


def _config(chosen: Chosen, host: Host) -> TrialConfig:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "study.yaml"
        path.write_text(json.dumps(chosen.study))  # which is YAML too
        study = load_study(path, host).study
    for arm in expand(study, host):
        if arm.name == chosen.arm.name and arm.config is not None:
            if arm.config.key() == chosen.arm.key:
                return arm.config
            raise GanbenchError(
                f"{arm.name}: this ganbench, or a plugin, makes another configuration of it than "
                "the one that the report is of, so it cannot be trained again"
            )
    raise GanbenchError(
        f"{chosen.arm.name}: what a search has found cannot be trained again from a report"
    )


def is_the_reports(chosen: Chosen, trial: Trial, data: Data) -> bool | None:
    """Say whether a trial's samples are those of the report's picture; None without a picture."""
    picture = chosen.picture()
    if picture is None:
        return None
    return sample_sheet(trial.sample(shown(data)), data) == picture
