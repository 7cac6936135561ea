"""A whole study against the same trials trained one after another by the copied loop.

``python benchmarks/study.py`` runs a study of three arms as ``ganbench run`` does it, with its
start, evaluations, ledger and report, and then as many trainings of as many steps by the
copied loop, which measures nothing. Both have the whole machine. From the study's own
``results.json`` it tells where the time of the workers went.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
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
NETWORK = Network("digits", "dcgan-upsample", {"width": 16}, (1, 8, 8))


def study(folder: Path, steps: int, seeds: int, device: str) -> tuple[float, dict[str, Any]]:
    """Run the study; return its wall time in seconds, and its results."""
    path = folder / "timed.yaml"
    path.write_text(STUDY.format(steps=steps, every=max(1, steps // 6), seeds=seeds))
    began = time.perf_counter()
    program = str(Path(sys.executable).with_name("ganbench"))
    command = [program, "run", str(path), "--device", device]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    wall = time.perf_counter() - began
    return wall, json.loads((folder / "reports/timed/results.json").read_text())


def one_after_another(steps: int, trials: int, device: str, start_method: str) -> float:
    """Return the wall time in seconds of the copied loop's trainings, in a process of its own."""
    # A DataLoader starts its workers as it would in a script of one's own.
    multiprocessing.set_start_method(start_method, force=True)
    began = time.perf_counter()
    for _ in range(trials):
        copied(NETWORK, device)(steps)
    return time.perf_counter() - began


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
        wall, results = study(Path(folder), options.steps, options.seeds, options.device)
    print(f"ganbench: {wall:.1f} s", flush=True)
    context = multiprocessing.get_context("spawn")
    with threads(None), ProcessPoolExecutor(1, mp_context=context) as process:
        method = multiprocessing.get_start_method()
        turn = process.submit(one_after_another, options.steps, trials, options.device, method)
        reference = turn.result()
    workers = results["environment"]["workers"]
    training = sum(trial["training_seconds"] for trial in results["trials"])
    measuring = sum(trial["evaluation_seconds"] for trial in results["trials"])
    rest = wall * workers - training - measuring
    rows = [
        ("ganbench run", f"{wall:.1f}", f"{trials * 3600 / wall:,.0f}", f"{reference / wall:.1f}×"),
        ("copied loop", f"{reference:.1f}", f"{trials * 3600 / reference:,.0f}", "1.0×"),
    ]
    body = table(("", "wall time, s", "trials an hour", "ratio"), rows)
    body += (
        f"\n\n{trials} trials of {options.steps} steps. Of the {workers} workers' time, "
        f"{training / wall / workers:.0%} went into training, {measuring / wall / workers:.0%} "
        f"into evaluations ({measuring / training:.1%} of training), and "
        f"{rest / wall / workers:.0%} into starting, the reference, the ledger and the report: "
        f"{rest / workers:.1f} s of wall time."
    )
    print(body)
    if options.write:
        write(f"study {options.device}", body, options.device)


if __name__ == "__main__":
    main()
