"""Imported by the process that workers are forks of: what would take each of them seconds.

It will end at once: to take PyTorch and its like apart, object by object, takes a second, in which
whoever reads the output of ``ganbench`` waits for its end.
"""

import atexit
import os
from contextlib import suppress
from importlib import import_module

from ganbench.study.importing import without_collection

with without_collection():
    for name in ("ganbench.study.worker", "ganbench.evaluation.evaluator", "torch._dynamo"):
        import_module(name)
    from ganbench.plugin import Host

    with suppress(Exception):  # a plugin's own, which whoever meets it says
        Host()

atexit.register(os._exit, 0)
