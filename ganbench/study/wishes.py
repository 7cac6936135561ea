"""What a study asks of ``execution`` and pays for, or does not get: told before it trains."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import torch

from ganbench.config.model import SeedRange, TrialConfig
from ganbench.study.design import Arm
from ganbench.study.run_plan import RunPlan
from ganbench.training import refusal, row_of

MOST_ROWS = 64
"""As ``execution.together`` allows."""


def notes_on_execution(plan: RunPlan, arms: Iterable[Arm]) -> list[str]:
    """Return what is to be known of how the arms' steps will be taken, a sentence each.

    Parameters
    ----------
    plan : RunPlan
    arms : iterable of Arm
        As they were checked: one that does not apply asks for nothing.
    """
    applying = [
        (arm.name, arm.config) for arm in arms if arm.config is not None and arm.skipped is None
    ]
    configs = dict(applying)
    return [*_refused(configs, torch.device(plan.devices[0])), *_unfilled(plan, configs.values())]


def _refused(configs: Mapping[str, TrialConfig], device: torch.device) -> list[str]:
    """Return a sentence for each back end that can do nothing here, with the arms that ask for it.

    What only a step shows, such as that it is no fixed graph, the report tells.
    """
    told = []
    for backend in sorted({config.execution.backend for config in configs.values()}):
        reason = refusal(backend, device)
        if reason is None:
            continue
        names = [name for name, config in configs.items() if config.execution.backend == backend]
        which = f"{len(names)} of {len(configs)} arms will be trained eagerly: {', '.join(names)}"
        if len(names) == len(configs):
            which = "every arm will be trained eagerly"
        told.append(f"execution.backend: {backend}: {reason}; {which}")
    return told


def _unfilled(plan: RunPlan, configs: Iterable[TrialConfig]) -> list[str]:
    """Return a sentence for each number of rows that a study's seeds do not fill.

    Not of a study that adds seeds, nor of a quick one, whose seeds are fewer than it has.
    """
    if plan.quick or isinstance(plan.study.seeds, SeedRange):
        return []
    asked = sorted({config.execution.company() for config in configs})
    return [text for rows in asked if (text := unfilled_rows(plan.study.all_seeds, rows))]


def computed_rows(seeds: Sequence[int], rows: int) -> int:
    """Return how many rows are computed for the trials of some seeds, filled or not.

    Trials whose seeds have the same row are trained one after the other, each time with all rows.
    """
    return rows * max(Counter(row_of(seed, rows) for seed in seeds).values())


def unfilled_rows(seeds: Sequence[int], rows: int) -> str | None:
    """Say how many rows are computed for nothing, and what would fill all; None if all are filled.

    Parameters
    ----------
    seeds : sequence of int
    rows : int
        ``execution.together``.
    """
    computed, trials = computed_rows(seeds, rows), len(seeds)
    if computed == trials:
        return None
    filled = f"the {trials} seeds fill {trials}" if trials > 1 else "the one seed fills 1"
    text = (
        f"execution.together: {rows}: {filled} of the {computed} rows that are computed for "
        f"{'them' if trials > 1 else 'it'}, as a seed's row is seed % {rows}"
    )
    least = 2 if trials > 1 else 1
    full = [n for n in range(least, MOST_ROWS + 1) if computed_rows(seeds, n) == trials]
    if full:
        return f"{text}; {full[-1]} fills all"
    following = computed_rows(range(trials), rows)
    if following < computed:
        return f"{text}; seeds that follow one another need {following} rows"
    return text
