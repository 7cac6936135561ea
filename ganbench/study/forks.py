"""The process that workers on a CPU are forks of: it has imported what they need, and no more."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ganbench.study.compute import worker_environment

PRELOADED = ["ganbench.study.worker", "ganbench.evaluation.evaluator", "torch._dynamo"]
"""What takes a worker seconds to import; the last is what PyTorch's optimizers begin with."""


def can_fork(device: str) -> bool:
    """Say whether workers of a device are forks; CUDA's cannot be."""
    return device == "cpu" and sys.platform == "linux"


def serve() -> None:
    """Start the process, if there is none: it begins to import, and nobody waits for it."""
    from multiprocessing import forkserver  # Windows has none

    with environment_of_workers("cpu"), interrupts_ignored():
        forkserver.set_forkserver_preload(PRELOADED)
        forkserver.ensure_running()


@contextmanager
def environment_of_workers(device: str) -> Iterator[None]:
    """Add to the environment that a process started inside inherits."""
    values = worker_environment(device)
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
