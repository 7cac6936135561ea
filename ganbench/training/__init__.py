"""Random streams, the composed step, the loop, checkpoints."""

from ganbench.training.checkpoint import load, save
from ganbench.training.errors import (
    CheckpointError,
    HookError,
    NonFiniteError,
    NotApplicableError,
)
from ganbench.training.trial import Trial

__all__ = [
    "CheckpointError",
    "HookError",
    "NonFiniteError",
    "NotApplicableError",
    "Trial",
    "load",
    "save",
]
