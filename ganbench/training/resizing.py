"""Nearest-neighbour doubling of maps and the 3×3 convolution behind it, as one operation.

Four neighbouring pixels of a doubled map are one pixel of the map before, so of nine products
with a weight each output pixel needs four, with sums of weights: a transposed 4×4 convolution
with stride 2. With few output channels it is a 3×3 convolution with four times as many, whose
maps are interleaved (Shi et al. 2016, section 3.2; Aitken et al. 2017, section 3.2, on the kernels
that the two have in common).
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEW = 4
"""At most so many output channels are interleaved: libraries compute at least 16 at a time."""
TRANSPOSED = ((0, 0, 1), (0, 1, 1), (1, 1, 0), (1, 0, 0))
"""Which rows of the 3×3 kernel make each row of the transposed one."""
INTERLEAVED = (((1, 0, 0), (0, 1, 1), (0, 0, 0)), ((0, 0, 0), (1, 1, 0), (0, 0, 1)))
"""The same for the kernels of the even and of the odd output rows."""


class DoublingConv2d(nn.Conv2d):
    """A resizing and the convolution behind it; where it does not double, one after the other.

    Parameters
    ----------
    resize : Upsample
        Nearest neighbour.
    conv : Conv2d
        3×3 with padding 1; its weights become this layer's own.
    """

    sums: Tensor

    def __init__(self, resize: nn.Upsample, conv: nn.Conv2d) -> None:
        super().__init__(conv.in_channels, conv.out_channels, 3, padding=1, device="meta")
        self.resize = resize
        self.weight, self.bias = conv.weight, conv.bias
        self.train(conv.training)
        weight = conv.weight
        rows = torch.tensor(
            INTERLEAVED if self.out_channels <= FEW else (TRANSPOSED,),
            dtype=weight.dtype,
            device=weight.device,
        )
        sums = torch.einsum("ats,bur->srabtu", rows, rows).reshape(9, -1)
        self.register_buffer("sums", sums, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolved maps, twice as large."""
        if not self._doubles(x):
            return super().forward(self.resize(x))
        outputs, inputs = self.weight.shape[:2]
        # Mixed precision is for the products with the maps: sums are rounded once, not twice.
        with torch.autocast(x.device.type, enabled=False):
            kernels = self.weight.reshape(outputs * inputs, 9) @ self.sums
        if outputs > FEW:
            kernels = kernels.view(outputs, inputs, 4, 4).transpose(0, 1)
            return F.conv_transpose2d(x, kernels, self.bias, stride=2, padding=1)
        kernels = kernels.view(outputs, inputs, 4, 3, 3).transpose(1, 2).flatten(0, 1)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(x, kernels, bias, padding=1), 2)

    def _doubles(self, x: Tensor) -> bool:
        if x.ndim != 4:
            return False
        if self.resize.size is None:
            return self.resize.scale_factor == 2
        return self.resize.size == (2 * x.shape[2], 2 * x.shape[3])


def merge_upsampling(net: nn.Module) -> None:
    """Have each doubling and the convolution behind it computed as one.

    That is a nearest-neighbour ``Upsample`` and a plain 3×3 convolution, one after the other in a
    ``Sequential``. The network keeps its parameters, by their names.
    """
    for block in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        for before, after in pairwise(list(block._modules)):
            resize, conv = block.get_submodule(before), block.get_submodule(after)
            if not isinstance(resize, nn.Upsample) or resize.mode != "nearest":
                continue
            # Not a subclass: a trick's own layer, or one whose weight is computed, does more.
            if type(conv) is nn.Conv2d and _is_plain(conv):
                setattr(block, before, nn.Identity())
                setattr(block, after, DoublingConv2d(resize, conv))


def _is_plain(conv: nn.Conv2d) -> bool:
    shape = (conv.kernel_size, conv.stride, conv.padding, conv.dilation)
    plain = shape == ((3, 3), (1, 1), (1, 1), (1, 1)) and conv.groups == 1
    return plain and conv.padding_mode == "zeros"
