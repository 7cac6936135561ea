"""What a run is to do: a loaded study, its arms, where and on what it runs."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import platformdirs

from ganbench.config.model import Study, TrialConfig, shifted_seed
from ganbench.config.text import flow
from ganbench.plugin import Host
from ganbench.plugin.kinds import Kind
from ganbench.study.definition import Definition
from ganbench.study.design import Arm
from ganbench.study.places import Place
from ganbench.study.records import Cell
from ganbench.study.results import ArmResult
from ganbench.study.storage import Address

CACHE_VARIABLE = "GANBENCH_CACHE"
AUTO, TOGETHER = "auto", "together"
"""Of an instrument: what ``execution.backend`` and ``together`` are that are ``auto``, where that
is not ``eager`` and 1."""


def cache_folder() -> Path:
    """Return where classifiers and reference statistics are kept between runs."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("ganbench")) / "evaluation"


def arm_result(arm: Arm) -> ArmResult:
    """Return an arm as reports know it."""
    applies = arm.config is not None and arm.skipped is None
    key = arm.config.key() if arm.config is not None and applies else None
    return ArmResult(
        name=arm.name,
        levels={**arm.levels, **arm.tuned},
        key=key,
        skipped=arm.skipped,
        cell=arm.cell,
        seed_offset=arm.seed_offset,
        leaves_out=arm.leaves_out,
        retuned=arm.retuned,
    )


@dataclass(frozen=True)
class RunPlan:
    """A run of a study.

    Attributes
    ----------
    study : Study
    resolved : mapping
        The resolved study file, plain values.
    origins : mapping of str to str
    arms : tuple of Arm, the baseline first
    host : Host
    report : Path
        The report folder, absolute.
    command : str
        What reruns the study.
    quick : bool
    devices : tuple of str
    workers : int
    data_root : Path or None
    cache : Path
    storage : Address or None
        Where the trials stand, if not in the report folder's journal.
    files : Path, BucketPlace or None
        Where the trials' checkpoints and pictures are, if not in the report folder.
    stall : float
        Seconds without a sign of life after which a worker is ended; 0 is never.
    """

    study: Study
    resolved: Mapping[str, Any]
    origins: Mapping[str, str]
    arms: tuple[Arm, ...]
    host: Host
    report: Path
    command: str
    quick: bool
    devices: tuple[str, ...]
    workers: int
    data_root: Path | None
    cache: Path
    storage: Address | None = None
    files: Place | None = None
    stall: float = 1800.0


def definition_of(study: Study, arms: Sequence[Arm], searches: Sequence[str] = ()) -> Definition:
    """Return the parameters of the study's trials, as Optuna is to know them."""
    values = list(levels_of(study, arms).values())
    factors = {
        factor: tuple(dict.fromkeys(levels[factor] for levels in values))
        for factor in (values[0] if values else ())
    }
    offsets = dict.fromkeys(arm.seed_offset for arm in arms)
    seeds = tuple(shifted_seed(seed, offset) for offset in offsets for seed in study.all_seeds)
    return Definition(
        name=study.name,
        arms=tuple(arm.name for arm in arms),
        factors=factors,
        seeds=seeds,
        searches=tuple(searches),
        figures=(study.evaluation.primary, *study.design.objectives[1:]),
    )


def levels_of(study: Study, arms: Sequence[Arm]) -> dict[str, dict[str, str]]:
    """Return each arm's level of every factor, as text; the baseline's where it is unchanged."""
    factors = dict.fromkeys([*study.factors, *(key for arm in arms for key in arm.levels)])
    unchanged = {
        factor: flow(study.factors[factor][0]) if factor in study.factors else "as in the baseline"
        for factor in factors
    }
    return {
        arm.name: unchanged | {factor: flow(level) for factor, level in arm.levels.items()}
        for arm in arms
    }


def cells_of(study: Study, arms: Sequence[Arm], fingerprints: Mapping[str, str]) -> list[Cell]:
    """Return the trials of a study, seed by seed, so that pairs are complete early."""
    levels = levels_of(study, arms)
    firsts = [
        (
            arm.seed_offset,
            Cell(
                arm.name,
                0,
                arm.config.key(),
                fingerprints[arm.name],
                levels[arm.name],
                # A worker that runs already does not know what a search has come to.
                config=arm.config.model_dump(mode="json") if arm.tuned else None,
            ),
        )
        for arm in arms
        if arm.config is not None and arm.skipped is None
    ]
    return [
        replace(cell, seed=shifted_seed(seed, offset))
        for seed in study.all_seeds
        for offset, cell in firsts
    ]


def fingerprint(config: TrialConfig, instrument: Mapping[str, Any], host: Host) -> str:
    """Return a hash of what a configuration only names, and what may change behind it.

    Parameters
    ----------
    config : TrialConfig
    instrument : mapping
        What makes and measures the trial: device, versions, hashes of the data, the
        extractor, the classifier, the back end of ``auto``.
    host : Host
        Knows where plugins came from: a file given with ``--plugin`` is hashed, for any
        other plugin than a built-in the distribution's version is taken.
    """
    plugins = {name: source for name, (_, source) in foreign_plugins(config, host).items()}
    if config.execution.backend != "auto":
        measured = (AUTO, TOGETHER)
        instrument = {key: value for key, value in instrument.items() if key not in measured}
    text = json.dumps([instrument, plugins], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def foreign_plugins(config: TrialConfig, host: Host) -> dict[str, tuple[str, str]]:
    """Return the plugins of a configuration that ganbench does not bring.

    Returns
    -------
    dict of str to (str, str)
        Kind and name; where it came from, a file by its name; and what tells versions of it
        apart: the file's SHA-256, or the distribution and its version.
    """
    named: list[tuple[Kind, str]] = [
        ("dataset", config.dataset.name),
        ("architecture", config.architecture.name),
        ("objective", config.objective.name),
        ("extractor", config.evaluation.extractor.name),
        *(("trick", name) for name in config.tricks),
        *(("metric", metric.name) for metric in config.evaluation.candidates),
    ]
    found: dict[str, tuple[str, str]] = {}
    for kind, name in named:
        registered = host.find(kind, name)
        if registered.builtin:
            continue
        file = Path(registered.source)
        if file in host.files:
            found[f"{kind} {name}"] = (file.name, host.digests[file])
        else:
            found[f"{kind} {name}"] = (registered.source, registered.source)
    return found


def describe_plugins(arms: Sequence[Arm], host: Host) -> dict[str, str]:
    """Return, for the report, each foreign plugin of the arms with its source and version."""
    found: dict[str, tuple[str, str]] = {}
    for arm in arms:
        if arm.config is not None:
            found.update(foreign_plugins(arm.config, host))
    return {
        name: source if source == version else f"{source}, sha256 {version[:16]}"
        for name, (source, version) in found.items()
    }


def trick_notes(arms: Sequence[Arm], host: Host) -> dict[str, str]:
    """Return what each figure of the arms' tricks' own means, as ``trick.figure``."""
    names = {name for arm in arms if arm.config is not None for name in arm.config.tricks}
    return {
        f"{name}.{key}": text
        for name in sorted(names)
        for key, text in host.find("trick", name).cls.figures.items()
    }
