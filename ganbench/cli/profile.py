"""``ganbench run --profile``: where the time of a step goes, in each arm."""

import re
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import torch
from rich.console import Console
from rich.text import Text
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.profiler import ProfilerActivity, profile, supported_activities

from ganbench.config.model import TrialConfig
from ganbench.data.load import load_data
from ganbench.plugin import Data, GanbenchError
from ganbench.report.words import duration
from ganbench.study.attempt import failure
from ganbench.study.compute import set_up_torch
from ganbench.study.run_plan import RunPlan
from ganbench.training import HookError, NotApplicableError, Trial

WARM_STEPS = 5
"""Steps before those that count: caches fill, optimizers make their states, graphs compile."""
STEPS = 20
SHOWN = 5
"""How many operations are named."""


@dataclass(frozen=True)
class Profile:
    """Where an arm's steps spend their time.

    Attributes
    ----------
    seconds : float
        A step, with no profiler watching.
    shares : tuple of (str, float)
        Operations of PyTorch and their shares of the profiled time, the largest first.
    outside : float
        The share of what is no operation: Python, hooks, launching.
    backend : str
    hooks : tuple of (str, float)
        Hooks, as ``trick.hook``, and the share of the time inside each, the largest first: what
        they call is in it, and counted above as well; their backward passes are not.
    """

    seconds: float
    shares: tuple[tuple[str, float], ...]
    outside: float
    backend: str
    hooks: tuple[tuple[str, float], ...] = ()


def show_profiles(plan: RunPlan) -> int:
    """Profile some steps of each arm, print the shares, and write traces to be looked at.

    Returns 1 if an arm failed, otherwise 0.

    Raises
    ------
    GanbenchError
        If the study's data cannot be had, or a trace cannot be written.
    """
    console = Console(highlight=False)
    set_up_torch(plan.devices[0])
    dataset = plan.study.dataset
    data = load_data(dataset.name, dataset.parameters, plan.host, plan.data_root)
    folder = plan.report / "profiles"
    failed = False
    for arm in plan.arms:
        if arm.config is None or arm.skipped is not None:
            console.print(Text(f"\n{arm.name}: n/a: {arm.skipped}"), soft_wrap=True)
            continue
        console.print(Text(f"\n{arm.name}", style="bold"), soft_wrap=True)
        try:
            found = profile_arm(arm.config, data, plan, folder / f"{_file_name(arm.name)}.json")
        except NotApplicableError as error:
            click.echo(f"  n/a: {error}")
        except GanbenchError:
            raise
        except Exception as error:
            failed = True
            click.echo(f"  fails: {error if isinstance(error, HookError) else failure(error)}")
        else:
            for line in profile_lines(found):
                click.echo(f"  {line}")
    if folder.is_dir():
        click.echo(f"\ntraces: {folder} (open them at ui.perfetto.dev or chrome://tracing)")
    return 1 if failed else 0


def profile_arm(config: TrialConfig, data: Data, plan: RunPlan, path: Path) -> Profile:
    """Train some steps of an arm, and write the trace of the last of them to ``path``.

    Raises
    ------
    GanbenchError
        If the trace cannot be written.
    """
    device = torch.device(plan.devices[0])
    longer = config.model_copy(update={"steps": max(config.steps, WARM_STEPS + 2 * STEPS)})
    trial = Trial(longer, plan.study.all_seeds[0], data, plan.host, device)
    trial.advance(WARM_STEPS)
    seconds = _timed(trial, device)
    trial.name_hooks()
    wanted = {ProfilerActivity.CPU, ProfilerActivity.CUDA} & set(supported_activities())  # type: ignore[no-untyped-call]
    with profile(activities=sorted(wanted, key=str)) as watched:
        watched_seconds = _timed(trial, device) * STEPS
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        watched.export_chrome_trace(str(path))
    except OSError as error:
        raise GanbenchError(f"{path}: cannot be written: {error.strerror or error}") from error
    averages = watched.key_averages()
    operations = _shares(spent_in_operations(averages, device), watched_seconds)
    names = {trick.name for trick in trial.tricks}
    hooks = _shares(spent_in_hooks(averages, device, names), watched_seconds)
    outside = max(0.0, 1 - sum(share for _, share in operations))
    return Profile(seconds, operations, outside, trial.execution["backend"], hooks)


def spent_in_operations(events: Iterable[Any], device: torch.device) -> Sequence[tuple[str, float]]:
    """Return the seconds of each of PyTorch's operations itself, of a profile's averages.

    On CUDA those of its kernels: these stand there once more under names of their own.
    """
    own = [e for e in events if "::" in e.key and e.device_type == DeviceType.CPU]
    if device.type == "cuda":
        return [(event.key, event.self_device_time_total / 1e6) for event in own]
    return [(event.key, event.self_cpu_time_total / 1e6) for event in own]


def spent_in_hooks(
    events: Iterable[Any], device: torch.device, tricks: Collection[str]
) -> Sequence[tuple[str, float]]:
    """Return the seconds inside each hook of some tricks, of a profile's averages.

    On CUDA those of the kernels that it launches.
    """
    own = [e for e in events if e.key.partition(".")[0] in tricks]
    own = [event for event in own if event.device_type == DeviceType.CPU]
    if device.type == "cuda":
        return [(event.key, event.device_time_total / 1e6) for event in own]
    return [(event.key, event.cpu_time_total / 1e6) for event in own]


def _shares(spent: Sequence[tuple[str, float]], whole: float) -> tuple[tuple[str, float], ...]:
    """Return seconds as shares of a whole, the largest first."""
    shares = ((key, seconds / whole) for key, seconds in spent)
    return tuple(sorted(shares, key=lambda entry: -entry[1]))


def profile_lines(found: Profile) -> Sequence[str]:
    """Return what is printed of a profile."""
    named = found.shares[:SHOWN]
    rest = sum(share for _, share in found.shares[SHOWN:])
    inside = [f"{share:>5.0%}  {name}" for name, share in found.hooks]
    return [
        f"{duration(found.seconds)} a step, {found.backend}",
        *(f"{share:>5.0%}  {name}" for name, share in named),
        f"{rest:>5.0%}  {len(found.shares) - len(named)} other operations",
        f"{found.outside:>5.0%}  outside of operations: Python, hooks, launching",
        *(["of all this inside hooks, their backward passes left out:"] if inside else []),
        *inside,
    ]


def _timed(trial: Trial, device: torch.device) -> float:
    """Take some steps, and return the seconds that each took."""
    began = time.perf_counter()
    trial.advance(STEPS)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - began) / STEPS


def _file_name(arm: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", arm.lower()).strip("-")
