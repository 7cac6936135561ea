"""What the trials of a study are to Optuna: their parameters, and the name they stand under."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from ganbench.study.records import Cell


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
    """

    name: str
    arms: tuple[str, ...]
    factors: Mapping[str, tuple[str, ...]]
    seeds: tuple[int, ...]
    searches: tuple[str, ...] = ()

    @property
    def study_name(self) -> str:
        """The name, and a hash of the rest.

        Optuna lets no categorical parameter change its choices, so each set of arms and
        levels is an Optuna study of its own.
        """
        text = json.dumps([self.arms, self.factors], sort_keys=True)
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def distributions(self) -> dict[str, BaseDistribution]:
        """Return the arms' parameters as Optuna knows them."""
        return {
            **{key: CategoricalDistribution(levels) for key, levels in self.factors.items()},
            "arm": CategoricalDistribution(self.arms),
            "seed": IntDistribution(min(self.seeds), max(self.seeds)),
        }

    def parameters(self, cell: Cell) -> dict[str, Any]:
        """Return an arm's value of each parameter."""
        return {**cell.levels, "arm": cell.arm, "seed": cell.seed}
