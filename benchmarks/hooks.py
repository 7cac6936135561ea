"""What the machinery of hooks costs: six tricks that do nothing, against none.

``python benchmarks/hooks.py`` trains the smallest network with its steps composed, in turn, with
six tricks and without. They override the hooks that the six tricks of ``step.py`` override, or each
of them every chained hook of the step, and hand on what they are given. The difference is the price
of calling them, without what a real trick computes. Two trials would differ by some microseconds
besides, by where in memory each has its weights; so it is one, and some such one after the other.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from candidates import NETWORKS, SIX_TRICKS, build
from page import add_options, expect_place, table, write
from torch import Tensor

from ganbench.plugin import (
    HALVES,
    Buffers,
    DiscriminatorStep,
    GeneratorStep,
    Half,
    Host,
    Objective,
    Role,
    Trick,
    TrickParameters,
)
from ganbench.study.compute import set_up_torch
from ganbench.study.paired import t_interval
from ganbench.training import Trial
from ganbench.training.hooks import STEP_HOOKS, overrides
from ganbench.training.tracing import Call, traced

HEAD = (
    "six idle tricks that override",
    "calls a step",
    "a step, µs",
    "with them more, µs",
    "95 %",
    "% of a step of 1 ms",
)


ZERO, NONE = torch.zeros(()), TrickParameters()


class Idle(Trick):
    """Overrides the chained hooks of a step, and changes nothing."""

    name = "idle"
    neutral = NONE

    def transform_latent(self, z: Tensor, buf: Buffers) -> Tensor:
        return z

    def transform_images(self, x: Tensor, is_real: bool, buf: Buffers) -> Tensor:
        return x

    def transform_discriminator_input(self, x: Tensor, is_real: bool, buf: Buffers) -> Tensor:
        return x

    def transform_targets(self, t: Tensor, is_real: bool, role: Half, buf: Buffers) -> Tensor:
        return t

    def transform_gradients(
        self, role: Role, grads: Sequence[Tensor], buf: Buffers
    ) -> Sequence[Tensor]:
        return grads

    def after_optimizer_step(self, role: Role, params: Sequence[Tensor], buf: Buffers) -> None:
        pass

    def before_step(self, step: int, buf: Buffers) -> None:
        pass


class IdleLosses(Idle):
    """Overrides what adds to losses as well, or stands in for one."""

    name = "idle_losses"

    def generator_objective(self, step: GeneratorStep, buf: Buffers) -> Tensor:
        return step.adversarial_loss()

    def generator_penalty(self, step: GeneratorStep, buf: Buffers) -> Tensor:
        return ZERO

    def discriminator_penalty(self, step: DiscriminatorStep, buf: Buffers) -> Tensor:
        return ZERO


def emptied(name: str) -> type[Trick]:
    """Return a trick that overrides the hooks of the step that one of ours does, and is idle.

    Raises
    ------
    AttributeError
        If one of them has no idle version here.
    """
    cls = Host().find("trick", name).cls
    hooks = [hook for hook in STEP_HOOKS if getattr(cls, hook) is not getattr(Trick, hook)]
    own: dict[str, Any] = {hook: vars(IdleLosses).get(hook) or vars(Idle)[hook] for hook in hooks}
    return type(f"Idle{cls.__name__}", (Trick,), {**own, "name": f"idle_{name}", "neutral": NONE})


def ways() -> Mapping[str, Sequence[type[Trick]]]:
    """Return six idle tricks each, by which hooks they override."""
    count = len(SIX_TRICKS)
    return {
        "as the six tricks above": [emptied(name) for name in SIX_TRICKS],
        "every chained hook": [
            type(f"Idle{i}", (Idle,), {"name": f"idle{i}"}) for i in range(count)
        ],
    }


class Summing(Objective):
    """The trials' objective, with so many zeros added to its losses, as penalties are."""

    def __init__(self, objective: Objective, zeros: Mapping[Half, int]) -> None:
        self._objective, self._zeros = objective, zeros

    def discriminator_loss(self, *given: Tensor) -> Tensor:
        loss = self._objective.discriminator_loss(*given)
        for _ in range(self._zeros["discriminator"]):
            loss = loss + ZERO
        return loss

    def generator_loss(self, *given: Any) -> Tensor:
        loss = self._objective.generator_loss(*given)
        for _ in range(self._zeros["generator"]):
            loss = loss + ZERO
        return loss


