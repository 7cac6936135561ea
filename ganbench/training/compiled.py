"""Captured steps compiled by PyTorch's compiler: once for each graph in a process."""

import logging
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, fx

from ganbench.training.capture import Captured, CaptureError, short
from ganbench.training.graph import Function

Compiler = Callable[[fx.GraphModule, list[Any]], Function]

_functions: dict[tuple[Compiler, str], Function] = {}
"""What was compiled in this process, by the graph: for an arm's other seeds, and for other
arms whose graphs come out alike."""


def inductor(graph: fx.GraphModule, arguments: list[Any]) -> Function:
    """Compile a graph with PyTorch's own compiler."""
    import torch._inductor.config as settings  # late: it takes a second

    logging.getLogger("torch.utils.cpp_extension").addFilter(_matters)
    with settings.patch(deterministic=torch.are_deterministic_algorithms_enabled()):
        function: Function = torch._inductor.compile(graph, arguments)
    return function


def _matters(record: logging.LogRecord) -> bool:
    """Hold back what every worker would say of a toolkit for CUDA that lies beside no GPU."""
    return not record.getMessage().startswith("No CUDA runtime is found")


@cache
def cpp_compiler() -> str | None:
    """Return the C++ compiler that PyTorch's compiler calls for a CPU, None if it finds none."""
    from torch._inductor.cpp_builder import get_cpp_compiler  # late: it takes a second

    try:
        return get_cpp_compiler()
    except RuntimeError:
        return None


class Compiled:
    """A back end: graphs as a compiler translates them.

    Weights and states are arguments of what is compiled, so it serves every trial whose graph
    reads the same.

    Parameters
    ----------
    compiler : callable (graph, arguments) -> callable
    """

    name, keeps_fused = "compiled", False

    def __init__(self, compiler: Compiler = inductor) -> None:
        self._compiler = compiler

    def refuse(self, device: torch.device) -> None:
        """Refuse a CPU without a C++ compiler; elsewhere it shows when one is asked.

        Raises
        ------
        CaptureError
        """
        if self._compiler is inductor and device.type == "cpu" and cpp_compiler() is None:
            raise CaptureError("PyTorch's compiler finds no C++ compiler (CXX names one)")

    def prepare(self, captured: Captured, arguments: Sequence[Tensor]) -> Function:
        """Return the compiled graph.

        Raises
        ------
        CaptureError
            If the compiler fails.
        """
        key = (self._compiler, captured.key)
        if key not in _functions:
            try:
                _functions[key] = self._compiler(captured.graph, [*arguments])
            except Exception as error:
                raise CaptureError(f"the compiler failed: {short(error)}") from error
        return _functions[key]
