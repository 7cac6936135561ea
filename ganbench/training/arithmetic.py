"""In which precision a trial computes: by autocast, and by how CUDA multiplies float32 numbers."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal

import torch

from ganbench.config.model import Execution


@contextmanager
def float32_products(tf32: bool) -> Iterator[None]:
    """Choose inside; settings come back after. Without effect on other devices than CUDA's.

    TensorFloat-32 keeps 10 of float32's 23 bits of each factor, and sums in float32: "CUDA
    semantics" in PyTorch's notes. Products are those of matrices, convolutions and recurrent
    layers.

    Parameters
    ----------
    tf32 : bool
    """
    cudnn: Any = torch.backends.cudnn  # whose parts have no types
    backends = (cudnn.conv, cudnn.rnn, torch.backends.cuda.matmul)
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "tf32" if tf32 else "ieee"
    try:
        yield
    finally:
        for backend, precision in zip(backends, before, strict=True):
            backend.fp32_precision = precision


class Arithmetic:
    """A trial's contexts to compute in.

    Parameters
    ----------
    settings : Execution
    device : torch.device
    """

    def __init__(self, settings: Execution, device: torch.device) -> None:
        self._settings, self._device = settings, device

    @property
    def precision(self) -> Literal["off", "tf32", "bf16"]:
        """Of the products in forward passes; ``off`` is float32."""
        if self._settings.amp == "bf16":
            return "bf16"
        return "tf32" if self._device.type == "cuda" and self._settings.tf32 else "off"

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context of forward passes."""
        if self._settings.amp == "bf16":
            return torch.autocast(self._device.type, torch.bfloat16)
        return nullcontext()

    def products(self) -> AbstractContextManager[None]:
        """Return the context of whole steps, backward passes and all."""
        if self._device.type == "cuda":
            return float32_products(self._settings.tf32)
        return nullcontext()

    @contextmanager
    def sampling(self) -> Iterator[None]:
        """Give the context of forward passes that belong to no step."""
        with self.products(), self.autocast():
            yield
