"""What ``--quick`` makes of a study: enough to show that it runs, and no more."""

from copy import deepcopy
from typing import Any

from ganbench.config.problems import Path
from ganbench.config.seeds import seeds_among

SEEDS = 2
STEPS = 40
EVERY = 20
SAMPLES = 256
CONFIGURATIONS = 3


def quicken(resolved: dict[str, Any]) -> tuple[dict[str, Any], list[Path]]:
    """Shrink a resolved study; everything else stays alike.

    The first 2 seeds; at most 40 steps, an evaluation every 20 at most, of 256 samples at
    most. Levels of a ``steps`` factor, and arms that set ``steps``, keep their proportion
    to the baseline's. A search tries 3 configurations at most, with one seed.

    Returns
    -------
    dict
        A changed copy.
    list of tuple
        The paths that changed.
    """
    study = deepcopy(resolved)
    changed: list[Path] = []

    def put(owner: Any, key: str | int, value: Any, path: Path) -> None:
        if owner[key] != value:
            owner[key] = value
            changed.append(path)

    before = study["baseline"]["steps"]
    steps = min(before, STEPS)
    put(study, "seeds", seeds_among(study["seeds"])[:SEEDS], ("seeds",))
    put(study["baseline"], "steps", steps, ("baseline", "steps"))
    evaluation = study["evaluation"]
    put(evaluation, "every", min(evaluation["every"], EVERY, steps), ("evaluation", "every"))
    put(evaluation, "samples", min(evaluation["samples"], SAMPLES), ("evaluation", "samples"))

    def scaled(level: int) -> int:
        return max(1, round(level * int(steps) / int(before)))

    for index, level in enumerate(levels := study["factors"].get("steps", [])):
        put(levels, index, scaled(level), ("factors", "steps", index))
    for index, arm in enumerate(study["design"]["arms"]):
        if "steps" in arm["set"]:
            level = scaled(arm["set"]["steps"])
            put(arm["set"], "steps", level, ("design", "arms", index, "set", "steps"))
    for section, count in (("design", "trials"), ("tuning", "budget")):
        search = study.get(section) or {}
        if search.get(count):
            put(search, count, min(search[count], CONFIGURATIONS), (section, count))
            put(search, "seeds", search["seeds"][:1], (section, "seeds"))
    return study, changed
