"""Several trials of an arm at once beside one after the other, in one process, in one run.

``python benchmarks/together.py`` races ``execution.together`` at several sizes, each in one process
of one thread, and prints what a step of a trial takes. On a GPU the back end is ``graphed``.
"""

import argparse
from collections.abc import Mapping
from typing import Any

from candidates import BATCH, NETWORKS, SIX_TRICKS, Network, ours
from page import add_options, expect_place, table, write
from racing import Candidate, race

SIZES = (2, 4, 8, 16)


def candidates(
    network: Network, tricks: Mapping[str, Mapping[str, Any]], device: str
) -> list[Candidate]:
    """Return who runs on a network: the first one trial after the other."""
    plain: dict[str, Any] = {} if device == "cpu" else {"backend": "graphed"}
    special = {"backend": "compiled"} if device == "cpu" else {}
    name = "compiled" if device == "cpu" else "eager"
    makers = [("alone", plain)]
    makers += [(f"{size} at once", {**plain, "together": size}) for size in SIZES]
    makers += [(f"{name}, alone", special), (f"{name}, 8 at once", {**special, "together": 8})]
    return [Candidate(name, ours, (network, tricks, own, device)) for name, own in makers]


def main() -> None:
    """Race on every network, with and without tricks, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--network", action="append", help="only those whose names hold this")
    add_options(parser)
    options = parser.parse_args()
    if options.write:
        expect_place(f"together {options.device}")
    rows = []
    for network in NETWORKS:
        if options.network and not any(part in network.name for part in options.network):
            continue
        for tricks, more in (({}, ""), (SIX_TRICKS, ", six tricks")):
            field = candidates(network, tricks, options.device)
            rates = race(field, options.seconds, options.rounds)
            row = (network.name + more, *(_cell(rates, one.name) for one in field))
            rows.append(row)
            print(" | ".join(row), flush=True)
            if options.write:
                head = ("network", *(one.name for one in field))
                note = (
                    f"Milliseconds a step of a trial, and how many times as fast as one trial "
                    f"after the other: batches of {BATCH}, one process, medians of "
                    f"{options.rounds} interleaved rounds of {options.seconds:g} s. –: not so "
                    f"taken, since five steps were not the eager ones closely enough."
                )
                body = f"{note}\n\n{table(head, rows)}"
                write(f"together {options.device}", body, options.device)


def _cell(rates: Mapping[str, float | str], name: str) -> str:
    rate, alone = rates[name], rates["alone"]
    if isinstance(alone, str):
        raise SystemExit(f"a trial alone failed: {alone}")
    if isinstance(rate, str):
        print(f"  {name}: {rate}")
        return "–"
    return f"{1e3 / rate:.2f} ({rate / alone:.1f}×)"


if __name__ == "__main__":
    main()
