"""The results for programs: tables of trials and of arms, and ``results.json``, everything.

JSON has no infinity: it is written as the string ``"inf"`` or ``"-inf"``, NaN as null.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from math import isinf, isnan
from pathlib import Path
from typing import Any

from ganbench.study.comparison import Comparison, Rate
from ganbench.study.effects import Effects
from ganbench.study.exploratory import Estimate, Exploration
from ganbench.study.results import StudyResults, TrialResult

PICTURES = ("samples", "pictures")
SCHEMA = 1
"""Raised when a key of ``results.json`` changes its meaning or goes away."""


def to_json(
    results: StudyResults,
    comparisons: Sequence[Comparison],
    explorations: Sequence[Exploration],
    effects: Effects | None,
    retuned: Sequence[Comparison] = (),
) -> str:
    """Return all that is known of a study, and what follows from it, as JSON."""
    names = [field.name for field in fields(results)]
    content = {
        "schema": SCHEMA,
        **{name: getattr(results, name) for name in names if name != "data_samples"},
        "trials": [
            {key: value for key, value in vars(trial).items() if key not in PICTURES}
            for trial in results.trials
        ],
        "comparisons": [asdict(item) for item in comparisons],
        "exploratory": [asdict(item) for item in explorations],
        "effects": asdict(effects) if effects is not None else None,
        "retuned": [asdict(item) for item in retuned],
    }
    return json.dumps(plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Return a value made of what JSON has: dataclasses as objects, tuples as arrays."""
    if isinstance(value, float):  # what there is most of
        if isnan(value):
            return None
        return ("inf" if value > 0 else "-inf") if isinf(value) else value
    if isinstance(value, bool | int | str) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return plain(vars(value))
    if isinstance(value, Path):
        return value.name
    return str(value)


def to_csv(results: StudyResults) -> str:
    """Return a table with a row a trial, and one for each arm that does not apply.

    Columns: the arm, seed and outcome; the primary figure at the end, at its best, where
    that was, and its mean level; every figure at the end; the state at the end, and the signs
    that it was seen by; times; the seed that it was trained with, another one in an A/A arm.
    """
    primary = results.primary
    figures = sorted({key for t in results.trials for p in t.evaluations for key in p.figures})
    others = [figure for figure in figures if figure != primary]
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(
        [
            *("arm", "seed", "outcome", f"final_{primary}", f"best_{primary}", "best_step"),
            *(f"area_{primary}", *(f"final_{figure}" for figure in others), "final_health"),
            "final_signs",
            *("steps", "training_seconds", "evaluation_seconds", "seconds_per_step", "key"),
            *("error", "trained_with"),
        ]
    )
    for arm in (*results.arms, *results.tuned):
        if arm.skipped is not None:
            blank = [""] * (len(others) + 11)
            table.writerow([arm.name, "", "n/a", *blank, arm.skipped, ""])
        for _, trial in sorted(results.of_arm(arm.name).items()):
            row = [*_row(trial, primary, others), arm.trained_with(trial.seed)]
            table.writerow([_cell(value) for value in row])
    return stream.getvalue()


def to_arms_csv(comparisons: Sequence[Comparison], explorations: Sequence[Exploration]) -> str:
    """Return a table with a row an arm: its verdict, and the exploratory figures.

    Changes are differences of logarithms, infinite ones ``inf`` and ``-inf``.
    """
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    rows = [_arm(*pair) for pair in zip(comparisons, explorations, strict=True)]
    table.writerow(rows[0])
    table.writerows([_cell(value) for value in row.values()] for row in rows)
    return stream.getvalue()


def _arm(row: Comparison, more: Exploration) -> dict[str, object]:
    effect, pairing = row.effect, more.pairing
    return {
        "arm": row.arm,
        "verdict": row.verdict,
        "pairs": len(effect.differences) if effect else None,
        "change": effect.estimate if effect else None,
        "change_low": effect.low if effect else None,
        "change_high": effect.high if effect else None,
        "p": effect.p if effect else None,
        "p_holm": row.p_holm,
        **_ends("bca", more.change, value=False),
        **_ends("improvement", more.improvement),
        **_ends("iqm", more.iqm),
        "seed_correlation": pairing.correlation if pairing else None,
        "seed_correlation_of_ranks": pairing.ranked if pairing else None,
        "pairing_gain": pairing.gain if pairing else None,
        "ended": row.diverged.total,
        **_share("collapsed", row.collapsed),
        **_share("diverged", row.diverged),
        "seeds_for_effect": row.seeds_for_effect,
        "seeds_for_margin": row.seeds_for_margin,
    }


def _ends(name: str, estimate: Estimate | None, value: bool = True) -> dict[str, object]:
    cells: dict[str, object] = {name: estimate.value if estimate else None} if value else {}
    cells[f"{name}_low"] = estimate.low if estimate else None
    cells[f"{name}_high"] = estimate.high if estimate else None
    return cells


def _share(name: str, rate: Rate) -> dict[str, object]:
    return {name: rate.count, f"{name}_low": rate.low, f"{name}_high": rate.high}


def _row(trial: TrialResult, primary: str, others: Sequence[str]) -> list[object]:
    best = trial.best(primary)
    places = [
        p.step for p in trial.evaluations if best is not None and p.figures.get(primary) == best
    ]
    return [
        *(trial.arm, trial.seed, trial.outcome, trial.final(primary), best),
        *(places[0] if best is not None else None, trial.area(primary)),
        *(trial.final(figure) for figure in others),
        trial.evaluations[-1].health if trial.evaluations else None,
        ", ".join(trial.evaluations[-1].signs) if trial.evaluations else None,
        *(trial.steps, trial.training_seconds, trial.evaluation_seconds),
        *(trial.seconds_per_step, trial.key, trial.error),
    ]


def _cell(value: object) -> object:
    return "" if value is None else value
