"""What computes captured steps, by its name in a study file."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from ganbench.training.capture import Captured, CaptureError
from ganbench.training.captured import Backend
from ganbench.training.compiled import Compiled
from ganbench.training.graph import Function
from ganbench.training.graphed import Graphed


class AsTraced:
    """A back end: graphs as they were traced, operation by operation."""

    name, keeps_fused = "eager", False

    def refuse(self, device: torch.device) -> None:
        """Refuse no device."""

    def prepare(self, captured: Captured, arguments: Sequence[Tensor]) -> Function:
        """Return the graph."""
        return captured.graph


BACKENDS: Mapping[str, Callable[[], Backend]] = {"compiled": Compiled, "graphed": Graphed}


def backend_of(name: str) -> Backend | None:
    """Return a back end; None for ``eager``."""
    return BACKENDS[name]() if name in BACKENDS else None


def refusal(name: str, device: torch.device) -> str | None:
    """Say why a back end can do nothing on a device; None if it may, whatever it is asked."""
    backend = backend_of(name)
    if backend is not None:
        try:
            backend.refuse(device)
        except CaptureError as error:
            return str(error)
    return None