def trials(classes: Sequence[type[Trick]], device: str) -> tuple[Trial, Trial]:
    """Return a trial of the smallest network without tricks, and the same one with idle ones.

    The one without adds up as many terms of a loss: adding is a penalty's arithmetic.
    """
    tricks: dict[str, dict[str, Any]] = {cls.name: {} for cls in classes}
    idle = build(NETWORKS[0], tricks, {}, device, Host(classes=classes))
    without = copy.copy(idle)
    terms: dict[Half, int] = {
        half: sum(overrides(trick, f"{half}_penalty") for trick in idle.tricks) for half in HALVES
    }
    (pair,) = idle._steps
    for trial, added in ((without, terms), (idle, dict.fromkeys(HALVES, 0))):
        objective = Summing(pair.parts.objective, added)
        kept = tuple(idle.tricks) if trial is idle else ()
        own = copy.copy(pair)
        own.parts, own._updates = replace(pair.parts, tricks=kept, objective=objective), {}
        trial._steps = [own]
    without._schedules = [[]]
    return without, idle


def calls(trial: Trial) -> int:
    """Return how many hooks a step calls."""
    called: list[Call] = []
    with traced(called.append):
        trial.advance(1)
    return len(called)


def microseconds(trial: Trial, steps: int, device: str) -> float:
    """Take some steps, and return what each took."""
    began = time.perf_counter()
    trial.advance(steps)
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    if trial.diverged_at is not None:
        raise SystemExit(f"it diverged at step {trial.diverged_at}: no steps to time")
    return (time.perf_counter() - began) / steps * 1e6


def turns(
    pair: tuple[Trial, Trial], count: int, steps: int, device: str
) -> tuple[list[float], list[float]]:
    """Return what steps of a trial took, without tricks and with them, turn by turn."""
    took: tuple[list[float], list[float]] = ([], [])
    for trial in pair:
        microseconds(trial, 10, device)
    for turn in range(count):
        # The one that comes second finds warmer caches: they take that in turns too.
        for index in (0, 1) if turn % 2 else (1, 0):
            took[index].append(microseconds(pair[index], steps, device))
    return took


def row(way: str, classes: Sequence[type[Trick]], options: argparse.Namespace) -> tuple[str, ...]:
    """Return a line of the table: what six tricks cost that override hooks in a way."""
    without, differences, called = [], [], 0
    for _ in range(options.trials):
        pair = trials(classes, options.device)
        called = calls(pair[1])
        bare, idle = turns(pair, options.turns, options.steps, options.device)
        without.append(statistics.median(bare))
        # In each pair of turns the machine is in the same mood.
        differences.append(statistics.median(i - b for b, i in zip(bare, idle, strict=True)))
    difference = statistics.mean(differences)
    low, high = t_interval(differences, 0.05)[1:]
    return (
        way,
        f"{called}",
        f"{statistics.median(without):.0f}",
        f"{difference:.1f}",
        f"{low:.1f} to {high:.1f}",
        f"{difference / 10:.2f}",
    )


def main() -> None:
    """Have them take turns, and print the differences."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=20, help="one after the other")
    parser.add_argument("--turns", type=int, default=60, help="of each")
    parser.add_argument("--steps", type=int, default=50, help="in a turn")
    parser.add_argument("--device", default="cpu")
    add_options(parser)
    options = parser.parse_args()
    if options.write:
        expect_place(f"hooks {options.device}")
    set_up_torch(options.device)
    body = table(HEAD, [row(way, classes, options) for way, classes in ways().items()])
    print(body)
    if options.write:
        note = (
            f"Six tricks that override hooks and do nothing, against none, in the network for "
            f"points of two coordinates: the mean over {options.trials} trials, of each the median "
            f"difference of {options.turns} pairs of turns of {options.steps} steps. Idle "
            f"penalties are zeros, and adding them is counted on both sides; an idle objective "
            f"hands on the loss that there would be without it."
        )
        write(f"hooks {options.device}", f"{note}\n\n{body}", options.device)


if __name__ == "__main__":
    main()
