"""What a search varies: a study's space as Optuna's distributions, and configurations out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from ganbench.config.cells import brief
from ganbench.config.levels import FactorKeyError, apply_levels, resolve_cell
from ganbench.config.model import Baseline, TrialConfig
from ganbench.config.setting import Setting, baseline_values, clashes
from ganbench.config.spaces import enclosing
from ganbench.config.text import flow, number
from ganbench.plugin import Host


@dataclass(frozen=True)
class Parameter:
    """One parameter of a search.

    Attributes
    ----------
    key : str
        As a factor's.
    distribution : BaseDistribution
    levels : mapping
        Optuna's choice to the level that it stands for; empty for a range.
    """

    key: str
    distribution: BaseDistribution
    levels: Mapping[Any, Any]

    def described(self) -> str:
        """Return its choices, or its range, on one line."""
        found: Any = self.distribution
        if self.levels:
            return flow(list(self.levels))
        return f"{number(found.low)} to {number(found.high)}{', logarithmic' if found.log else ''}"

    def suggest(self, trial: Trial) -> Any:
        """Let Optuna draw a level."""
        found = self.distribution
        if isinstance(found, IntDistribution):
            return trial.suggest_int(self.key, found.low, found.high, log=found.log)
        if isinstance(found, FloatDistribution):
            return trial.suggest_float(self.key, found.low, found.high, log=found.log)
        return self.levels[trial.suggest_categorical(self.key, list(self.levels))]


class Space:
    """A space, about one arm: what the arm does not have is left out of it.

    Parameters
    ----------
    space : mapping
        As ``ganbench.config.spaces.check_space`` resolves it.
    config : TrialConfig
        The arm's.
    host : Host
    """

    def __init__(self, space: Mapping[str, Any], config: TrialConfig, host: Host) -> None:
        self._config, self._host = config, host
        self._setting = setting_of(config)
        # An owner is drawn first: it decides whether there is what it owns.
        keys = sorted(space, key=lambda key: key.count("."))
        known = {key: space[key] for key in keys if self._exists(key, space)}
        self.parameters = tuple(self._parameter(key, value) for key, value in known.items())

    def suggest(self, trial: Trial) -> dict[str, Any]:
        """Let Optuna draw a level of each parameter that exists under those before."""
        levels: dict[str, Any] = {}
        for parameter in self.parameters:
            probe = {**levels, parameter.key: _probe(parameter)}
            if parameter.key not in apply_levels(self._setting, probe, self._host)[2]:
                levels[parameter.key] = parameter.suggest(trial)
        return levels

    def levels(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what Optuna's parameters stand for; what is no part of the space is left out."""
        known = {parameter.key: parameter for parameter in self.parameters}
        return {
            key: known[key].levels.get(value, value)
            for key, value in parameters.items()
            if key in known
        }

    def config(self, levels: Mapping[str, Any]) -> TrialConfig | None:
        """Return the arm's configuration with these levels, None if it does not apply."""
        places = {key: (key,) for key in levels}
        cell = resolve_cell(self._setting, levels, self._host, places)
        if cell.setting is None or clashes(cell.setting, self._host):
            return None
        shared = {"dataset": self._config.dataset, "evaluation": self._config.evaluation}
        return TrialConfig.model_validate({**cell.setting, **shared})

    def _exists(self, key: str, space: Mapping[str, Any]) -> bool:
        value = space[key]
        probe = value[0] if isinstance(value, list) else value["low"]
        return any(
            key not in apply_levels(self._setting, {**context, key: probe}, self._host)[2]
            for context in enclosing(key, space)
        )

    def _parameter(self, key: str, value: Any) -> Parameter:
        if isinstance(value, list):
            levels = {self._label(key, level): level for level in value}
            return Parameter(key, CategoricalDistribution(list(levels)), levels)
        low, high, log = value["low"], value["high"], value["log"]
        if isinstance(low, int) and isinstance(high, int):
            return Parameter(key, IntDistribution(low, high, log=log), {})
        return Parameter(key, FloatDistribution(low, high, log=log), {})

    def _label(self, key: str, level: Any) -> Any:
        """Return a choice that Optuna's storages and its dashboard can show."""
        if level is None or isinstance(level, bool | int | float | str):
            return level
        try:
            return flow(brief(level, key, self._setting, self._host))
        except FactorKeyError:  # It exists only under another choice of the space.
            return flow(level)


def setting_of(config: TrialConfig) -> Setting:
    """Return a configuration as a resolved baseline."""
    fields = {name: getattr(config, name) for name in Baseline.model_fields}
    return baseline_values(Baseline.model_validate(fields))


def _probe(parameter: Parameter) -> Any:
    if parameter.levels:
        return next(iter(parameter.levels.values()))
    found: Any = parameter.distribution
    return found.low
