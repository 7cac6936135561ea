"""From factors to arms: which trials a study consists of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ganbench.config.check import check_study
from ganbench.config.combinations import count_places, places_of
from ganbench.config.levels import Cell, FactorKeyError, level_of, locate, resolve_cell
from ganbench.config.model import AA_OFFSET, Study, TrialConfig
from ganbench.config.problems import StudyError, dotted
from ganbench.config.setting import (
    OFF,
    Setting,
    baseline_values,
    clashes,
    component_values,
    evaluation_values,
)
from ganbench.plugin import Host
from ganbench.study.names import arm_names, combined_names, level_names

BASELINE = "baseline"
FULL = "full"
"""The arm of ``leave-one-out`` that the others are compared with: every factor on."""
AGAIN = "A/A"
"""What the others are compared with, once more, at other seeds."""


@dataclass(frozen=True)
class Arm:
    """One cell of the design.

    Attributes
    ----------
    name : str
        ``baseline`` for the first, or ``full``; unique in a study.
    levels : dict of str to Any
        What differs from the baseline, all defaults filled in: factor to level. A trick's
        level is ``"off"`` or its parameters, a component's ``{name: …, **parameters}``.
    config : TrialConfig or None
        None where the arm does not apply.
    skipped : str or None
        Why the arm is n/a, as far as that can be known without the data.
    cell : mapping of str to int
        In a design that combines factors: the place of each one's level in its list.
    seed_offset : int
        Added to a pair's seed to give the one that the arm is trained with.
    leaves_out : str or None
        In ``leave-one-out``: what the arm has back at the baseline's level.
    tuned : mapping of str to Any
        What a search chose: parameter to level.
    retuned : bool
        Whether this is another arm with its hyperparameters tuned.
    """

    name: str
    levels: dict[str, Any]
    config: TrialConfig | None
    skipped: str | None = None
    cell: Mapping[str, int] = field(default_factory=dict)
    seed_offset: int = 0
    leaves_out: str | None = None
    tuned: Mapping[str, Any] = field(default_factory=dict)
    retuned: bool = False


def count_arms(study: Study) -> int:
    """Return how many arms a study has, those that do not apply among them: without making them."""
    design = study.design
    if design.kind == "search":
        return 2 + design.aa
    if design.kind == "arms":
        return 1 + len(design.arms) + design.aa
    levels = [len(levels) for levels in study.factors.values()]
    return count_places(design.kind, levels, design.resolution) + design.aa


def count_tuning(study: Study) -> int:
    """Return how many trials a study's searches come to, if none is pruned or diverges."""
    count = 0
    if study.design.kind == "search":
        count += (study.design.trials or 0) * len(study.design.seeds)
    if study.tuning is not None:
        arms = count_arms(study) - study.design.aa
        count += arms * study.tuning.budget * len(study.tuning.seeds)
    return count


def count_trials(study: Study) -> int:
    """Return how many trials a study comes to, those of its searches and retuned arms too."""
    readings = 1 if study.tuning is None else 2
    return readings * count_arms(study) * len(study.all_seeds) + count_tuning(study)


def expand(study: Study, host: Host) -> tuple[Arm, ...]:
    """Return the arms of a study, the one that the others are compared with first.

    That is the baseline, in ``leave-one-out`` the full arm; ``ganbench.config.model.Design``
    says which others there are.

    Raises
    ------
    StudyError
        If the study is not valid under this host's plugins.
    """
    resolved, problems = check_study(study_values(study), host)
    if problems:
        raise StudyError([f"{dotted(problem.path)}: {problem.text}" for problem in problems])
    alone = resolved["design"]["kind"] in ("one-at-a-time", "arms", "search")
    arms = _listed(resolved, host) if alone else _combined(resolved, host)
    if resolved["design"]["aa"]:
        arms.append(replace(arms[0], name=AGAIN, cell={}, seed_offset=AA_OFFSET))
    return tuple(arms)


def _listed(resolved: Mapping[str, Any], host: Host) -> list[Arm]:
    """Return the baseline, and the arms of a list or with one level changed."""
    setting = resolved["baseline"]
    cells = list(_cells(resolved))
    names = arm_names([levels for _, levels in cells], setting, host)
    arms = [Arm(BASELINE, {}, _config(resolved, setting))]
    for (given, changes), generated in zip(cells, names, strict=True):
        cell = resolve_cell(setting, changes, host, {key: (key,) for key in changes})
        if cell.setting is None:  # `check_study` resolved the same cells just now.
            raise StudyError([f"{given or generated}: {p.text}" for p in cell.problems])
        arms.append(_arm(given or generated, cell, resolved, host))
    return arms


