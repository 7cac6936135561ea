"""In which way steps were taken, and which costs are not of what an arm changes alone."""

import re
from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import Any

from ganbench.study.results import ArmResult, StudyResults, TrialResult

MARK = "*"
"""Behind a cost that counts another way of taking steps as well."""
Execution = Mapping[str, Any]
"""A trial's ``backend``, ``reason`` where that was not as wished, and ``without_effect``: options,
each with why it changed nothing."""
EAGER: Execution = {"backend": "eager"}


def how_steps_were_taken(
    executions: Sequence[Execution | None], untold: Container[str] = ()
) -> str:
    """Return how the trials of an arm were computed: alike, or how many in which way.

    Parameters
    ----------
    executions : sequence of mapping or None
        None for a trial that tells nothing, of a version that had no choice.
    untold : container of str
        Options that are not named though they had no effect.
    """
    ways = Counter(_words(execution or EAGER, untold) for execution in executions)
    if len(ways) == 1:
        return next(iter(ways))
    return "; ".join(f"{count} of {ways.total()} {way}" for way, count in ways.most_common())


def _words(execution: Execution, untold: Container[str]) -> str:
    backend, reason = execution["backend"], execution.get("reason")
    told = str(backend) if reason is None else f"{backend} ({reason})"
    idle = {name: why for name, why in _idle(execution).items() if name not in untold}
    options = ", ".join(f"{name} ({why})" for name, why in idle.items())
    return f"{told}, without effect: {options}" if options else told


def mixed_costs(results: StudyResults) -> dict[str, tuple[str, str]]:
    """Return the arms whose cost counts another way of taking steps than the reference's.

    That is so where at some seed the two ways differ, and not because the arm's levels ask for
    another: a step that could not be captured, a trial that was trained alone, or D's batches
    that only one of the two could join.

    Returns
    -------
    dict of str to (str, str)
        By the arm's name: how its steps were taken, and how the reference's.
    """
    reference = results.arms[0]
    theirs = _executions(results.of_arm(reference.name))
    found = {}
    for arm in results.arms[1:]:
        ours = _executions(results.of_arm(arm.name))
        seeds = sorted(ours.keys() & theirs.keys())
        alike = _asked(arm) == _asked(reference)
        if any(_is_mixed(ours[seed], theirs[seed], alike) for seed in seeds):
            sides = [[side[seed] for seed in seeds] for side in (ours, theirs)]
            # What nobody had tells the two apart in nothing.
            common = set.intersection(*(set(_idle(one)) for side in sides for one in side))
            mine, other = (how_steps_were_taken(side, common) for side in sides)
            found[arm.name] = mine, other
    return found


def cost_notes(results: StudyResults) -> tuple[str, ...]:
    """Say of each marked cost how the arm's steps were taken, and how the reference's."""
    arms = defaultdict(list)
    for name, ways in mixed_costs(results).items():
        arms[ways].append(name)
    return tuple(
        f"{MARK} Cost of {', '.join(names)}: steps were taken {_adverb(ours)}, "
        f"{results.reference}'s {_adverb(theirs)}. The ratio counts that too, and is not that of "
        "what the arm changes."
        for (ours, theirs), names in arms.items()
    )


def _executions(trials: Mapping[int, TrialResult]) -> dict[int, Execution]:
    complete = {seed: trial for seed, trial in trials.items() if trial.outcome == "complete"}
    return {
        seed: (trial.details or {}).get("execution") or EAGER for seed, trial in complete.items()
    }


def _asked(arm: ArmResult) -> dict[str, Any]:
    """Return an arm's levels of how steps are to be taken."""
    return {key: level for key, level in arm.levels.items() if key.split(".")[0] == "execution"}


def _is_mixed(ours: Execution, theirs: Execution, alike: bool) -> bool:
    fell_back = "reason" in ours or "reason" in theirs
    if ours["backend"] != theirs["backend"]:
        return alike or fell_back
    return alike and _lost_joining(ours) != _lost_joining(theirs)


def _lost_joining(execution: Execution) -> bool:
    return "join_batches" in _idle(execution)


def _idle(execution: Execution) -> Mapping[str, str]:
    return execution.get("without_effect") or {}


def _adverb(ways: str) -> str:
    """Return ways as they follow a verb; a reason, in brackets, stays as it is."""
    return re.sub(r"(^|; \d+ of \d+ |^\d+ of \d+ |partly )eager\b", r"\1eagerly", ways)
