"""Interrupts, for schedulers that stop what they started by one."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Generator[None]:
    """Let processes that are started inside be stopped by an interrupt.

    A shell's background job ignores interrupts, and so does all that it starts: then neither
    Ray nor submitit's own executor could stop anything.
    """
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
