"""What ``backend: auto`` is on a GPU: measured once for a study, and kept in its ledger.

On a CPU it is ``eager``, without a measurement, so that plain runs stay reproducible.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from statistics import median
from typing import Any

import torch

from ganbench.config.model import TrialConfig
from ganbench.plugin import Progress
from ganbench.study.archive import Archive
from ganbench.study.attempt import failure
from ganbench.study.choice import Choice
from ganbench.study.ledger import Ledger
from ganbench.study.monitor import Monitor
from ganbench.study.prepare import Prepared
from ganbench.study.run_plan import AUTO, RunPlan, definition_of, fingerprint
from ganbench.training import Trial

MEASURED_ON = ("cuda",)
"""Kinds of devices on which it is not known beforehand."""
CANDIDATES = ("eager", "graphed")
"""Not ``compiled``: what a compiler takes for each arm depends on the arms."""
WARM_STEPS, TURNS, TURN_STEPS, TURN_MILLISECONDS = 10, 5, 40, 400
"""A turn is shorter for networks whose steps take long."""
MOST_STEPS = WARM_STEPS + 2 + TURNS * TURN_STEPS


Measure = Callable[[RunPlan, Prepared, str, TrialConfig, Progress], Choice]


def settle_auto(
    plan: RunPlan, prepared: Prepared, archive: Archive, monitor: Monitor, measure: Measure
) -> Prepared:
    """Return the preparation with what ``auto`` is: as it was chosen before, or measured now.

    Parameters
    ----------
    plan : RunPlan
    prepared : Prepared
    archive : Archive
    monitor : Monitor
    measure : callable (plan, prepared, arm, configuration, progress) -> Choice

    Raises
    ------
    LedgerError
        If the ledger cannot be read or written.
    """
    measured = _arm_to_measure(plan, prepared)
    if measured is None:
        return prepared
    searches = prepared.searches(plan)
    definition = definition_of(plan.study, (*prepared.arms, *searches.arms), tuple(searches.rules))
    device = torch.device(plan.devices[0]).type
    with closing(Ledger(archive.folder, definition, plan.storage, monitor.notice)) as ledger:
        choice = Choice.of(ledger.descriptions(), device)
        if choice is None:
            made = measure(plan, prepared, *measured, monitor.preparing)
            # Another machine may have been faster: then its choice is everybody's.
            choice = Choice.of(ledger.descriptions(), device) or made
        # With each set of arms, which is an Optuna study of its own.
        ledger.describe(choice.described(device))
    monitor.notice(f"execution.backend auto is {choice}")
    return with_choice(plan, prepared, choice)


def as_chosen(
    plan: RunPlan, prepared: Prepared, descriptions: Iterable[Mapping[str, Any]]
) -> Prepared:
    """Return a preparation with what was chosen before, if anything was.

    Parameters
    ----------
    plan : RunPlan
    prepared : Prepared
    descriptions : iterable of mapping
        What is noted of the study's Optuna studies.
    """
    choice = Choice.of(descriptions, torch.device(plan.devices[0]).type)
    return prepared if choice is None else with_choice(plan, prepared, choice)


def with_choice(plan: RunPlan, prepared: Prepared, choice: Choice) -> Prepared:
    """Return a preparation whose trials are told apart by what ``auto`` is, where not ``eager``."""
    if choice.backend == "eager":
        return replace(prepared, auto=choice)
    instrument = {**prepared.instrument, AUTO: choice.backend}
    fingerprints = {
        arm.name: fingerprint(arm.config, instrument, plan.host)
        for arm in prepared.arms
        if arm.config is not None and arm.name in prepared.fingerprints
    }
    return replace(prepared, instrument=instrument, fingerprints=fingerprints, auto=choice)


def measure_backends(
    plan: RunPlan, prepared: Prepared, arm: str, config: TrialConfig, progress: Progress
) -> Choice:
    """Train an arm by each candidate in turns, timed by the device's own events.

    Whatever fails in it is a reason for ``eager``, by which the trials will meet it again.
    """
    device = torch.device(plan.devices[0])
    machine = torch.cuda.get_device_name(device)
    longer = config.model_copy(update={"steps": MOST_STEPS})
    times: Mapping[str, float] = {}
    try:
        trials = {
            name: Trial(longer, plan.study.all_seeds[0], prepared.data, plan.host, device, name)
            for name in CANDIDATES
        }
        times = _milliseconds(trials, device, progress)
        reason = _obstacle(trials)
    except Exception as error:
        reason = f"measuring failed: {failure(error)}"
    if reason is not None:
        return Choice("eager", {}, arm, machine, reason)
    return Choice(min(times, key=times.__getitem__), times, arm, machine)


def _milliseconds(
    trials: Mapping[str, Trial], device: torch.device, progress: Progress
) -> dict[str, float]:
    """Return a step's time by each candidate: the median of turns, taken one after the other."""
    for trial in trials.values():
        trial.advance(WARM_STEPS)
    slowest = max(milliseconds_a_step(trial, device, 2) for trial in trials.values())
    steps = int(min(TURN_STEPS, max(2, TURN_MILLISECONDS / slowest)))
    turns: dict[str, list[float]] = {name: [] for name in trials}
    for turn in range(TURNS):
        progress("measuring back ends", turn, TURNS)
        for name, trial in trials.items():
            turns[name].append(milliseconds_a_step(trial, device, steps))
    progress("measuring back ends", TURNS, TURNS)
    return {name: median(spent) for name, spent in turns.items()}


def milliseconds_a_step(trial: Trial, device: torch.device, steps: int) -> float:
    """Take some steps of a trial, and return how long the device was at each."""
    with torch.cuda.device(device):
        before, after = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        before.record()
        trial.advance(steps)
        after.record()
        after.synchronize()
        return float(before.elapsed_time(after)) / steps


def _obstacle(trials: Mapping[str, Trial]) -> str | None:
    """Say why the times of trials are not those of the candidates; None if they are."""
    for name, trial in trials.items():
        if trial.execution["backend"] != name:
            return f"it cannot be {name}: {trial.execution.get('reason')}"
        if trial.diverged_at is not None:
            return f"it diverges at step {trial.diverged_at}"
    return None


def _arm_to_measure(plan: RunPlan, prepared: Prepared) -> tuple[str, TrialConfig] | None:
    """Return the first arm that is computed by ``auto``, if a measurement says what that is."""
    if torch.device(plan.devices[0]).type not in MEASURED_ON:
        return None
    for arm in prepared.arms:
        config = arm.config if arm.skipped is None else None
        if config is not None and config.execution.backend == "auto":
            return arm.name, config
    return None
