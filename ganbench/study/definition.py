"""What the trials of a study are to Optuna: their parameters, and the name they stand under."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from ganbench.study.records import Cell

MOST_CHOICES = 32
"""Optuna files all choices of a parameter with every trial, and a server is asked for those of the
trials that wait at every claim: a parameter with more is left out."""


@dataclass(frozen=True)
class Definition:
    """What an Optuna study's parameters are.

    Attributes
    ----------
    name : str
        The study file's name.
    arms : tuple of str
    factors : mapping of str to tuple of str
        Each factor's levels, as text.
    seeds : tuple of int
        Their range may change within an Optuna study.
    searches : tuple of str
        Names of the Optuna studies of the study's searches.
    figures : tuple of str
        What the trials' values are: the primary figure, and what a search minimises besides.
    """

    name: str
    arms: tuple[str, ...]
    factors: Mapping[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    searches: tuple[str, ...] = ()
    figures: tuple[str, ...] = ()

    @cached_property
    def study_name(self) -> str:
        """The name, and a hash of the rest.

        Optuna lets no categorical parameter change its choices, so each set of arms and
        levels is an Optuna study of its own.
        """
        text = json.dumps([self.arms, self.factors], sort_keys=True)
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return the arms' parameters as Optuna knows them.

        Those of too many choices are left out; a trial's attributes name its arm in any case.
        """
        return dict(self._distributions)

    def parameters(self, cell: Cell) -> dict[str, Any]:
        """Return an arm's value of each parameter."""
        values = {**cell.levels, "arm": cell.arm, "seed": cell.seed}
        return {name: value for name, value in values.items() if name not in self._crowded}

    @cached_property
    def _distributions(self) -> dict[str, BaseDistribution]:
        choices = {**self.factors, "arm": self.arms}
        return {
            **{
                name: CategoricalDistribution(values)
                for name, values in choices.items()
                if name not in self._crowded
            },
            "seed": IntDistribution(min(self.seeds), max(self.seeds)),
        }

    @cached_property
    def _crowded(self) -> frozenset[str]:
        choices = {**self.factors, "arm": self.arms}
        return frozenset(name for name, values in choices.items() if len(values) > MOST_CHOICES)
