"""How long a run takes until its first line of progress, against importing torch.

``python benchmarks/start.py`` starts both in turn, each as a process of its own: a Python that
imports torch and says so, and ``ganbench run tricks --quick``, which is ended at its first line.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time

from page import add_options, expect_place, table, write

TORCH = ("-c", "import torch; print('torch', flush=True)")
SECTION = "start cpu"


def seconds_to_first_line(*arguments: str) -> float:
    """Start Python with some arguments, and end it when it has printed a line."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        took = time.perf_counter() - began
        process.kill()
    if not line:
        raise SystemExit(f"{' '.join(arguments)}: ended without a line")
    return took


def main() -> None:
    """Take turns, and print the difference."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=7)
    add_options(parser)
    options = parser.parse_args()
    if options.write:
        expect_place(SECTION)
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        run = ("-m", "ganbench.cli.main", "run", "tricks", "--quick", "--out", folder)
        for turn in range(options.turns + 1):
            pair = seconds_to_first_line(*TORCH), seconds_to_first_line("-u", *run, "--fresh")
            if turn:  # the first finds cold files
                pairs.append(pair)
    torch, first = (statistics.median(column) for column in zip(*pairs, strict=True))
    more = statistics.median(run - alone for alone, run in pairs)
    head = ("", "seconds")
    rows = [
        ("importing torch", f"{torch:.1f}"),
        ("`ganbench run`, to its first line of progress", f"{first:.1f}"),
        ("median difference", f"{more:.1f}"),
    ]
    body = table(head, rows)
    print(body)
    if options.write:
        write(SECTION, f"Medians of {options.turns} turns.\n\n{body}")


if __name__ == "__main__":
    main()
