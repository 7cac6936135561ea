"""From a ledger's records to what a search has come to."""

from collections.abc import Iterable, Mapping
from typing import Any

from ganbench.study.records import Record
from ganbench.study.search import Rules, Tried, open_study, places, tried
from ganbench.study.search_result import SearchResult, SearchTrial
from ganbench.study.searching import choose, front

ENOUGH = 16
"""Complete configurations below which importances would be noise, and as many as this..."""
A_PARAMETER = 4
"""...for each parameter."""


def search_result(described: Mapping[str, Any], records: Iterable[Record]) -> SearchResult:
    """Return a search as far as it has run.

    Parameters
    ----------
    described : mapping
        As ``ganbench.study.searching.Search.described`` gives it.
    records : iterable of Record
    """
    own = dict(described)
    margin, space = own.pop("margin"), own.pop("space")
    tuples = {name: tuple(own[name]) for name in ("seeds", "objectives")}
    rules = Rules(**{**own, **tuples})
    known = tried(rules, records)
    total = places(rules, known)
    found = [one for index, one in known.items() if index < total]
    has_ended = sum(one.state != "open" for one in found) == total
    winner = choose(found, margin) if has_ended else None
    failed = sum(one.state == "failed" for one in found)
    several = len(rules.objectives) > 1
    importances, reason = _importances(rules, found)
    return SearchResult(
        name=rules.name,
        arm=rules.arm,
        budget=rules.budget,
        seeds=rules.seeds,
        sampler=rules.sampler,
        pruner=rules.pruner,
        parallel=rules.parallel,
        objectives=rules.objectives,
        space=space,
        steps=rules.steps,
        trials=tuple(_trial(one) for one in found),
        winner=winner.index if winner is not None else None,
        front=tuple(one.index for one in front(found)) if several else (),
        importances=importances,
        unimportant=reason,
        unreplaced=rules.budget - (total - failed) if has_ended else 0,
    )


def _trial(one: Tried) -> SearchTrial:
    return SearchTrial(
        index=one.index,
        parameters=one.parameters,
        state=one.state,
        value=one.values[0] if one.values else None,
        second=one.values[1] if len(one.values) > 1 else None,
        steps=one.steps,
        reason=one.reason,
    )


def _importances(rules: Rules, found: list[Tried]) -> tuple[dict[str, float] | None, str]:
    """Return Optuna's importances, or why they are left out."""
    if len(rules.objectives) > 1:
        return None, "there are two objectives, and an importance is about one"
    complete = [one for one in found if one.state == "complete"]
    names = {name for one in complete for name in one.parameters}
    if len(names) < 2:
        return None, "there are not two parameters to share it"
    needed = max(ENOUGH, A_PARAMETER * len(names))
    if len(complete) < needed:
        return None, (
            f"with {len(names)} parameters it takes {needed} complete configurations to tell more "
            f"than noise, and there are {len(complete)}"
        )
    if len({one.values[0] for one in complete}) == 1:
        return None, "all configurations came to the same figure"
    # Late: few reports need it, and it takes a while to import.
    from optuna.importance import get_param_importances

    return get_param_importances(open_study(rules, complete)), ""
