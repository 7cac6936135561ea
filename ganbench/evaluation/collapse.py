"""When a generator counts as collapsed: one rule, for the code and for the reader."""

import math
from collections.abc import Mapping
from typing import Literal

Health = Literal["healthy", "partial collapse", "total collapse", "diverged"]

TOTAL_MODES = 0.1
PARTIAL_MODES = 0.8
"""Shares of the attainable modes: no more is a total, less a partial collapse."""
TOTAL_DIVERSITY = 0.2
PARTIAL_DIVERSITY = 0.5
"""Shares of the data's diversity: less is a total, less a partial collapse."""


def judge(figures: Mapping[str, float], attainable: float | None) -> Health:
    """Name the state of a generator.

    Parameters
    ----------
    figures : mapping of str to float
        Of one evaluation. ``modes``, ``diversity`` and ``diversity_within`` are read,
        each if it is there; every figure must be finite, or the trial has diverged.
    attainable : float or None
        Modes that a perfect generator shows with as many samples; None, or less than 2,
        if modes say nothing.
    """
    if not all(math.isfinite(value) for value in figures.values()):
        return "diverged"
    modes = figures.get("modes") if attainable is not None and attainable >= 2 else None
    diversity = figures.get("diversity", 1.0)
    share = modes / attainable if modes is not None and attainable is not None else 1.0
    alone = modes is not None and modes <= 1
    if alone or share <= TOTAL_MODES or diversity < TOTAL_DIVERSITY:
        return "total collapse"
    within = figures.get("diversity_within", 1.0)
    if share < PARTIAL_MODES or min(diversity, within) < PARTIAL_DIVERSITY:
        return "partial collapse"
    return "healthy"


def describe(attainable: float | None, figures: frozenset[str]) -> str:
    """Say the rule in words, as it stands for a study.

    Parameters
    ----------
    attainable : float or None
        As in `judge`.
    figures : frozenset of str
        The figures that the study measures.
    """
    total, partial = [], []
    if attainable is not None and attainable >= 2 and "modes" in figures:
        of = f"of the {attainable:.3g} modes that a perfect generator would show"
        total.append(f"at most one mode, or at most {TOTAL_MODES:.0%} {of}")
        partial.append(f"fewer than {PARTIAL_MODES:.0%} of those modes")
    if "diversity" in figures:
        total.append(f"diversity below {TOTAL_DIVERSITY:g} of the data's")
        partial.append(f"diversity below {PARTIAL_DIVERSITY:g} of the data's")
    if "diversity_within" in figures:
        partial.append(f"diversity within modes below {PARTIAL_DIVERSITY:g} of the data's")
    rules = ["Diverged: a loss, a sample or a figure is not finite."]
    if total:
        rules.append(f"Total collapse: {'; or '.join(total)}.")
    if partial:
        rules.append(f"Partial collapse: otherwise, {'; or '.join(partial)}.")
    if not total and not partial:
        rules.append("Neither modes nor diversity is measured, so no collapse can be seen.")
    return " ".join([*rules, "Healthy: anything else."])
