"""What the machinery of hooks costs: six tricks that do nothing, against none.

``python benchmarks/hooks.py`` trains the smallest network with its steps composed, in turn, with
six tricks and without: they override every chained hook of the step and hand on what they are
given. The difference is the price of calling them, without what a real trick computes. Two trials
would differ by some microseconds besides, by where in memory each has its weights; so it is one,
and some such one after the other.
"""

import argparse
import copy
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from candidates import NETWORKS, build
from page import add_options, expect_place, table, write
from torch import Tensor

from ganbench.plugin import Buffers, Half, Host, Role, Trick, TrickParameters
from ganbench.study.compute import set_up_torch
from ganbench.study.paired import t_interval
from ganbench.training import Trial

COUNT = 6


class Idle(Trick):
    """Overrides the chained hooks of a step, and changes nothing."""

    name = "idle"
    neutral = TrickParameters()

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


def trials(device: str) -> tuple[Trial, Trial]:
    """Return a trial of the smallest network without tricks, and the same one with idle ones."""
    classes: list[Any] = [type(f"Idle{i}", (Idle,), {"name": f"idle{i}"}) for i in range(COUNT)]
    tricks: dict[str, dict[str, Any]] = {cls.name: {} for cls in classes}
    idle = build(NETWORKS[0], tricks, {}, device, Host(classes=classes))
    without = copy.copy(idle)
    (pair,) = idle._steps
    parts = replace(pair.parts, tricks=())
    without._steps = [copy.copy(pair)]
    without._steps[0].parts, without._steps[0]._updates = parts, {}
    without._schedules = [[]]
    return without, idle


def microseconds(trial: Trial, steps: int, device: str) -> float:
    """Take some steps, and return what each took."""
    began = time.perf_counter()
    trial.advance(steps)
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / steps * 1e6


def turns(count: int, steps: int, device: str) -> tuple[list[float], list[float]]:
    """Return what steps of a trial took, without tricks and with them, turn by turn."""
    pair = trials(device)
    took: tuple[list[float], list[float]] = ([], [])
    for trial in pair:
        microseconds(trial, 10, device)
    for turn in range(count):
        # The one that comes second finds warmer caches: they take that in turns too.
        for index in (0, 1) if turn % 2 else (1, 0):
            took[index].append(microseconds(pair[index], steps, device))
    return took


def main() -> None:
    """Have them take turns, and print the difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=20, help="one after the other")
    parser.add_argument("--turns", type=int, default=300, help="of each")
    parser.add_argument("--steps", type=int, default=5, help="in a turn")
    parser.add_argument("--device", default="cpu")
    add_options(parser)
    options = parser.parse_args()
    if options.write:
        expect_place(f"hooks {options.device}")
    set_up_torch(options.device)
    without, differences = [], []
    for _ in range(options.trials):
        bare, idle = turns(options.turns, options.steps, options.device)
        without.append(statistics.median(bare))
        # In each pair of turns the machine is in the same mood.
        differences.append(statistics.median(i - b for b, i in zip(bare, idle, strict=True)))
    difference = statistics.mean(differences)
    low, high = t_interval(differences, 0.05)[1:]
    row = (
        NETWORKS[0].name,
        f"{statistics.median(without):.0f}",
        f"{difference:.1f}",
        f"{low:.1f} to {high:.1f}",
        f"{difference / 10:.2f}",
    )
    head = ("network", "a step, µs", "six idle tricks more, µs", "95 %", "% of a step of 1 ms")
    body = table(head, [row])
    print(body)
    if options.write:
        note = (
            f"Six tricks that override seven hooks and do nothing, against none: the mean over "
            f"{options.trials} trials, of each the median difference of {options.turns} pairs of "
            f"turns of {options.steps} steps."
        )
        write(f"hooks {options.device}", f"{note}\n\n{body}", options.device)


if __name__ == "__main__":
    main()
