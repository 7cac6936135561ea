"""Random streams, the composed step, the loop, checkpoints."""

from ganbench.training.checkpoint import load, save
from ganbench.training.errors import CheckpointError, HookError, NotApplicableError
from ganbench.training.networks import torch_device
from ganbench.training.trial import Trial

__all__ = [
    "CheckpointError",
    "HookError",
    "NotApplicableError",
    "Trial",
    "load",
    "save",
    "torch_device",
]
