"""One search of a study at work: what it wants trained next, and which configuration wins."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from math import isfinite
from typing import Any

from ganbench.config.model import TrialConfig
from ganbench.plugin import GanbenchError
from ganbench.study.records import Cell, Draw, Record
from ganbench.study.search import Rules, Tried, places, sampling_study, tried
from ganbench.study.space import Space

ATTEMPTS = 200
"""Draws that do not apply, one after another: then a space has hardly any that does."""

Fingerprint = Callable[[TrialConfig], str]


def choose(found: Iterable[Tried], margin: float) -> Tried | None:
    """Return a search's winner, None if no configuration came to a finite figure.

    The lowest value. Of two objectives: among the configurations that no other beats in both
    (the Pareto front), those whose primary figure is within ``margin`` of the lowest, and of
    them the one with the lowest second. Ties go to the first.
    """
    ended = [one for one in found if one.state == "complete" and isfinite(one.values[0])]
    if not ended:
        return None
    lowest = min(one.values[0] for one in ended)
    if len(ended[0].values) == 1:
        return next(one for one in ended if one.values[0] == lowest)
    near = [one for one in front(ended) if one.values[0] <= lowest * (1 + margin)]
    return min(near, key=lambda one: (one.values[1], one.values[0], one.index))


def front(found: Iterable[Tried]) -> list[Tried]:
    """Return the complete configurations that no other beats in both objectives."""
    ended = [one for one in found if one.state == "complete" and isfinite(one.values[0])]

    def beaten(one: Tried) -> bool:
        return any(
            all(a <= b for a, b in zip(other.values, one.values, strict=True))
            and other.values != one.values
            for other in ended
        )

    return sorted((one for one in ended if not beaten(one)), key=lambda one: one.values)


class Search:
    """One search, about one arm.

    Parameters
    ----------
    rules : Rules
    base : TrialConfig
        The arm's.
    space : Space
    fingerprint : callable
        Of a configuration, as ``Cell.fingerprint``.
    """

    def __init__(
        self, rules: Rules, base: TrialConfig, space: Space, fingerprint: Fingerprint
    ) -> None:
        self.rules, self.base, self.space = rules, base, space
        self._fingerprint = fingerprint
        self._configs: dict[int, tuple[Tried, TrialConfig]] = {}
        self._made: dict[int, tuple[TrialConfig, list[Cell]]] = {}

    def wanted(self, records: Iterable[Record]) -> list[Cell]:
        """Return the trials whose results are wanted by now."""
        known = tried(self.rules, records)
        cells: list[Cell] = []
        under_way: set[str] = set()
        before: list[Tried] = []
        for index in range(places(self.rules, known)):
            if any(one.state == "open" for one in before[: max(0, index + 1 - self.rules.ahead)]):
                break
            one = known.get(index)
            if one is None:
                one = self._proposed(before)
            config = self._config(one)
            if index not in known and config.key() in under_way:
                break  # it waits for the answer to the same configuration
            if one.state == "open":
                under_way.add(config.key())
            before.append(one)
            cells += self._cells(one, config)
        return cells

    def ended(self, records: Sequence[Record]) -> list[Tried] | None:
        """Return all configurations once every one has ended, None before."""
        known = tried(self.rules, records)
        total = places(self.rules, known)
        found = [known[index] for index in range(total) if index in known]
        if len(found) < total or any(one.state == "open" for one in found):
            return None
        return found

    def described(self, margin: float) -> dict[str, Any]:
        """Return what a report needs to know of it besides its trials."""
        space = {parameter.key: parameter.described() for parameter in self.space.parameters}
        return {**asdict(self.rules), "margin": margin, "space": space}

    def levels(self, one: Tried) -> dict[str, Any]:
        """Return a configuration's level of each parameter."""
        return self.space.levels(one.parameters)

    def config_of(self, one: Tried) -> TrialConfig:
        """Return a configuration that was tried, as the ledger has it."""
        return self._config(one)

    def _proposed(self, before: Sequence[Tried]) -> Tried:
        index = len(before)
        made = self._configs.get(index)
        if made is not None:
            return made[0]
        for attempt in range(ATTEMPTS):
            trial = sampling_study(self.rules, before, attempt).ask()
            config = self.space.config(self.space.suggest(trial))
            if config is None:
                continue
            drawn = trial.study.trials[-1]
            one = Tried(
                index=index,
                parameters=drawn.params,
                distributions=drawn.distributions,
                state="open",
                values=(),
                records={},
                notes=drawn.system_attrs,
            )
            self._configs[index] = one, config
            return one
        raise GanbenchError(
            f"the search about {self.rules.arm} found no configuration of its space that applies, "
            f"in {ATTEMPTS} draws one after another; leave out choices that exclude each other"
        )

    def _config(self, one: Tried) -> TrialConfig:
        made = self._configs.get(one.index)
        if made is not None and made[0].parameters == one.parameters:
            return made[1]
        filed = next(iter(one.records.values())).attributes["config"]
        config = TrialConfig.model_validate_json(json.dumps(filed))
        self._configs[one.index] = one, config
        return config

    def _cells(self, one: Tried, config: TrialConfig) -> list[Cell]:
        if self._made.get(one.index, (None,))[0] is not config:
            self._made[one.index] = config, self._all_cells(one, config)
        cells = self._made[one.index][1]
        if one.state == "open":
            return cells[: one.done + 1]
        # What failed is not tried again: another one takes its place.
        return cells[: one.done - (one.state == "failed")]

    def _all_cells(self, one: Tried, config: TrialConfig) -> list[Cell]:
        rules = self.rules
        draw = Draw(
            search=rules.name,
            index=one.index,
            parameters=one.parameters,
            distributions=one.distributions,
            seeds=rules.seeds,
            objectives=len(rules.objectives),
            notes=one.notes,
        )
        key, print_ = config.key(), self._fingerprint(config)
        values = config.model_dump(mode="json")
        return [Cell(rules.arm, s, key, print_, draw=draw, config=values) for s in rules.seeds]
