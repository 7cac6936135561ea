"""What a search has come to, as reports read it, and the best that a budget can be expected to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, Literal

SearchState = Literal["open", "complete", "diverged", "pruned", "failed"]


@dataclass(frozen=True)
class SearchTrial:
    """A configuration that a search tried.

    Attributes
    ----------
    index : int
    parameters : mapping
        Optuna's.
    state : str
        ``open`` has not ended.
    value : float or None
        Geometric mean over the tuning seeds of the primary figure at the last step; of one that
        was pruned, at the step at which it was; infinite of one that diverged.
    second : float or None
        What else is minimised.
    steps : int
        Trained in all.
    reason : str or None
        Why it failed.
    """

    index: int
    parameters: Mapping[str, Any]
    state: SearchState
    value: float | None
    second: float | None
    steps: int
    reason: str | None = None


@dataclass(frozen=True)
class SearchResult:
    """A search as far as it has run.

    Attributes
    ----------
    name : str
        Of its Optuna study.
    arm : str
        Whose hyperparameters it tunes, or what it finds.
    budget : int
        Configurations that it may try, those that fail not counted.
    seeds : tuple of int
        Tuning seeds.
    sampler, pruner : str
    parallel : int
    objectives : tuple of str
    space : mapping of str to str
        Each parameter's range or choices.
    steps : int
        Of a trial.
    trials : tuple of SearchTrial
        By index.
    winner : int or None
        Index of the one that was chosen; None before the end, or if none came to a finite
        figure.
    front : tuple of int
        Of two objectives: those that no other beats in both.
    importances : mapping of str to float or None
        Optuna's, summing to 1.
    unimportant : str
        Why there are none.
    unreplaced : int
        Configurations of the budget that failed with nothing in their place, once it has ended:
        by so many it had less than others.
    """

    name: str
    arm: str
    budget: int
    seeds: tuple[int, ...]
    sampler: str
    pruner: str
    parallel: int
    objectives: tuple[str, ...]
    space: Mapping[str, str]
    steps: int
    trials: tuple[SearchTrial, ...]
    winner: int | None
    front: tuple[int, ...]
    importances: Mapping[str, float] | None
    unimportant: str
    unreplaced: int = 0

    @property
    def ahead(self) -> int:
        """Up to how many before a configuration it was drawn without knowing."""
        blind = self.sampler == "random" and self.pruner == "none"
        return self.budget if blind else self.parallel

    @property
    def done(self) -> int:
        """How many configurations have ended, those that failed not counted."""
        return sum(trial.state not in ("open", "failed") for trial in self.trials)

    @property
    def ended(self) -> bool:
        """Whether every configuration of the budget has ended."""
        return self.done + self.unreplaced >= self.budget

    def count(self, state: SearchState) -> int:
        """Return how many configurations ended so."""
        return sum(trial.state == state for trial in self.trials)


def expected_best(values: Sequence[float], most: int | None = None) -> list[float]:
    """Return the expected lowest of n draws, for n from 1.

    With ``v_1 <= ... <= v_N`` the values seen, n draws with replacement from them have the
    lowest ``v_i`` with probability ``((N - i + 1) / N)^n - ((N - i) / N)^n``. That is Dodge et
    al., *Show Your Work: Improved Reporting of Experimental Results* (EMNLP 2019), section 3.1,
    for a figure of which lower is better. It supposes independent draws, as by chance.

    Parameters
    ----------
    values : sequence of float
        Finite.
    most : int, optional
        The largest n; by default as many as there are values.
    """
    ordered = sorted(values)
    total = len(ordered)
    shares = [(total - place) / total for place in range(total + 1)]
    return [
        sum(
            value * (shares[place] ** n - shares[place + 1] ** n)
            for place, value in enumerate(ordered)
        )
        for n in range(1, (most or total) + 1)
    ]


def budget_curve(search: SearchResult, worst: float) -> list[float]:
    """Return the expected best of a search against the number of configurations tried.

    One that diverged, or that failed with nothing in its place, counts with the worst figure that
    any search came to: to leave it out would praise a space for what it survives.

    Parameters
    ----------
    search : SearchResult
    worst : float
    """
    values = [
        trial.value if trial.value is not None and isfinite(trial.value) else worst
        for trial in search.trials
        if trial.state not in ("open", "failed")
    ]
    values += [worst] * search.unreplaced
    return expected_best(values) if values else []


def worst_value(searches: Sequence[SearchResult]) -> float | None:
    """Return the highest finite figure of any configuration, None if there is none."""
    finite = [
        trial.value
        for search in searches
        for trial in search.trials
        if trial.value is not None and isfinite(trial.value)
    ]
    return max(finite, default=None)


def best_so_far(search: SearchResult) -> list[tuple[int, float]]:
    """Return the lowest value of a complete configuration after each that improved on it."""
    best, found = inf, []
    for trial in search.trials:
        if trial.state == "complete" and trial.value is not None and trial.value < best:
            best = trial.value
            found.append((trial.index, best))
    return found
