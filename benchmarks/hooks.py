"""What the machinery of hooks costs: six tricks that do nothing, against none.

``python benchmarks/hooks.py`` has two trials of the smallest network take turns: one without
tricks, one with six that override every chained hook of the step and hand on what they are given.
The difference is the price of calling them, without what a real trick computes.
"""

import argparse
import statistics
import time
from collections.abc import Sequence
from typing import Any

import torch
from candidates import NETWORKS, build
from page import add_options, expect_place, table, write
from torch import Tensor

from ganbench.plugin import Buffers, Half, Host, Role, Trick, TrickParameters
from ganbench.study.compute import set_up_torch
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


def trial_with(count: int, device: str) -> Trial:
    """Return a trial of the smallest network with ``count`` idle tricks."""
    classes: list[Any] = [type(f"Idle{i}", (Idle,), {"name": f"idle{i}"}) for i in range(count)]
    tricks: dict[str, dict[str, Any]] = {cls.name: {} for cls in classes}
    return build(NETWORKS[0], tricks, {}, device, Host(classes=classes))


def microseconds(trial: Trial, steps: int, device: str) -> float:
    """Take some steps, and return what each took."""
    began = time.perf_counter()
    trial.advance(steps)
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return (time.perf_counter() - began) / steps * 1e6


def main() -> None:
    """Take turns, and print the difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=5, help="in a turn")
    parser.add_argument("--device", default="cpu")
    add_options(parser)
    options = parser.parse_args()
    if options.write:
        expect_place(f"hooks {options.device}")
    set_up_torch(options.device)
    trials = [trial_with(count, options.device) for count in (0, COUNT)]
    turns = []
    for turn in range(options.turns):
        # The one that comes second finds warmer caches: they take that in turns too.
        order = (0, 1) if turn % 2 else (1, 0)
        took = {
            index: microseconds(trials[index], options.steps, options.device) for index in order
        }
        turns.append((took[0], took[1]))
    turns = turns[options.turns // 10 :]  # the first warm up
    differences = sorted(idle - without for without, idle in turns)
    # The interval of a median: order statistics, of the binomial distribution's normal limit.
    middle, reach = len(differences) / 2, 0.98 * len(differences) ** 0.5
    low, high = differences[int(middle - reach)], differences[int(middle + reach)]
    difference = statistics.median(differences)
    without = statistics.median(time for time, _ in turns)
    row = (
        NETWORKS[0].name,
        f"{without:.0f}",
        f"{difference:.1f}",
        f"{low:.1f} to {high:.1f}",
        f"{difference / 10:.2f}",
    )
    head = ("network", "a step, µs", "six idle tricks more, µs", "95 %", "% of a step of 1 ms")
    body = table(head, [row])
    print(body)
    if options.write:
        note = (
            f"Six tricks that override seven hooks and do nothing, against none: the median "
            f"difference of {len(turns)} pairs of turns of {options.steps} steps."
        )
        write(f"hooks {options.device}", f"{note}\n\n{body}", options.device)


if __name__ == "__main__":
    main()
