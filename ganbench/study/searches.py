"""The searches of a study, and the arms that come out of them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ganbench.config.model import Searching, Study, TrialConfig
from ganbench.plugin import Host
from ganbench.study.agenda import Agenda
from ganbench.study.design import Arm
from ganbench.study.records import Cell, Record
from ganbench.study.search import Rules
from ganbench.study.searching import Fingerprint, Search, choose
from ganbench.study.space import Space

FOUND = "best found"
"""The arm that ``kind: search`` comes to."""


def retuned_name(arm: str) -> str:
    """Return what an arm is called once its hyperparameters are tuned."""
    return f"{arm}, retuned"


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

    def described(self) -> tuple[dict[str, Any], ...]:
        """Return what a report needs to know of each search besides its trials."""
        return tuple(search.described(self._margin) for search in self.searches)

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