def _combined(resolved: Mapping[str, Any], host: Host) -> list[Arm]:
    """Return the arms of a design that sets every factor in every arm."""
    setting, factors, design = (resolved[key] for key in ("baseline", "factors", "design"))
    levels = [len(levels) for levels in factors.values()]
    cells = [
        dict(zip(factors, places, strict=True))
        for places in places_of(design["kind"], levels, design["resolution"])
    ]
    changed = [{key: place for key, place in cell.items() if place} for cell in cells]
    names = combined_names(changed[1:], factors, setting, host)
    left_out: list[str | None] = [None] * len(cells)
    first = BASELINE
    if design["kind"] == "leave-one-out":
        first = FULL
        left_out[1:] = [level_names(key, factors[key], setting, host)[1] for key in factors]
        names = [
            f"with {key}" if factors[key][1] == OFF else f"without {name}"
            for key, name in zip(factors, left_out[1:], strict=True)
        ]
    arms: list[Arm] = []
    known: dict[str, str] = {}
    for name, cell, changes, without in zip([first, *names], cells, changed, left_out, strict=True):
        at = {key: factors[key][place] for key, place in changes.items()}
        arm = _arm(name, _crossed(setting, at, factors, host), resolved, host)
        arm = replace(arm, levels=arm.levels or at)
        if arm.config is not None:
            same = known.setdefault(arm.config.key(), name)
            if same != name:
                arm = replace(arm, config=None, skipped=f"comes to the same as {same}")
        arms.append(replace(arm, cell=cell, leaves_out=without))
    return arms


def _crossed(
    setting: Setting, changes: Mapping[str, Any], factors: Mapping[str, Any], host: Host
) -> Cell:
    """Apply levels, and keep the other factors at their first.

    Another plugin brings its own parameters' defaults along; where one of them is a factor
    too, the factor's level counts.
    """
    cell = resolve_cell(setting, changes, host, {key: (key,) for key in factors})
    if cell.setting is None:
        return cell
    kept = {}
    for key, levels in factors.items():
        try:
            drifted = level_of(cell.setting, locate(key, cell.setting, host)) != levels[0]
        except (FactorKeyError, KeyError):  # What is changed here has no such parameter.
            drifted = False
        if key not in changes and drifted:
            kept[key] = levels[0]
    if not kept:
        return cell
    return resolve_cell(setting, {**changes, **kept}, host, {key: (key,) for key in factors})


def _arm(name: str, cell: Cell, resolved: Mapping[str, Any], host: Host) -> Arm:
    setting = resolved["baseline"]
    if cell.setting is None:
        reasons = "; ".join(f"{dotted(p.path)}: {p.text}" for p in cell.problems)
        return Arm(name, {}, None, reasons)
    levels = {k: v for k, v in cell.levels.items() if _differs(k, v, setting, host)}
    reasons = "; ".join(reason for _, reason in clashes(cell.setting, host))
    config = None if reasons else _config(resolved, cell.setting)
    return Arm(name, levels, config, reasons or None)


def study_values(study: Study) -> dict[str, Any]:
    """Return a study as plain values, in the shape of a study file."""
    values = study.model_dump(mode="json")
    values["dataset"] = component_values(study.dataset)
    values["baseline"] = baseline_values(study.baseline)
    values["evaluation"] = evaluation_values(study.evaluation)
    return values


def _cells(resolved: Mapping[str, Any]) -> list[tuple[str | None, dict[str, Any]]]:
    """Return each arm's own name, if it has one, and its levels."""
    if resolved["design"]["kind"] == "arms":
        return [(arm["name"], arm["set"]) for arm in resolved["design"]["arms"]]
    return [
        (None, {key: level}) for key, levels in resolved["factors"].items() for level in levels[1:]
    ]


def _config(resolved: Mapping[str, Any], setting: Setting) -> TrialConfig:
    return TrialConfig.model_validate(
        {**setting, "dataset": resolved["dataset"], "evaluation": resolved["evaluation"]}
    )


def _differs(key: str, level: Any, setting: Setting, host: Host) -> bool:
    try:
        return bool(level_of(setting, locate(key, setting, host)) != level)
    except (FactorKeyError, KeyError):  # Only this arm has the key: another network's parameter.
        return True
