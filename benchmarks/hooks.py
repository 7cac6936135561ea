"""What the machinery of hooks costs: six tricks that do nothing, against none.

``python benchmarks/hooks.py`` races two trials of the smallest network: one without tricks,
one with six that override every chained hook of the step and hand on what they are given. The
difference is the price of calling them, without what a real trick computes.
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import torch
from candidates import NETWORKS, build
from page import add_options, expect_place, table, write
from racing import Candidate, race
from torch import Tensor

from ganbench.plugin import Buffers, Half, Host, Role, Trick, TrickParameters

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


def trains(count: int, device: str) -> Callable[[int], None]:
    """Return what trains with ``count`` idle tricks."""
    classes: list[Any] = [type(f"Idle{i}", (Idle,), {"name": f"idle{i}"}) for i in range(count)]
    tricks: dict[str, dict[str, Any]] = {cls.name: {} for cls in classes}
    trial = build(NETWORKS[0], tricks, {}, device, Host(classes=classes))

    def run(steps: int) -> None:
        trial.advance(steps)
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    return run


def main() -> None:
    """Race, and print the difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--device", default="cpu")
    add_options(parser)
    options = parser.parse_args()
    if options.write:
        expect_place(f"hooks {options.device}")
    names = ("no tricks", f"{COUNT} idle tricks")
    found = [
        Candidate(name, trains, (count, options.device))
        for name, count in zip(names, (0, COUNT), strict=True)
    ]
    rates = race(found, options.seconds, options.rounds)
    failed = [rate for rate in rates.values() if isinstance(rate, str)]
    if failed:
        raise SystemExit(failed[0])
    without, idle = (1e6 / float(rates[name]) for name in names)
    row = (f"{without:.0f}", f"{idle:.0f}", f"{idle - without:.1f}", f"{(idle - without) / 10:.2f}")
    head = ("network", "no tricks, µs", "six idle, µs", "difference, µs", "% of a step of 1 ms")
    body = table(head, [(NETWORKS[0].name, *row)])
    print(body)
    if options.write:
        note = f"Six tricks that override seven hooks and do nothing, medians of {options.rounds} "
        note += "interleaved rounds."
        write(f"hooks {options.device}", f"{note}\n\n{body}", options.device)


if __name__ == "__main__":
    main()
