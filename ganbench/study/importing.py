"""Imports of PyTorch and its like, which make a million objects that stay."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def without_collection() -> Iterator[None]:
    """Let nobody look for garbage inside; what is there at the end is looked through no more.

    For imports: looking through what they make, again and again, takes a quarter of their time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def import_quickly(name: str) -> None:
    """Import a module so, if it has not been imported."""
    if name not in sys.modules:
        with without_collection():
            import_module(name)
