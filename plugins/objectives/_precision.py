"""Losses in single precision at least, whatever precision the networks run in."""

import torch
from torch import Tensor


def at_least_single(logits: Tensor) -> Tensor:
    """Return D's outputs as float32 if they are narrower, such as bfloat16 under autocast.

    PyTorch's cross-entropy does so by itself. Differences, squares and means of outputs do
    not: in bfloat16, with its 8 bits, a loss near 1 would move in steps of 1 / 128.
    """
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
