"""Clauses that the contracts of several kinds of plugins share."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ganbench.plugin import search_ranges
from ganbench.plugin.kinds import BASES
from ganbench.plugin.parameters import describe_invalid
from ganbench.testing.case import PluginCase, validated
from ganbench.testing.differences import some
from ganbench.testing.result import ContractError, NothingToCheckError
from ganbench.training import NonFiniteError, Trial


def is_described(case: PluginCase) -> None:
    """Look for a method card, and a description of every parameter."""
    host = case.make_host()
    card = next(found.card for kind in BASES for found in host.all(kind) if found.cls is case.cls)
    if len(card) <= 40:
        raise ContractError(
            f"the module's docstring is {card!r}",
            "It is the method card, which `ganbench plugins` shows: how to use it, suggested "
            "hyperparameters, trade-offs, and where the idea comes from.",
        )
    fields = case.cls.Parameters.model_fields
    bare = [name for name, field in fields.items() if not field.description]
    if bare:
        raise ContractError(
            f"parameters without a docstring: {', '.join(bare)}",
            'Write it below the parameter, as `"""Share of the pixels."""`.',
        )


def trains(case: PluginCase) -> None:
    """Train, evaluate and sample a tiny trial, and look for NaN and infinity."""
    train(case, case.parameters)


def train(case: PluginCase, parameters: Mapping[str, Any]) -> Trial:
    """Train, evaluate and sample a tiny trial.

    Raises
    ------
    ContractError
        If a loss, a weight or a sample is not finite.
    """
    trial = case.make(parameters)
    trial.advance(case.steps)
    try:
        trial.sample(16)
    except NonFiniteError as error:
        found = str(error)
    else:
        found = f"step {trial.diverged_at} is not finite" if trial.diverged_at else ""
    figures = trial.extra_figures()
    trial.pictures()
    undefined = [name for name, value in figures.items() if not math.isfinite(value)]
    if found:
        raise ContractError(
            f"{found}: a loss, a weight or a sample is NaN or infinite",
            "Look for a division by 0, a logarithm or a root at 0, or a term that grows without "
            "bound.",
        )
    if undefined:
        raise ContractError(
            f"figures that are not finite: {some(undefined)}",
            "Leave a figure out of what `on_evaluate` returns while it is undefined.",
        )
    return trial


def ends_of_ranges(case: PluginCase) -> list[tuple[str, dict[str, Any]]]:
    """Return the settings at both ends of each ``Search`` range, each with how to call it.

    Raises
    ------
    ContractError
        If an end is refused as a parameter.
    NothingToCheckError
        If there is no range.
    """
    ranges = search_ranges(case.cls.Parameters)
    if not ranges:
        raise NothingToCheckError("no parameter has a Search range: a study cannot tune it")
    found = []
    for name, search in ranges.items():
        for end in (search.low, search.high):
            at = f"at {name}={end:g}, an end of its Search range"
            found.append((at, _setting(case, name, end, at)))
    return found


def ranges_are_valid(case: PluginCase) -> None:
    """Look whether both ends of each ``Search`` range are valid parameters."""
    ends_of_ranges(case)


def _setting(case: PluginCase, name: str, end: float, at: str) -> dict[str, Any]:
    """Return the case's parameters with one at an end of its range."""
    # A range of whole numbers is written with floats.
    values = [end, int(end)] if end == int(end) else [end]
    for value in values:
        setting = {**case.parameters, name: value}
        try:
            validated(case.cls, setting)
        except ValidationError as error:
            refused = error
        else:
            return setting
    raise ContractError(
        f"{at}, its parameters are refused: {describe_invalid(refused)}",
        "Tuning would stop there. Bring Search and Field into line.",
    )
