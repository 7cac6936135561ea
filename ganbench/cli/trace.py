"""``ganbench run --trace-hooks``: which plugin does what, in which order, in each arm."""

from itertools import groupby

import click
import torch
from rich.console import Console
from rich.text import Text

from ganbench.config.model import TrialConfig
from ganbench.data.load import load_data
from ganbench.plugin import Data
from ganbench.study.attempt import failure
from ganbench.study.run_plan import RunPlan
from ganbench.training import Call, HookError, NotApplicableError, Trial, traced

STEPS = 2
"""Steps that are traced; the second is shown only where it differs from the first."""
SAMPLES = 4


def show_trace(plan: RunPlan) -> int:
    """Print the calls of every hook while each arm is built, takes two steps and is sampled.

    Writes nothing. Returns 1 if a hook of an arm failed, otherwise 0.

    Raises
    ------
    GanbenchError
        If the study's data cannot be had.
    """
    console = Console(highlight=False)
    dataset = plan.study.dataset
    data = load_data(dataset.name, dataset.parameters, plan.host, plan.data_root)
    failed = False
    for arm in plan.arms:
        seed = plan.study.all_seeds[0]
        console.print(Text(f"\n{arm.name}, seed {seed}", style="bold"))
        if arm.config is None or arm.skipped is not None:
            click.echo(f"  n/a: {arm.skipped}")
            continue
        calls, ending = trace_arm(arm.config, seed, data, plan)
        for line in trace_lines(calls):
            console.print(line, soft_wrap=True)
        if not calls and ending is None:
            click.echo("  no hook is in use")
        if ending is not None:
            applies = not isinstance(ending, NotApplicableError)
            failed = failed or applies
            known = isinstance(ending, HookError | NotApplicableError)
            text = str(ending) if known else failure(ending)
            click.echo(f"  fails: {text}" if applies else f"  n/a: {text}")
    return 1 if failed else 0


def trace_arm(
    config: TrialConfig, seed: int, data: Data, plan: RunPlan
) -> tuple[list[tuple[str, Call]], Exception | None]:
    """Return the calls of one arm, each with the moment it belongs to, and what ended it early."""
    calls: list[tuple[str, Call]] = []
    moment = "build"

    def record(call: Call) -> None:
        calls.append((moment, call))

    with traced(record):
        try:
            trial = Trial(config, seed, data, plan.host, torch.device(plan.devices[0]))
            for step in range(min(STEPS, trial.steps)):
                moment = f"step {step + 1}"
                trial.advance(1)
            moment = "evaluation"
            trial.sample(SAMPLES)
            trial.extra_figures()
            trial.pictures()
        except Exception as error:  # whatever it is, the calls that led to it are worth seeing
            return calls, error
    return calls, None


def trace_lines(calls: list[tuple[str, Call]]) -> list[Text]:
    """Return a line for each call, under the moment, and the half of the step, it belongs to."""
    lines: list[Text] = []
    first: list[tuple[str | None, str, str]] = []
    for moment, group in groupby(calls, key=lambda entry: entry[0]):
        own = [call for _, call in group]
        same = [(call.half, call.plugin, call.hook) for call in own]
        if moment == "step 1":
            first = same
        elif moment.startswith("step") and same == first:
            lines.append(Text(f"  {moment}: as step 1"))
            continue
        for half, part in groupby(own, key=lambda call: call.half):
            lines.append(Text(f"  {moment}, {half}" if half else f"  {moment}"))
            for call in part:
                line = Text("    ")
                line.append(f"{call.plugin}.{call.hook}", style="bold")
                line.append(f"({call.given}) → {call.returned}")
                lines.append(line)
    return lines
