"""One search: what has been tried, what Optuna proposes next, and what its pruner gives up.

Each configuration that is tried is trained at the tuning seeds, one after another; at the next
only if it was neither pruned nor diverged at the one before. Its value is the geometric mean
over them of the primary figure at the last step; infinite if one diverged.

Optuna sees a study made anew from the ledger's records each time it is asked, so that there is
nothing to keep in step. Configuration ``n`` is drawn, and pruned, from what is known of those up
to ``n - parallel``, all of which have then ended, with a sampler's seed of its own: whatever
number of workers there is and however fast each one is, the same search tries the same
configurations.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, inf, isfinite, log
from statistics import fmean
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from ganbench.study.records import ANSWERS, Ending, Record

REDUCTION = 3
"""Successive halving keeps one in so many."""
STARTUP = 5
"""Configurations that TPE draws by chance first, and that the median pruner lets end."""
POPULATION = 10
"""Of NSGA-II: the usual 50 would be a whole budget."""
COLLAPSED = ("partial collapse", "total collapse")

State = Literal["open", "complete", "diverged", "pruned", "failed"]


@dataclass(frozen=True)
class Rules:
    """What a search is, apart from its space.

    Attributes
    ----------
    name : str
        Of its Optuna study.
    arm : str
        Whose configuration it is about.
    draws : str
        What the sampler's seeds come from, besides the configuration's index.
    seeds : tuple of int
        The tuning seeds.
    budget : int
        Configurations that it tries, those that fail not counted.
    sampler, pruner : str
    parallel : int
        How many configurations may be under way.
    objectives : tuple of str
    steps, every : int
        Of a trial, and between evaluations.
    """

    name: str
    arm: str
    draws: str
    seeds: tuple[int, ...]
    budget: int
    sampler: str
    pruner: str
    parallel: int
    objectives: tuple[str, ...]
    steps: int
    every: int

    @property
    def ahead(self) -> int:
        """Up to how many configurations before a configuration is drawn without knowing."""
        blind = self.sampler == "random" and self.pruner == "none"
        return self.budget if blind else self.parallel


@dataclass(frozen=True)
class Tried:
    """A configuration of a search, as far as it is known.

    Attributes
    ----------
    index : int
    parameters, distributions : mapping
        Optuna's.
    state : str
        ``open`` until it has ended.
    values : tuple of float
        What is minimised: of the seeds so far; infinite where one diverged, none where none
        has ended.
    records : mapping of int to Record
        Seed to what answers it so far.
    notes : mapping
        The sampler's.
    reason : str or None
        Why it failed.
    """

    index: int
    parameters: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    state: State
    values: tuple[float, ...]
    records: Mapping[int, Record]
    notes: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    @property
    def done(self) -> int:
        """At how many seeds it has ended."""
        return sum(has_ended(one) for one in self.records.values())

    @property
    def steps(self) -> int:
        """Steps trained, over all seeds."""
        return sum(int(one.ending.get("steps", 0)) for one in self.records.values())


def tried(rules: Rules, records: Iterable[Record]) -> dict[int, Tried]:
    """Return the configurations that the ledger knows of a search, by index.

    Of several ends of one trial the first stands, a failure too: another configuration has then
    taken its place, others were drawn from that, and a winner that was found may be an arm by now.
    """
    found: dict[int, dict[int, Record]] = {}
    for record in records:
        if record.study != rules.name or record.index is None:
            continue
        places = found.setdefault(record.index, {})
        seed = record.attributes["seed"]
        standing = places.get(seed)
        if standing is None or (not has_ended(standing) and _rank(record) > _rank(standing)):
            places[seed] = record
    return {index: _tried(rules, index, found[index]) for index in sorted(found)}


def places(rules: Rules, known: Mapping[int, Tried]) -> int:
    """Return how many configurations a search is to try, by what is known of them.

    The budget, and one more for each that failed, so that the budgets of all searches buy as many
    results; but at most as many more as the budget, for a space may have hardly any that trains.
    One that diverged, or does badly, is a result.
    """
    total, before = rules.budget, 0
    while total > before:
        before = total
        failed = sum(one.state == "failed" for index, one in known.items() if index < total)
        total = rules.budget + min(failed, rules.budget)
    return total


def sampling_study(rules: Rules, before: Sequence[Tried], attempt: int = 0) -> optuna.Study:
    """Return a study in memory that is about to draw the configuration after ``before``.

    Parameters
    ----------
    rules : Rules
    before : sequence of Tried
        Every configuration with a smaller index.
    attempt : int
        Counts draws that did not apply.
    """
    index = len(before)
    text = f"{rules.draws}/{index}/{attempt}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    study = _study(rules, _sampler(rules.sampler, seed))
    for one in before:
        known = one.index <= index - rules.ahead
        study.add_trial(_frozen(rules, one, known))
    return study


def prune(
    rules: Rules, index: int, seed: int, curve: Mapping[int, float], records: Iterable[Record]
) -> tuple[bool, dict[str, Any]]:
    """Ask Optuna's pruner about a trial that runs, after a step at which it was measured.

    Its rivals are the configurations that it was drawn from, at the same seed. The pruner is
    asked anew about every step so far: a trial that goes on after its worker was lost is one that
    the pruner has not seen.

    Parameters
    ----------
    rules : Rules
    index, seed : int
    curve : mapping of int to float
        The primary figure of the trial at each step so far.
    records : iterable of Record

    Returns
    -------
    bool
        Whether to give it up.
    dict
        What the pruner wants to find again with it.
    """
    known = tried(rules, records)
    study = _study(rules, RandomSampler())
    for place in range(index):
        rival = known[place].records.get(seed) if place in known else None
        study.add_trial(_rival(rival if place <= index - rules.ahead else None))
    trial, given_up = study.ask(), False
    for step in sorted(curve):
        trial.report(curve[step], step)
        given_up = trial.should_prune()
    return given_up, dict(study.trials[-1].system_attrs)


def second_value(objectives: Sequence[str], ending: Ending) -> float | None:
    """Return what a search minimises besides the primary figure, None if nothing."""
    if len(objectives) < 2:
        return None
    if ending.outcome == "diverged" or not ending.evaluations:
        return inf
    if objectives[1] == "collapse":
        states = [point.health in COLLAPSED for point in ending.evaluations]
        return sum(states) / len(states)
    return ending.training_seconds / ending.steps


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean; 0 if one is 0, infinite if one is."""
    if any(value == inf for value in values):
        return inf
    return 0.0 if 0.0 in values else exp(fmean(log(value) for value in values))


