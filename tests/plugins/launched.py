"""Cheap commands for launchers to start: idempotent, and easy to ask what became of them."""

import sys
import time

WORK = """
import os, pathlib, signal, sys, time
folder, items, seconds = pathlib.Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
def stop(*_):
    (folder / f"stopped-{os.getpid()}").touch()
    sys.exit(5)
signal.signal(signal.SIGTERM, stop)
(folder / f"began-{os.getpid()}").touch()
print("at work", os.environ.get("GREETING"), flush=True)
for item in range(items):
    done = folder / f"item-{item}"
    if not done.exists():
        time.sleep(seconds)
        done.touch()
(folder / f"finished-{os.getpid()}").touch()
"""


def work(folder, items=3, seconds=0.05):
    """A worker: it does what is not done yet, and ends when there is no more."""
    return [sys.executable, "-c", WORK, str(folder), str(items), str(seconds)]


def found(folder, what):
    return sorted(path.name for path in folder.glob(f"{what}-*"))


def pids(folder, what):
    return [int(name.partition("-")[2]) for name in found(folder, what)]


def until(condition, seconds=60.0):
    """Wait for a condition; the machine may be slow."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return answer


def ended(launcher, handles):
    """Wait for the end of all; return their states and details."""

    def over():
        states = launcher.poll(handles)
        assert set(states) == set(handles)
        return all(one.state in ("done", "failed") for one in states.values()) and states

    return until(over)
