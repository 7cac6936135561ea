"""Imports of PyTorch and its like, which make a million objects that stay."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Let nobody look for garbage among what is imported inside, then or ever after.

    Looking through it again and again takes a third of the time that importing takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
