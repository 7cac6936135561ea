"""What ``backend: auto`` is on a GPU: measured once for a study, and kept in its ledger.

On a CPU it is ``eager``, without a measurement, so that plain runs stay reproducible.
"""

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from statistics import median
from typing import Any

import torch

from ganbench.config.model import TrialConfig, way
from ganbench.plugin import Progress
from ganbench.study.archive import Archive
from ganbench.study.attempt import failure
from ganbench.study.choice import Choice
from ganbench.study.ledger import Ledger
from ganbench.study.monitor import Monitor
from ganbench.study.prepare import Prepared
from ganbench.study.run_plan import AUTO, TOGETHER, RunPlan, definition_of, fingerprint
from ganbench.training import Company, Trial, first_of_each_row

MEASURED_ON = ("cuda",)
"""Kinds of devices on which it is not known beforehand."""
CANDIDATES = ("eager", "graphed")
"""Not ``compiled``: what a compiler takes for each arm depends on the arms."""
MOST_TOGETHER = 16
"""So many seeds of the arm are measured as one, at most."""
WARM_STEPS, TURNS, TURN_STEPS, TURN_MILLISECONDS = 10, 5, 40, 400
"""A turn is shorter for networks whose steps take long."""
MOST_STEPS = WARM_STEPS + 2 + TURNS * TURN_STEPS


Way = tuple[str, int]
"""A back end, and how many trials at once."""
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
    if choice.together > 1:
        instrument[TOGETHER] = choice.together
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

    Whatever fails in it is a reason for ``eager``, by which the trials will meet it again. The
    device's memory is the workers' afterwards.
    """
    machine = torch.cuda.get_device_name(torch.device(plan.devices[0]))
    try:
        times, obstacles = _milliseconds(plan, prepared, config, progress)
    except Exception as error:
        return Choice("eager", {}, arm, machine, f"measuring failed: {failure(error)}")
    finally:
        _free_memory()
    reason = "; ".join(obstacles) or None
    if len(times) < 2:
        return Choice("eager", {}, arm, machine, reason)
    backend, together = min(times, key=times.__getitem__)
    told = {way(*candidate): spent for candidate, spent in times.items()}
    return Choice(backend, told, arm, machine, reason, together)


def _milliseconds(
    plan: RunPlan, prepared: Prepared, config: TrialConfig, progress: Progress
) -> tuple[dict[Way, float], list[str]]:
    """Return what a trial's step takes by each candidate, and why it is not told of some.

    The times are medians of turns, taken one after the other.
    """
    device = torch.device(plan.devices[0])
    companies, refused = _companies(plan, prepared, config, device)
    obstacles = {one: obstacle(way(*one), company.trials) for one, company in companies.items()}
    able = {one: company for one, company in companies.items() if obstacles[one] is None}
    slowest = max((milliseconds_a_step(company, device, 2) for company in able.values()), default=1)
    steps = int(min(TURN_STEPS, max(2, TURN_MILLISECONDS / slowest)))
    turns: dict[Way, list[float]] = {one: [] for one in able}
    for turn in range(TURNS):
        progress("measuring back ends", turn, TURNS)
        for one, company in able.items():
            spent = milliseconds_a_step(company, device, steps)
            turns[one].append(spent / len(company.trials))
    progress("measuring back ends", TURNS, TURNS)
    for one, company in able.items():
        obstacles[one] = obstacle(way(*one), company.trials)
    times = {one: median(spent) for one, spent in turns.items() if obstacles[one] is None}
    return times, [*refused, *(why for why in obstacles.values() if why is not None)]


def _companies(
    plan: RunPlan, prepared: Prepared, config: TrialConfig, device: torch.device
) -> tuple[dict[Way, Company], list[str]]:
    """Return trials of each candidate, warm, and why there are none of some."""
    longer = config.model_copy(update={"steps": MOST_STEPS})
    seeds = plan.study.all_seeds[:MOST_TOGETHER]
    candidates = [(backend, 1) for backend in CANDIDATES]
    if config.execution.together == "auto" and len(seeds) > 1:
        candidates.append((CANDIDATES[-1], len(seeds)))
    companies: dict[Way, Company] = {}
    refused: list[str] = []
    for backend, count in candidates:
        try:
            trials = [
                Trial(longer, seed, prepared.data, plan.host, device, backend)
                for seed in first_of_each_row(seeds, count)
            ]
            companies[backend, count] = Company(trials, count)
            companies[backend, count].advance(WARM_STEPS)
        except torch.OutOfMemoryError:
            companies.pop((backend, count), None)
            refused.append(f"it cannot be {way(backend, count)}: the device has no memory for it")
            trials = []
            _free_memory()
    return companies, refused


def _free_memory() -> None:
    """Give the device the memory back that nobody holds any more."""
    gc.collect()
    with suppress(RuntimeError):  # of a device that has failed: it is measuring that tells so
        torch.cuda.empty_cache()


def milliseconds_a_step(company: Company, device: torch.device, steps: int) -> float:
    """Take some steps of each trial, and return how long the device was at one of all."""
    with torch.cuda.device(device):
        before, after = (
            torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            for _ in range(2)
        )
        before.record()
        company.advance(steps)
        after.record()
        after.synchronize()
        return float(before.elapsed_time(after)) / steps


def obstacle(wanted: str, trials: Sequence[Trial]) -> str | None:
    """Say why the times of trials are not those of a candidate; None if they are."""
    for trial in trials:
        if trial.execution["backend"] != wanted:
            return f"it cannot be {wanted}: {trial.execution.get('reason')}"
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
