"""A study of any number of trials, and results for them that look like those of a real one."""

import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from optuna.trial import TrialState, create_trial
from PIL import Image

from ganbench.config.model import Study
from ganbench.plugin import Host
from ganbench.study.archive import Archive, Header
from ganbench.study.definition import Definition
from ganbench.study.design import Arm, expand
from ganbench.study.ledger import Ledger
from ganbench.study.records import Cell, Ending, Record
from ganbench.study.results import EvaluationPoint
from ganbench.study.run_plan import arm_result, cells_of, definition_of

SEEDS = 10
EVALUATIONS = 10
STEPS = 10_000
PRINT = "f" * 16
"""Stands for the fingerprint of an arm."""


@dataclass(frozen=True)
class Sized:
    """A study of many arms at ten seeds each."""

    study: Study
    arms: tuple[Arm, ...]
    cells: tuple[Cell, ...]
    definition: Definition


def sized(trials: int) -> Sized:
    """Return a study of ``trials`` trials, a multiple of ten: an arm for each size of latents."""
    study = Study.model_validate(
        {
            "name": "sized",
            "question": "What does a study of this size cost?",
            "dataset": "digits",
            "baseline": {"architecture": "mlp", "steps": STEPS},
            "factors": {"latent.dimension": [64 + place for place in range(trials // SEEDS)]},
            "seeds": SEEDS,
        }
    )
    arms = tuple(expand(study, Host()))
    cells = cells_of(study, arms, dict.fromkeys((arm.name for arm in arms), PRINT))
    return Sized(study, arms, tuple(cells), definition_of(study, arms))


def ending_of(cell: Cell) -> Ending:
    """Return a result: ten evaluations of five figures, and what a trial notes besides."""
    chance = np.random.default_rng(zlib.crc32(f"{cell.arm} {cell.seed}".encode()))
    level = 20 * chance.lognormal(0, 0.2)
    points = tuple(
        EvaluationPoint(
            step=STEPS * place // EVALUATIONS,
            seconds=6.0 * place * chance.lognormal(0, 0.01),
            figures={
                "fid": level * (1 + 14 / (1 + place)),
                "diversity": chance.random(),
                "modes": 10.0,
                "mode_kl": chance.random() / 10,
                "classifier_score": 9 * chance.random(),
            },
            health="healthy",
            losses={"discriminator": chance.random(), "generator": chance.random()},
        )
        for place in range(1, EVALUATIONS + 1)
    )
    details = {
        "order": {"transform_targets": ["label_smoothing"], "transform_images": ["diffaugment"]},
        "parameters": {"generator": 123_456, "discriminator": 234_567},
        "weights": "the trained ones",
        "execution": {"backend": "eager"},
        "device": "cpu",
        "torch": "2",
        "ganbench": "0",
    }
    return Ending("complete", points[-1].figures["fid"], points, 60.0, 2.0, STEPS, None, details)


def fill(ledger: Ledger, cells: Sequence[Cell]) -> None:
    """Let a ledger hold complete trials of some cells."""
    ledger.queue(cells, records=[_elsewhere(cell) for cell in cells])


def finished(folder: Path, trials: int) -> None:
    """Make a report folder whose ledger holds a study of ``trials`` trials, all complete."""
    one = sized(trials)
    archive = Archive(folder)
    fill(Ledger(archive.folder, one.definition), one.cells)
    _header(one.study, one.arms).write(archive)
    sheet = folder / "sheet.png"
    Image.effect_noise((64, 64), 80).save(sheet)
    for cell in one.cells:
        place = archive.samples(*cell.identity)
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(sheet, place)


def _elsewhere(cell: Cell) -> Record:
    """Return a cell's result as another study would have it: it is taken over at once."""
    ending = ending_of(cell)
    trial = create_trial(
        state=TrialState.COMPLETE,
        values=ending.values,
        user_attrs={**cell.attributes(), **ending.attributes()},
        intermediate_values={p.step: p.figures["fid"] for p in ending.evaluations},
    )
    return Record("elsewhere", trial)


def _header(study: Study, arms: Sequence[Arm]) -> Header:
    return Header(
        study=study.model_dump(mode="json"),
        origins={},
        arms=tuple(arm_result(arm) for arm in arms),
        fingerprints=dict.fromkeys((arm.name for arm in arms), PRINT),
        protocol={"samples": 1797, "reference": {"count": 1797, "shape": [1, 8, 8]}},
        environment={},
        command="ganbench run sized.yaml",
        quick=False,
        metric_notes={"fid": "Fréchet distance; lower is better"},
        collapse_rule="Healthy: anything.",
    )
