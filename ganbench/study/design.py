"""From factors to arms: which trials a study consists of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganbench.config.check import check_study
from ganbench.config.levels import FactorKeyError, level_of, locate, resolve_cell
from ganbench.config.model import Study, TrialConfig
from ganbench.config.problems import StudyError, dotted
from ganbench.config.setting import (
    Setting,
    baseline_values,
    clashes,
    component_values,
    metrics_values,
)
from ganbench.plugin import Host
from ganbench.study.names import arm_names

BASELINE = "baseline"


@dataclass(frozen=True)
class Arm:
    """One cell of the design.

    Attributes
    ----------
    name : str
        ``baseline`` for the first; unique in a study.
    levels : dict of str to Any
        What differs from the baseline, all defaults filled in: factor to level. A trick's
        level is ``"off"`` or its parameters, a component's ``{name: …, **parameters}``.
    config : TrialConfig or None
        None where the arm does not apply.
    skipped : str or None
        Why the arm is n/a, as far as that can be known without the data.
    """

    name: str
    levels: dict[str, Any]
    config: TrialConfig | None
    skipped: str | None = None


def expand(study: Study, host: Host) -> tuple[Arm, ...]:
    """Return the arms of a study, the baseline first.

    ``one-at-a-time``: one arm for each level of each factor but the first. ``arms``: those
    of the list.

    Raises
    ------
    StudyError
        If the study is not valid under this host's plugins.
    """
    resolved, problems = check_study(study_values(study), host)
    if problems:
        raise StudyError([f"{dotted(problem.path)}: {problem.text}" for problem in problems])
    setting = resolved["baseline"]
    cells = list(_cells(resolved))
    names = arm_names([levels for _, levels in cells], setting, host)
    arms = [Arm(BASELINE, {}, _config(resolved, setting))]
    for (given, changes), generated in zip(cells, names, strict=True):
        cell = resolve_cell(setting, changes, host, {key: (key,) for key in changes})
        if cell.setting is None:  # `check_study` resolved the same cells just now.
            raise StudyError([f"{given or generated}: {p.text}" for p in cell.problems])
        levels = {k: v for k, v in cell.levels.items() if _differs(k, v, setting, host)}
        reasons = "; ".join(reason for _, reason in clashes(cell.setting, host))
        config = None if reasons else _config(resolved, cell.setting)
        arms.append(Arm(given or generated, levels, config, reasons or None))
    return tuple(arms)


def study_values(study: Study) -> dict[str, Any]:
    """Return a study as plain values, in the shape of a study file."""
    values = study.model_dump(mode="json")
    values["dataset"] = component_values(study.dataset)
    values["baseline"] = baseline_values(study.baseline)
    values["evaluation"]["extractor"] = component_values(study.evaluation.extractor)
    values["evaluation"]["metrics"] = metrics_values(study.evaluation)
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
