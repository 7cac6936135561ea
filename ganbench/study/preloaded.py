"""Imported by the process that workers are forks of: what would take each of them seconds.

It will end at once: to take PyTorch and its like apart, object by object, takes a second, in which
whoever reads the output of ``ganbench`` waits for its end.
"""

import atexit
import os
from importlib import import_module
from importlib.metadata import distribution

from ganbench.study.importing import without_collection

with without_collection():
    for name in ("ganbench.study.worker", "ganbench.evaluation.evaluator", "torch._dynamo"):
        import_module(name)
    # Those of others may do at their import what is not to be shared, such as start a thread.
    for plugin in distribution("ganbench").entry_points.select(group="ganbench"):
        plugin.load()

atexit.register(os._exit, 0)
