"""A step of ours beside a step of the loop that people copy from tutorials, in one run.

``python benchmarks/step.py`` races them on the same networks, batch size and device, in
interleaved rounds, and prints medians and ratios, one line a network. The copied loop has the
whole machine to itself, with PyTorch's own choice of threads and two more processes that load
the data; ours has one thread on a CPU, as in a study, which runs one such process a core: the
column ``machine`` is that. ``arranged`` takes D's images in G's half, as the copied
loop does, and sets the options that change a step by rounding alone; ``machine, compiled`` and
``bf16`` do so too.
"""

import argparse
import os
from typing import Any

from candidates import ARRANGED, BATCH, NETWORKS, SIX_TRICKS, Network, copied, ours
from page import add_options, expect_place, table, write
from racing import Candidate, race

BF16 = {**ARRANGED, "amp": "bf16"}
HEAD = (
    "network",
    "copied loop",
    "ganbench",
    "machine",
    "machine, arranged",
    "machine, compiled",
    "machine, bf16",
    "compiled",
    "bf16",
    "six tricks",
    "compiled, six tricks",
)


def candidates(network: Network, device: str, wanted: set[str]) -> list[Candidate]:
    """Return who runs on a network."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    compiled = {"backend": "compiled"}
    arranged: tuple[Any, ...] = (network, {}, ARRANGED, device, True)
    both: tuple[Any, ...] = (network, {}, {**ARRANGED, **compiled}, device, True)
    bf16: tuple[Any, ...] = (network, {}, BF16, device, True)
    found = [
        Candidate("copied loop", copied, (network, device), threads=None),
        Candidate("ganbench", ours, (network, {}, {}, device)),
        Candidate("machine", ours, (network, {}, {}, device), processes=cores or 1),
        Candidate("machine, arranged", ours, arranged, processes=cores or 1),
        Candidate("machine, compiled", ours, both, processes=cores or 1),
        Candidate("machine, bf16", ours, bf16, processes=cores or 1),
        Candidate("compiled", ours, (network, {}, compiled, device)),
        Candidate("bf16", ours, bf16),
        Candidate("six tricks", ours, (network, SIX_TRICKS, {}, device)),
        Candidate("compiled, six tricks", ours, (network, SIX_TRICKS, compiled, device)),
    ]
    return [one for one in found if one.name in wanted]


def cell(rate: float | str | None, reference: float) -> str:
    """Return milliseconds a step, and the ratio to the copied loop."""
    if rate is None or isinstance(rate, str):
        return "–"
    return f"{1e3 / rate:.2f} ({rate / reference:.1f}×)"


def main() -> None:
    """Race on every network, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--network", action="append", help="only those whose names hold this")
    parser.add_argument("--only", action="append", help="only this candidate, and the copied loop")
    add_options(parser)
    options = parser.parse_args()
    if options.write:
        expect_place(f"step {options.device}")
    wanted = {*(options.only or HEAD[1:]), "copied loop"}
    rows = []
    for network in NETWORKS:
        if options.network and not any(part in network.name for part in options.network):
            continue
        rates = race(candidates(network, options.device, wanted), options.seconds, options.rounds)
        reference = rates["copied loop"]
        if isinstance(reference, str):
            raise SystemExit(f"{network.name}: the copied loop failed: {reference}")
        row = (network.name, *(cell(rates.get(name), reference) for name in HEAD[1:]))
        rows.append(row)
        print(" | ".join(row), flush=True)
        for name, rate in rates.items():
            if isinstance(rate, str):
                print(f"  {name}: {rate}")
        if options.write:
            # After each: a benchmark of an hour that is cut off leaves what it has.
            note = (
                f"Milliseconds a step, and how many times as fast as the copied loop: batches of "
                f"{BATCH}, medians of {options.rounds} interleaved rounds of "
                f"{options.seconds:g} s. `machine` counts the steps of one process a core "
                f"together. `arranged`: with `latent.reuse`, as the copied loop has it, "
                f"`channels_last`, `merge_upsampling`, `join_batches` and `onednn_linear`; "
                f"`machine, compiled` and `bf16` have them too, where the last has no effect in "
                f"bf16. –: not compiled, since five steps were not the eager ones closely enough."
            )
            body = f"{note}\n\n{table(HEAD, rows)}"
            write(f"step {options.device}", body, options.device)


if __name__ == "__main__":
    main()
