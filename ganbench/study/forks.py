"""The process that workers on a CPU are forks of: it has imported what they need, and no more."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganbench.study.environment import environment_of_workers

DRIVERS = ("/dev/nvidiactl", "/dev/kfd")
"""Where there is one of these, ``auto`` is a GPU."""


def can_fork(device: str) -> bool:
    """Say whether workers of a device are forks; CUDA's cannot be."""
    return device == "cpu" and sys.platform == "linux"


def foresee(device: str) -> None:
    """Start the process before this one imports PyTorch, if workers may well be its forks.

    Both then import at the same time. Whoever knows better later leaves it alone.

    Parameters
    ----------
    device : str
        What ``--device`` says.
    """
    has_gpu = any(Path(driver).exists() for driver in DRIVERS)
    likely = device == "cpu" or (device == "auto" and not has_gpu)
    if likely and can_fork("cpu") and "torch" not in sys.modules:
        serve()


def serve() -> None:
    """Start the process, if there is none: it begins to import, and nobody waits for it."""
    from multiprocessing import forkserver  # Windows has none

    with environment_of_workers("cpu"), interrupts_ignored():
        forkserver.set_forkserver_preload(["ganbench.study.preloaded"])
        forkserver.ensure_running()


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Let a process started inside ignore Ctrl-C from its first instruction on."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not in the main thread: the worker ignores it a moment later
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
