"""What computes captured steps, by its name in a study file."""

from collections.abc import Callable, Mapping

from ganbench.training.captured import Backend
from ganbench.training.compiled import Compiled
from ganbench.training.graphed import Graphed

BACKENDS: Mapping[str, Callable[[], Backend]] = {"compiled": Compiled, "graphed": Graphed}


def backend_of(name: str) -> Backend | None:
    """Return a back end; None for ``eager``."""
    return BACKENDS[name]() if name in BACKENDS else None
