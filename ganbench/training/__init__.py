"""Random streams, the composed step, the loop, checkpoints."""

from ganbench.training.checkpoint import dump, load
from ganbench.training.errors import (
    CheckpointError,
    HookError,
    NonFiniteError,
    NotApplicableError,
)
from ganbench.training.looking import trained_discriminator
from ganbench.training.tracing import Call, traced
from ganbench.training.trial import Trial

__all__ = [
    "Call",
    "CheckpointError",
    "HookError",
    "NonFiniteError",
    "NotApplicableError",
    "Trial",
    "dump",
    "load",
    "traced",
    "trained_discriminator",
]
