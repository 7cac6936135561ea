"""Between images as they are stored, uint8, and as networks see them, in [-1, 1]."""

import torch
from torch import Tensor


def normalise(items: Tensor) -> Tensor:
    """Map uint8 images to float32 in [-1, 1]; points, already float, pass unchanged.

    Parameters
    ----------
    items : Tensor, shape (batch, *shape), uint8 or float32
    """
    if items.dtype == torch.uint8:
        return items.float().mul_(2 / 255).sub_(1)
    return items


def quantise(images: Tensor) -> Tensor:
    """Map images in [-1, 1] to uint8 as saving them would: clamp, round to nearest.

    Parameters
    ----------
    images : Tensor, shape (batch, channels, height, width)
    """
    return images.float().add(1).mul(255 / 2).round().clamp(0, 255).to(torch.uint8)
