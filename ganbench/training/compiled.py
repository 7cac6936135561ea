"""Captured steps compiled by PyTorch's compiler: once for each graph in a process."""

from collections.abc import Callable, Sequence
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

    with settings.patch(deterministic=torch.are_deterministic_algorithms_enabled()):
        function: Function = torch._inductor.compile(graph, arguments)
    return function


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
        """Refuse no device: whether there is a compiler for it shows when it is asked."""

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
