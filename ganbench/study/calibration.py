"""How long a study will take, measured on this machine in a few seconds."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from ganbench.config.model import TrialConfig
from ganbench.plugin import Progress
from ganbench.study.attempt import evaluation_steps
from ganbench.study.prepare import Prepared
from ganbench.study.records import Cell
from ganbench.study.run_plan import RunPlan
from ganbench.training import HookError, Trial

SECONDS_AN_ARM = 0.4
START_SECONDS = 6.0
"""Until the workers have imported torch."""


@dataclass(frozen=True)
class Pace:
    """What a trial of one configuration costs.

    Attributes
    ----------
    step, evaluation : float
        Seconds.
    """

    step: float
    evaluation: float

    def trial(self, config: TrialConfig) -> float:
        """Return the seconds of a whole trial."""
        evaluations = len(evaluation_steps(config.steps, config.evaluation.every))
        return config.steps * self.step + evaluations * self.evaluation


def measure_paces(plan: RunPlan, prepared: Prepared, progress: Progress) -> dict[str, Pace]:
    """Return each configuration's pace, from a few steps of it and one evaluation.

    The configurations of arms that fail are left out.
    """
    device = torch.device(plan.devices[0])
    arms = [arm for arm in prepared.arms if arm.config is not None and arm.skipped is None]
    paces: dict[str, Pace] = {}
    evaluation: float | None = None
    for done, arm in enumerate(arms):
        progress("measuring the speed", done, len(arms))
        if arm.config is None or arm.config.key() in paces:
            continue
        try:
            trial = Trial(arm.config, plan.study.seeds[0], prepared.data, plan.host, device)
            step = _seconds_a_step(trial)
        except HookError:
            continue
        if evaluation is None:
            began = time.monotonic()
            prepared.evaluator.evaluate(trial.sample(plan.study.evaluation.samples))
            evaluation = time.monotonic() - began
        paces[arm.config.key()] = Pace(step, evaluation)
    progress("measuring the speed", len(arms), len(arms))
    return paces


def estimate(
    cells: Iterable[Cell], paces: dict[str, Pace], plan: RunPlan, prepared: Prepared
) -> float:
    """Return the seconds that training the cells will take, by all workers together."""
    configs = {arm.config.key(): arm.config for arm in prepared.arms if arm.config is not None}
    costs = [paces[cell.key].trial(configs[cell.key]) for cell in cells if cell.key in paces]
    if not costs:
        return 0.0
    # The workers share the trials; none can be faster than the longest one.
    return START_SECONDS + max(sum(costs) / min(plan.workers, len(costs)), *costs)


def _seconds_a_step(trial: Trial) -> float:
    trial.advance(1)  # allocates and warms up
    before, count, began = trial.seconds, 0, time.monotonic()
    while time.monotonic() - began < SECONDS_AN_ARM and trial.step < trial.steps:
        step = trial.step
        trial.advance(max(1, count))
        count += trial.step - step
        if trial.diverged_at is not None:
            break
    return (trial.seconds - before) / count if count else trial.seconds
