"""How figures are computed: without gradients, and in float32 that is float32."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ganbench.training.arithmetic import float32_products


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Compute as the protocol says, whatever training does; settings come back after.

    No gradients; no autocast, which a trial may have around it; and no TF32, whatever
    ``execution.tf32`` says: features would differ from a CPU's, and a FID with them.

    Parameters
    ----------
    device : torch.device
    """
    with (
        float32_products(tf32=False),
        torch.no_grad(),
        torch.autocast(device.type, enabled=False),
    ):
        yield
