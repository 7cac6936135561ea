"""How figures are computed: without gradients, and in float32 that is float32."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Compute as the protocol says, whatever training does; settings come back after.

    No gradients; no autocast, which a trial may have around it; and no TF32, with which cuDNN's
    convolutions keep 10 of 23 bits unless told otherwise: features then differ from a CPU's, and
    a FID with them.

    Parameters
    ----------
    device : torch.device
    """
    cudnn: Any = torch.backends.cudnn  # whose parts have no types
    backends = (cudnn.conv, torch.backends.cuda.matmul)
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "ieee"
    try:
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision
