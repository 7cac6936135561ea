"""The searches of a study: what they want trained next, and the arms that come out of them."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from ganbench.config.model import Searching, Study, TrialConfig
from ganbench.plugin import GanbenchError, Host
from ganbench.study.agenda import Agenda
from ganbench.study.design import Arm
from ganbench.study.records import Cell, Draw, Record
from ganbench.study.search import Rules, Tried, sampling_study, tried
from ganbench.study.space import Space

FOUND = "best found"
"""The arm that ``kind: search`` comes to."""
ATTEMPTS = 200
"""Draws that do not apply, one after another: then a space has hardly any that does."""

Fingerprint = Callable[[TrialConfig], str]


def retuned_name(arm: str) -> str:
    """Return what an arm is called once its hyperparameters are tuned."""
    return f"{arm}, retuned"


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
        for index in range(self.rules.budget):
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
        found = [known[index] for index in range(self.rules.budget) if index in known]
        if len(found) < self.rules.budget or any(one.state == "open" for one in found):
            return None
        return found

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
        # What failed is not tried again: its budget is spent.
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


@dataclass(frozen=True)
class Opening:
    """An arm that is to come out of a search.

    Attributes
    ----------
    arm : Arm
        Without a configuration yet.
    search : Search or None
        None where nothing that is tuned exists in the arm: it stays as it is.
    as_it_is : TrialConfig or None
        The configuration that it starts from; None if that does not apply.
    """

    arm: Arm
    search: Search | None
    as_it_is: TrialConfig | None


class Searches:
    """All searches of a study.

    Parameters
    ----------
    openings : sequence of Opening
    margin : float
        The study's equivalence margin.
    fingerprint : callable
    """

    def __init__(
        self, openings: Sequence[Opening], margin: float, fingerprint: Fingerprint
    ) -> None:
        self._openings, self._margin, self._fingerprint = openings, margin, fingerprint
        found = [opening.search for opening in openings if opening.search is not None]
        self.searches = tuple({search.rules.name: search for search in found}.values())

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that are to come, without their configurations."""
        return tuple(opening.arm for opening in self._openings)

    @property
    def rules(self) -> dict[str, Rules]:
        """Each search's, by the name of its Optuna study."""
        return {search.rules.name: search.rules for search in self.searches}

    def settled(
        self, arms: Sequence[Arm], records: Sequence[Record]
    ) -> tuple[tuple[Arm, ...], dict[str, str]]:
        """Give the arms whose search has ended their configuration.

        Returns
        -------
        tuple of Arm
            With that of its search's winner, or n/a if there is none.
        dict of str to str
            The fingerprints of those arms, by name.
        """
        openings = {opening.arm.name: opening for opening in self._openings}
        settled: list[Arm] = []
        fingerprints: dict[str, str] = {}
        for arm in arms:
            opening = openings.get(arm.name)
            if opening is not None and arm.config is None and arm.skipped is None:
                settled.append(self._settle(opening, records))
                config = settled[-1].config
                if config is not None:
                    fingerprints[arm.name] = self._fingerprint(config)
            else:
                settled.append(arm)
        return tuple(settled), fingerprints

    def _settle(self, opening: Opening, records: Sequence[Record]) -> Arm:
        search = opening.search
        if search is None:
            return replace(opening.arm, config=opening.as_it_is)
        ended = search.ended(records)
        if ended is None:
            return opening.arm
        winner = choose(ended, self._margin)
        if winner is None:
            reason = f"none of the {len(ended)} configurations tried came to a finite figure"
            return replace(opening.arm, skipped=reason)
        config = search.config_of(winner)
        return replace(opening.arm, config=config, tuned=search.levels(winner))


@dataclass(frozen=True)
class SearchingAgenda:
    """What the searches want, first, and what the arms want that are known."""

    searches: Searches
    others: Agenda

    def wanted(self, records: Sequence[Record]) -> list[Cell]:
        """Return the cells of all searches in turn, and the others."""
        lists = [search.wanted(records) for search in self.searches.searches]
        longest = max((len(cells) for cells in lists), default=0)
        turns = [cells[place] for place in range(longest) for cells in lists if place < len(cells)]
        return [*turns, *self.others.wanted(records)]


def searches_of(
    study: Study,
    arms: Sequence[Arm],
    host: Host,
    fingerprint: Fingerprint,
) -> Searches:
    """Return the searches that a study consists of; none of most designs.

    Parameters
    ----------
    study : Study
    arms : sequence of Arm
        Those whose configurations are known, the first being what others are compared with.
    host : Host
    fingerprint : callable
        Of a configuration, as ``Cell.fingerprint``.
    """
    openings: list[Opening] = []
    first = arms[0]
    if study.design.kind == "search" and first.config is not None:
        budget = study.design.trials or 0
        search = _search(study, study.design, budget, first.config, FOUND, host, fingerprint)
        openings.append(Opening(Arm(FOUND, {}, None), search, first.config))
    searches: dict[str, Search | None] = {}
    for arm in arms if study.tuning is not None else ():
        opened = replace(arm, name=retuned_name(arm.name), config=None, retuned=True)
        if study.tuning is None or arm.config is None or arm.skipped is not None:
            openings.append(Opening(opened, None, None))
            continue
        # The same arm at other seeds is to have the same hyperparameters.
        key = arm.config.key()
        if key not in searches:
            searches[key] = _search(
                study, study.tuning, study.tuning.budget, arm.config, arm.name, host, fingerprint
            )
        openings.append(Opening(opened, searches[key], arm.config))
    return Searches(openings, study.evaluation.judgement.margin, fingerprint)


def _search(
    study: Study,
    settings: Searching,
    budget: int,
    config: TrialConfig,
    name: str,
    host: Host,
    fingerprint: Fingerprint,
) -> Search | None:
    space = Space(settings.space, config, host)
    if not space.parameters:
        return None
    objectives = study.design.objectives if settings is study.design else ("primary",)
    identity = [
        settings.space,
        settings.seeds,
        settings.sampler,
        settings.pruner,
        settings.parallel,
        objectives,
        study.evaluation.primary,
        config.key(),
        fingerprint(config),
    ]
    text = json.dumps(identity, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    rules = Rules(
        name=f"{study.name}/{name}-{digest}",
        arm=name,
        # The same for every arm: by chance they are offered the same configurations.
        draws=study.name,
        seeds=settings.seeds,
        budget=budget,
        sampler=settings.sampler,
        pruner=settings.pruner,
        parallel=settings.parallel,
        objectives=tuple(objectives),
        steps=config.steps,
        every=config.evaluation.every,
    )
    return Search(rules, config, space, fingerprint)
