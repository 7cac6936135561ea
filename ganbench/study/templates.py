"""Cells as Optuna's trials, before they have run or when their results are known."""

from collections.abc import Mapping
from typing import Any

from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from ganbench.study.definition import Definition
from ganbench.study.records import CELL, Cell, Ending, Record

BEGUN = "begun"
"""Attribute of a trial that goes on with another one's work."""
ALONE = "alone"
"""Attribute of a trial whose next worker may be its last: others should not share its fate."""


def waiting_trial(definition: Definition, cell: Cell) -> FrozenTrial:
    """Return a trial that waits for somebody to train it."""
    return create_trial(
        state=TrialState.WAITING,
        **_parameters(definition, cell),
        user_attrs=cell.attributes(),
        system_attrs=dict(cell.draw.notes) if cell.draw else None,
    )


def adopted_trial(definition: Definition, cell: Cell, record: Record) -> FrozenTrial:
    """Return a copy of a result that stands elsewhere, so that Optuna's study shows it too."""
    return create_trial(
        state=record.state,
        values=record.trial.values,
        **_parameters(definition, cell),
        user_attrs={**record.attributes, **cell.attributes(), "from": record.study},
        system_attrs={**record.trial.system_attrs, **(cell.draw.notes if cell.draw else {})},
        intermediate_values=record.trial.intermediate_values,
    )


def next_trial(trial: FrozenTrial, alone: bool = False) -> FrozenTrial:
    """Return a trial that waits to go on with one that was given up before its end.

    Parameters
    ----------
    trial : FrozenTrial
    alone : bool
        Whether it is to be trained alone from now on, as this one is if it was.
    """
    begun = {key: trial.user_attrs[key] for key in (*CELL, ALONE) if key in trial.user_attrs}
    if alone:
        begun[ALONE] = True
    return create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={**begun, BEGUN: True},
        system_attrs=trial.system_attrs,
    )


def late_trial(
    trial: FrozenTrial, ending: Ending, curve: Mapping[int, float], notes: Mapping[str, Any]
) -> FrozenTrial:
    """Return a result as a trial of its own, since the one that it is of was given up before.

    Parameters
    ----------
    trial : FrozenTrial
        The one that was given up.
    ending : Ending
    curve : mapping of int to float
        The primary figure at the steps since.
    notes : mapping
        The pruner's since.
    """
    begun = {key: trial.user_attrs[key] for key in CELL if key in trial.user_attrs}
    late = create_trial(
        state=ending.state,
        values=ending.values,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={**begun, **ending.attributes()},
        system_attrs={**trial.system_attrs, **notes},
        intermediate_values={**trial.intermediate_values, **curve},
    )
    late.datetime_start = trial.datetime_start
    return late


def _parameters(definition: Definition, cell: Cell) -> dict[str, Any]:
    draw = cell.draw
    if draw is None:
        shape = definition.distributions()
        return {"params": definition.parameters(cell), "distributions": shape}
    return {
        "params": {**draw.parameters, "seed": cell.seed},
        "distributions": {**draw.distributions, "seed": CategoricalDistribution(draw.seeds)},
    }
