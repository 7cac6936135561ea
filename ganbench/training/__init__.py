"""Random streams, the composed step, the loop, checkpoints."""

from ganbench.training.backends import refusal
from ganbench.training.checkpoint import dump, load
from ganbench.training.errors import (
    CheckpointError,
    HookError,
    NonFiniteError,
    NotApplicableError,
)
from ganbench.training.kept import KeptGenerator, dump_generator, read_generator
from ganbench.training.looking import trained_discriminator
from ganbench.training.together import Company, Together, first_of_each_row, row_of
from ganbench.training.tracing import Call, traced
from ganbench.training.trial import Trial
from ganbench.training.watching import watch

__all__ = [
    "Call",
    "CheckpointError",
    "Company",
    "HookError",
    "KeptGenerator",
    "NonFiniteError",
    "NotApplicableError",
    "Together",
    "Trial",
    "dump",
    "dump_generator",
    "first_of_each_row",
    "load",
    "read_generator",
    "refusal",
    "row_of",
    "traced",
    "trained_discriminator",
    "watch",
]
