"""How far a step is from what its arithmetic alone would take.

``python benchmarks/limit.py`` counts the floating-point operations of a step (PyTorch's own
counter: products of matrices and convolutions, forwards and backwards), measures how fast this
device multiplies two large matrices, how fast oneDNN does on a CPU, and how fast a large
convolution is computed, and sets the time that follows from the fastest beside the time that a
step takes: the rest is memory, small kernels, Python, launching, and the slower library.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial

import torch
from candidates import ARRANGED, NETWORKS, build
from page import add_options, expect_place, table, write
from torch.utils.flop_counter import FlopCounterMode

from ganbench.study.compute import set_up_torch
from ganbench.training import Trial
from ganbench.training.linear import AVAILABLE, product

SIDE = {"cpu": 1024, "cuda": 8192}
"""Of the matrices that are multiplied: large enough to be limited by arithmetic."""
BATCH, MAPS, WIDTH = 16, 64, 64
"""Of the convolution: 3×3, of as many maps as it gives."""
TURN_SECONDS = 1.0


def seconds(action: Callable[[], object], device: str, rounds: int) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        action()
        if device.startswith("cuda"):
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def product_rate(device: str, rounds: int) -> float:
    """Return floating-point operations a second of a product of matrices, float32."""
    side = SIDE[device.partition(":")[0]]
    a, b = (torch.randn(side, side, device=device) for _ in range(2))
    a @ b
    return 2 * side**3 / seconds(lambda: a @ b, device, rounds)


def onednn_rate(device: str, rounds: int) -> float:
    """Return the same of one that oneDNN computes; zero where it does not."""
    if device != "cpu" or not AVAILABLE:
        return 0.0
    side = SIDE[device]
    a, b = (torch.randn(side, side) for _ in range(2))
    product(a, b)
    return 2 * side**3 / seconds(lambda: product(a, b), device, rounds)


def convolution_rate(device: str, rounds: int) -> float:
    """Return floating-point operations a second of a convolution, float32."""
    images = torch.randn(BATCH, MAPS, WIDTH, WIDTH, device=device)
    kernels = torch.randn(MAPS, MAPS, 3, 3, device=device)
    convolve = partial(torch.nn.functional.conv2d, images, kernels, padding=1)
    convolve()
    return 2 * kernels.numel() * BATCH * WIDTH**2 / seconds(convolve, device, rounds)


RATES: Mapping[str, Callable[[str, int], float]] = {
    "GFLOP/s, products": product_rate,
    "by oneDNN": onednn_rate,
    "convolutions": convolution_rate,
}
HEAD = ("network", "GFLOP a step", *RATES, "limit, ms", "step, ms", "of the limit")


def measured(trial: Trial, options: argparse.Namespace) -> tuple[float, float]:
    """Return the floating-point operations of a step, and how long it takes."""
    trial.advance(3)
    with FlopCounterMode(display=False) as counter:
        trial.advance(1)
    once = seconds(partial(trial.advance, 1), options.device, 3)
    steps = max(1, min(options.steps, round(TURN_SECONDS / once)))
    took = seconds(partial(trial.advance, steps), options.device, options.rounds)
    return counter.get_total_flops(), took / steps


def main() -> None:
    """Count, measure, and print a line a network."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=20, help="at most, in a turn")
    parser.add_argument("--device", default="cpu")
    add_options(parser)
    options = parser.parse_args()
    if options.write:
        expect_place(f"limit {options.device}")
    set_up_torch(options.device)
    rows = []
    for network in NETWORKS:
        for name, settings in (("", {}), (", arranged", ARRANGED)):
            # Beside each other, since a shared machine is not always equally fast.
            rates = [rate(options.device, options.rounds) for rate in RATES.values()]
            trial = build(network, {}, settings, options.device, reuse=settings is ARRANGED)
            operations, took = measured(trial, options)
            limit = operations / max(rates)
            figures = (operations / 1e9, *(rate / 1e9 for rate in rates))
            row = [f"{network.name}{name}", f"{figures[0]:.3f}"]
            row += [f"{figure:.0f}" if figure else "–" for figure in figures[1:]]
            row += [f"{limit * 1e3:.2f}", f"{took * 1e3:.2f}", f"{limit / took:.0%}"]
            rows.append(tuple(row))
            print(" | ".join(row), flush=True)
    if options.write:
        write(f"limit {options.device}", table(HEAD, rows), options.device)


if __name__ == "__main__":
    main()
