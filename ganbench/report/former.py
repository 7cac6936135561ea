"""The report that stands in a folder, and what of it another run would not have."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganbench.config.check import check_study
from ganbench.config.differences import differing_settings
from ganbench.config.marks import DEFAULT
from ganbench.config.model import Study
from ganbench.config.problems import Path as Key
from ganbench.config.problems import dotted
from ganbench.plugin import GanbenchError, Host
from ganbench.report.words import count
from ganbench.study.design import Arm, expand
from ganbench.study.run_plan import RunPlan

RESULTS = "results.json"
SHOWN = 3
"""Differences, or names of arms, that are told."""


def loss(plan: RunPlan) -> str | None:
    """Say what a finished report in the plan's folder has, and the plan's would not have.

    A report may be replaced by one with at least its arms, at the same settings, and its
    seeds: that of the same study again, or of one with more seeds, arms or levels. Defaults do
    not count as settings, so that a later ganbench may have others. Nothing is lost with a
    report that is not finished, whose results are in the ledger, nor with a quick one.

    Returns
    -------
    str or None
        None if nothing would be lost.
    """
    file = plan.report / RESULTS
    try:
        former = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return f"{RESULTS} there is no report's that this ganbench can read"
    try:
        if former["quick"] or not _finished(former["trials"]):
            return None
        seeds, resolved, arms = _again(former, plan.host)
    except (KeyError, TypeError, AttributeError):
        return f"{RESULTS} there is no report's that this ganbench can read"
    except GanbenchError as error:
        first = str(error).partition("\n")[0]
        return f"its study is none that this ganbench, with this run's plugins, can read: {first}"
    lost = _lost(arms, plan.arms)
    if not lost:
        return _seeds_lost(seeds, plan.study.all_seeds)
    # With another baseline every arm is another.
    if lost[0] is arms[0] and (told := _told_settings(resolved, plan.resolved)):
        return told
    names = ", ".join(arm.name for arm in lost[:SHOWN]) + (", …" if len(lost) > SHOWN else "")
    return f"it has {count(len(lost), 'arm')} that this one has not: {names}"


def _finished(trials: Sequence[Mapping[str, Any]]) -> bool:
    outcomes = [trial["outcome"] for trial in trials]
    return "pending" not in outcomes and ("complete" in outcomes or "diverged" in outcomes)


def _again(
    former: Mapping[str, Any], host: Host
) -> tuple[Sequence[int], Mapping[str, Any], list[Arm]]:
    """Read a report's study as today's ganbench would: its seeds, its values, its arms.

    Raises
    ------
    GanbenchError
        If it is not valid today.
    """
    stated = _stated(former["study"], former["origins"], ())
    # Every study has a question, and one that was never asked tells no two studies apart.
    stated["question"] = former["study"]["question"]
    resolved, problems = check_study(stated, host)
    if problems:
        raise GanbenchError(f"{dotted(problems[0].path)}: {problems[0].text}")
    study = Study.model_validate(resolved)
    not_applicable = {arm["name"] for arm in former["arms"] if arm["skipped"] is not None}
    arms = [arm for arm in expand(study, host) if arm.name not in not_applicable]
    # Of a range, those that were taken: it may have come to fewer than its most.
    return sorted({int(trial["seed"]) for trial in former["trials"]}), resolved, arms


def _stated(value: Any, origins: Mapping[str, str], at: Key) -> Any:
    """Return a resolved study without what nobody stated."""
    if isinstance(value, list):
        return [_stated(item, origins, (*at, index)) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, item in value.items():
        place = (*at, key)
        if origins.get(dotted(place)) != DEFAULT:
            kept[key] = _stated(item, origins, place)
        elif isinstance(item, dict) and (inner := _stated(item, origins, place)):
            kept[key] = inner
    return kept


def _lost(there: Sequence[Arm], here: Sequence[Arm]) -> list[Arm]:
    """Return the arms of one study that another has not, whatever it calls them."""
    ours = {(arm.config.key(), arm.seed_offset) for arm in here if arm.config is not None}
    return [
        arm
        for arm in there
        if arm.config is not None and (arm.config.key(), arm.seed_offset) not in ours
    ]


def _told_settings(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Tell the settings of all arms that differ."""
    told = differing_settings(there, here)
    if len(told) > SHOWN:
        told[SHOWN:] = [f"{count(len(told) - SHOWN, 'setting')} more"]
    return ", ".join(told)


def _seeds_lost(there: Sequence[int], here: Sequence[int]) -> str | None:
    lost = set(there) - set(here)
    if not lost:
        return None
    return f"it has {count(len(there), 'seed')}, of which this one leaves out {len(lost):,}"


def free_name(name: str, reports: Path) -> str:
    """Return a name like a study's under which there is no report yet."""
    number = 2
    while (reports / f"{name}-{number}").exists():
        number += 1
    return f"{name}-{number}"