def open_study(rules: Rules, configurations: Iterable[Tried]) -> optuna.Study:
    """Return a study in memory of what a search has tried, for Optuna's own tools."""
    study = _study(rules, RandomSampler())
    for one in configurations:
        study.add_trial(_frozen(rules, one, True))
    return study


def _tried(rules: Rules, index: int, places: dict[int, Record]) -> Tried:
    first = next(iter(places.values()))
    parameters = {k: v for k, v in first.trial.params.items() if k != "seed"}
    shapes = {k: v for k, v in first.trial.distributions.items() if k != "seed"}
    ended: dict[int, Record] = {}
    state: State = "open"
    reason = None
    for seed in rules.seeds:
        record = places.get(seed)
        if record is None or not has_ended(record):
            break
        ended[seed] = record
        outcome = record.ending["outcome"]
        if outcome != "complete":
            state = outcome if outcome in ("diverged", "pruned") else "failed"
            reason = record.ending.get("error")
            break
    else:
        state = "complete"
    of_each = [record.trial.values for record in ended.values() if record.trial.values]
    values: tuple[float, ...] = ()
    if of_each:
        columns = list(zip(*of_each, strict=True))
        values = (geometric_mean(columns[0]), *(fmean(column) for column in columns[1:]))
        if not isfinite(values[0]) and state == "complete":
            state = "diverged"
    return Tried(index, parameters, shapes, state, values, places, _notes(first), reason)


def has_ended(record: Record) -> bool:
    """Return whether a search's trial has come to an end that stands."""
    return record.state in ANSWERS or record.has_failed


def _rank(record: Record) -> int:
    order = (TrialState.WAITING, TrialState.RUNNING, TrialState.PRUNED, TrialState.COMPLETE)
    if record.state == TrialState.FAIL:
        return 1 if has_ended(record) else -1
    return 2 + order.index(record.state)


def _notes(record: Record) -> dict[str, Any]:
    return {k: v for k, v in record.trial.system_attrs.items() if "rung" not in k}


def _frozen(rules: Rules, one: Tried, known: bool) -> FrozenTrial:
    """Return a configuration as one trial, its seeds' steps one after another."""
    states: dict[str, TrialState] = {
        "complete": TrialState.COMPLETE,
        "diverged": TrialState.COMPLETE,
        "pruned": TrialState.PRUNED,
        "failed": TrialState.FAIL,
        "open": TrialState.RUNNING,
    }
    state = states[one.state] if known else TrialState.RUNNING
    values = None
    if state in (TrialState.COMPLETE, TrialState.PRUNED):
        values = [inf] * len(rules.objectives) if one.state == "diverged" else list(one.values)
    curve = {
        place * rules.steps + step: value
        for place, seed in enumerate(rules.seeds)
        if known and seed in one.records
        for step, value in one.records[seed].trial.intermediate_values.items()
    }
    return create_trial(
        state=state,
        values=values,
        params=dict(one.parameters),
        distributions=dict(one.distributions),
        intermediate_values=curve if len(rules.objectives) == 1 else None,
        system_attrs=dict(one.notes),
    )


def _rival(record: Record | None) -> FrozenTrial:
    if record is None or record.state not in (TrialState.COMPLETE, TrialState.PRUNED):
        return create_trial(state=TrialState.FAIL)
    return create_trial(
        state=record.state,
        values=record.trial.values,
        intermediate_values=record.trial.intermediate_values,
        system_attrs=dict(record.trial.system_attrs),
    )


def _study(rules: Rules, sampler: BaseSampler) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        study_name=rules.name,
        sampler=sampler,
        pruner=_pruner(rules),
        directions=["minimize"] * len(rules.objectives),
    )


def _sampler(name: str, seed: int) -> BaseSampler:
    if name == "random":
        return RandomSampler(seed=seed)
    if name == "nsga2":
        return NSGAIISampler(seed=seed, population_size=POPULATION)
    return TPESampler(seed=seed, n_startup_trials=STARTUP)


def _pruner(rules: Rules) -> BasePruner:
    least = min(rules.every, rules.steps)
    if rules.pruner == "median":
        return MedianPruner(n_startup_trials=STARTUP)
    if rules.pruner == "asha":
        return SuccessiveHalvingPruner(min_resource=least, reduction_factor=REDUCTION)
    if rules.pruner == "hyperband":
        return HyperbandPruner(least, rules.steps, reduction_factor=REDUCTION)
    return NopPruner()
