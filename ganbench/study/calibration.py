"""How long a study will take, measured on this machine in a few seconds."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch

from ganbench.config.model import TrialConfig
from ganbench.plugin import Progress
from ganbench.study.attempt import evaluation_steps, failure
from ganbench.study.lanes import parties
from ganbench.study.prepare import Prepared
from ganbench.study.records import Cell
from ganbench.study.run_plan import AUTO, TOGETHER, RunPlan
from ganbench.training import Company, NonFiniteError, Trial, first_of_each_row

SECONDS_AN_ARM = 0.4
START_SECONDS = 6.0
"""Until the workers have imported torch."""


@dataclass(frozen=True)
class Pace:
    """What a trial of one configuration costs.

    Attributes
    ----------
    step, evaluation : float
        Seconds: of a step, a row's share where several trials are taken at once.
    """

    step: float
    evaluation: float

    def trial(self, config: TrialConfig) -> float:
        """Return the seconds of a whole trial."""
        return self.company(config, 1, 1)

    def company(self, config: TrialConfig, trials: int, rows: int) -> float:
        """Return the seconds of whole trials that are trained at once, in so many rows."""
        evaluations = len(evaluation_steps(config.steps, config.evaluation.every))
        return rows * config.steps * self.step + trials * evaluations * self.evaluation


@dataclass(frozen=True)
class Calibration:
    """What a few steps of each arm gave.

    Attributes
    ----------
    paces : mapping of str to Pace
        By the configurations' keys.
    failures : mapping of str to str
        Why an arm cannot be trained, by its configuration's key.
    """

    paces: Mapping[str, Pace]
    failures: Mapping[str, str]


def calibrate(plan: RunPlan, prepared: Prepared, progress: Progress) -> Calibration:
    """Train a few steps of each configuration, and evaluate each once."""
    device = torch.device(plan.devices[0])
    configs = {
        arm.config.key(): arm.config
        for arm in prepared.arms
        if arm.config is not None and arm.skipped is None
    }
    paces: dict[str, Pace] = {}
    failures: dict[str, str] = {}
    for done, (key, config) in enumerate(configs.items()):
        progress("measuring the speed", done, len(configs))
        try:
            auto = prepared.instrument.get(AUTO, "eager")
            rows = config.execution.company(prepared.instrument.get(TOGETHER, 1))
            trials = [
                Trial(config, seed, prepared.data, plan.host, device, auto)
                for seed in first_of_each_row(plan.study.all_seeds, rows)
            ]
            step = _seconds_a_step(trials, rows)
            paces[key] = Pace(step, _seconds_an_evaluation(trials[0], prepared))
        except Exception as error:
            # A plugin's: what a run would record as this arm's failure.
            failures[key] = failure(error)
    progress("measuring the speed", len(configs), len(configs))
    return Calibration(paces, failures)


def estimate(
    cells: Iterable[Cell],
    paces: Mapping[str, Pace],
    plan: RunPlan,
    prepared: Prepared,
    more: float = 0.0,
) -> float:
    """Return the seconds that training the cells will take, by all workers together.

    ``more`` is what other trials, many, take besides, one after another.
    """
    configs = {arm.config.key(): arm.config for arm in prepared.arms if arm.config is not None}
    together = prepared.instrument.get(TOGETHER, 1)

    def room_of(cell: Cell) -> int:
        return 1 if cell.draw is not None else configs[cell.key].execution.company(together)

    groups = parties((cell for cell in cells if cell.key in paces), room_of)
    costs = [
        paces[party[0].key].company(configs[party[0].key], len(party), room_of(party[0]))
        for party in groups
    ]
    if not costs and not more:
        return 0.0
    # The workers share the groups; none can be faster than the longest one.
    workers = plan.workers if more else min(plan.workers, len(costs))
    return START_SECONDS + max((sum(costs) + more) / workers, *costs, 0.0)


def _seconds_a_step(trials: Sequence[Trial], rows: int) -> float:
    """Return a row's share of what a step of all takes, where so many may be trained at once."""
    first, company = trials[0], Company(trials, rows)
    company.advance(2)  # allocates, warms up, and puts the rows together
    before, count, began = _seconds(trials), 0, time.monotonic()
    while time.monotonic() - began < SECONDS_AN_ARM and first.step < first.steps:
        step = first.step
        company.advance(max(1, count))
        count += first.step - step
        if any(trial.diverged_at is not None for trial in trials):
            break
    return ((_seconds(trials) - before) / count if count else _seconds(trials)) / rows


def _seconds(trials: Iterable[Trial]) -> float:
    return sum(trial.seconds for trial in trials)


def _seconds_an_evaluation(trial: Trial, prepared: Prepared) -> float:
    began = time.monotonic()
    with suppress(NonFiniteError):  # it diverges, which is no failure
        prepared.evaluator.evaluate(trial.sample(trial.config.evaluation.samples))
        trial.extra_figures()
    return time.monotonic() - began
