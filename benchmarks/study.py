"""A whole study against the same trials trained one after another by the copied loop.

``python benchmarks/study.py`` runs a study of three arms as ``ganbench run`` does it, with its
start, evaluations, ledger and report, and then as many trainings of as many steps by the
copied loop, which measures nothing. Both have the whole machine. From the study's own
``results.json`` and journal it tells where the time of the workers went; and once more of a study
whose trials are ten times as long, since what a study costs besides hardly depends on that.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from candidates import Network, copied
from page import add_options, expect_place, table, write
from racing import threads

STUDY = """
name: timed
question: How long does this take?
dataset: {{name: digits}}
baseline:
  architecture: {{name: dcgan-upsample, width: 16}}
  latent: {{dimension: 64}}
  batch_size: 64
  steps: {steps}
factors:
  label_smoothing: ["off", {{real: 0.9}}]
  instance_noise: ["off", {{start: 0.1}}]
evaluation: {{every: {every}}}
seeds: {seeds}
"""
ARMS = 3
LONGER = 10
NETWORK = Network("digits", "dcgan-upsample", {"width": 16}, (1, 8, 8))


def study(folder: Path, steps: int, seeds: int, device: str) -> tuple[float, str]:
    """Run the study; return its wall time in seconds, and on what it was spent, in words."""
    path = folder / "timed.yaml"
    path.write_text(STUDY.format(steps=steps, every=max(1, steps // 6), seeds=seeds))
    began = time.perf_counter()
    program = str(Path(sys.executable).with_name("ganbench"))
    command = [program, "run", str(path), "--device", device]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    wall = time.perf_counter() - began
    report = folder / "reports/timed"
    results = json.loads((report / "results.json").read_text())
    return wall, shares(wall, results, waiting((report / "ledger/journal.log").read_text()))


def one_after_another(steps: int, trials: int, device: str, start_method: str) -> float:
    """Return the wall time in seconds of the copied loop's trainings, in a process of its own."""
    # A DataLoader starts its workers as it would in a script of one's own.
    multiprocessing.set_start_method(start_method, force=True)
    began = time.perf_counter()
    for _ in range(trials):
        copied(NETWORK, device)(steps)
    return time.perf_counter() - began


def waiting(journal: str) -> float:
    """Return for how many seconds workers that had nothing to do waited for the last trial."""
    ends: dict[str, datetime] = {}
    for line in journal.splitlines():
        entry = json.loads(line)
        if entry.get("datetime_complete"):
            ends[entry["worker_id"]] = datetime.fromisoformat(entry["datetime_complete"])
    return sum((max(ends.values()) - end).total_seconds() for end in ends.values())


def shares(wall: float, results: dict[str, Any], waited: float) -> str:
    """Return sentences on where the time of a study's workers went."""
    workers = results["environment"]["workers"]
    training = sum(trial["training_seconds"] for trial in results["trials"])
    measuring = sum(trial["evaluation_seconds"] for trial in results["trials"])
    rest = wall * workers - training - measuring - waited
    return (
        f"Of the {workers} workers' time, {wall:.0f} s each, {training / wall / workers:.1%} went "
        f"into training, {measuring / wall / workers:.1%} into evaluations "
        f"({measuring / training:.1%} of training), {waited / wall / workers:.1%} into waiting for "
        f"another worker's last trial, and {rest / wall / workers:.1%} into the machinery, which "
        f"is starting, the reference, the ledger, pictures, checkpoints and the report: "
        f"{rest / workers:.1f} s of wall time, {rest / training:.1%} of training."
    )


def main() -> None:
    """Time both, and print where the study's time went."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    add_options(parser)
    options = parser.parse_args()
    if options.write:
        expect_place(f"study {options.device}")
    trials = ARMS * options.seeds
    with tempfile.TemporaryDirectory() as folder:
        wall, spent = study(Path(folder), options.steps, options.seeds, options.device)
    print(f"ganbench: {wall:.1f} s", flush=True)
    context = multiprocessing.get_context("spawn")
    with threads(None), ProcessPoolExecutor(1, mp_context=context) as process:
        method = multiprocessing.get_start_method()
        turn = process.submit(one_after_another, options.steps, trials, options.device, method)
        reference = turn.result()
    rows = [
        ("ganbench run", f"{wall:.1f}", f"{trials * 3600 / wall:,.0f}", f"{reference / wall:.1f}×"),
        ("copied loop", f"{reference:.1f}", f"{trials * 3600 / reference:,.0f}", "1.0×"),
    ]
    body = table(("", "wall time, s", "trials an hour", "ratio"), rows)
    body += f"\n\n{trials} trials of {options.steps} steps. {spent}"
    print(body, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        steps = LONGER * options.steps
        _, spent = study(Path(folder), steps, options.seeds, options.device)
    body += f"\n\nAs many trials of {steps:,} steps. {spent}"
    print(body)
    if options.write:
        write(f"study {options.device}", body, options.device)


if __name__ == "__main__":
    main()
