"""How often to do what takes the longer, the longer a study is."""

import time
from collections.abc import Generator
from contextlib import contextmanager

REST_SHARE = 10
"""So many times as long as it took is waited until it is done again."""


class Pace:
    """Spaces out something that takes time, so that it never takes most of it.

    Parameters
    ----------
    seconds : float
        Of rest, at least.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._next = seconds, 0.0

    @property
    def is_due(self) -> bool:
        """Whether there was a rest since the last one."""
        return time.monotonic() >= self._next

    @contextmanager
    def taken(self) -> Generator[None]:
        """Do it once, inside."""
        began = time.monotonic()
        yield
        ended = time.monotonic()
        self._next = ended + max(self._seconds, REST_SHARE * (ended - began))
