"""Cells as Optuna's trials, before they have run or when their results are known."""

from typing import Any

from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from ganbench.study.definition import Definition
from ganbench.study.records import Cell, Record


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


def _parameters(definition: Definition, cell: Cell) -> dict[str, Any]:
    draw = cell.draw
    if draw is None:
        shape = definition.distributions()
        return {"params": definition.parameters(cell), "distributions": shape}
    return {
        "params": {**draw.parameters, "seed": cell.seed},
        "distributions": {**draw.distributions, "seed": CategoricalDistribution(draw.seeds)},
    }
