"""Nearest-neighbour doubling of maps, without the copies that PyTorch makes of them on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_in_torch_dispatch_mode


def double(x: Tensor) -> Tensor:
    """Return each pixel of maps four times, as a square: exactly, without a gradient.

    Parameters
    ----------
    x : Tensor, shape (batch, channels, height, width)

    Returns
    -------
    Tensor, shape (batch, channels, 2 * height, 2 * width), contiguous
    """
    batch, channels, height, width = x.shape
    wide = x.new_empty(batch, channels, height, 2 * width)
    wide[..., ::2] = x
    wide[..., 1::2] = x
    return torch.cat((wide, wide), 3).view(batch, channels, 2 * height, 2 * width)


class _Double(torch.autograd.Function):
    """`double`, with the gradient that PyTorch gives its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.shape = tuple(x.shape)
        return double(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        _, _, height, width = ctx.shape
        size = (2 * height, 2 * width)
        found: Tensor = torch.ops.aten.upsample_nearest2d_backward(grad, size, ctx.shape)
        return found


class NearestUpsample(nn.Upsample):
    """``nn.Upsample`` to the nearest neighbour: the same numbers, on a CPU several times sooner.

    PyTorch's kernel for maps in their usual layout copies them into the other one and its
    result back, which takes ten times as long as the doubling itself.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return the resized maps."""
        # Who follows the operations, to compile them for instance, knows the plain one.
        if not self._doubles(x) or is_in_torch_dispatch_mode():
            return super().forward(x)
        doubled: Tensor = _Double.apply(x)
        return doubled

    def _doubles(self, x: Tensor) -> bool:
        """Say whether these are maps on a CPU, in their usual layout, to become twice as large."""
        if x.device.type != "cpu" or x.ndim != 4 or not x.is_contiguous():
            return False
        if x.is_contiguous(memory_format=torch.channels_last):
            return False  # of one pixel or channel: both layouts are one
        wanted = tuple(2 * size for size in x.shape[2:])
        return self.scale_factor == 2 if self.size is None else self.size == wanted
