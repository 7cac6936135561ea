"""Resizing of whole uint8 data sets, for the data sets that are square already."""

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 2048
"""Images resized at once: bounds the memory that their float copies take."""


def resize(images: Tensor, size: int) -> Tensor:
    """Resize to ``size`` by ``size``: bilinear, antialiased when it shrinks, rounded.

    The triangle filter is widened by the shrinking factor (what Pillow does too), so that no
    detail finer than the new grid is aliased into it; it never overshoots, so a black
    background stays black.

    Parameters
    ----------
    images : Tensor, shape (items, channels, height, width), uint8
    size : int

    Returns
    -------
    Tensor, shape (items, channels, size, size), uint8
        ``images`` itself if it has that size.
    """
    if images.shape[-2:] == (size, size):
        return images
    resized = images.new_empty((*images.shape[:2], size, size))
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK].float()
        smooth = F.interpolate(chunk, (size, size), mode="bilinear", antialias=True)
        resized[start : start + CHUNK] = smooth.round_().clamp_(0, 255).to(torch.uint8)
    return resized


def resize_note(native: int, size: int) -> tuple[str, ...]:
    """Return what a report should say of a resize from ``native`` to ``size``, if anything."""
    if native == size:
        return ()
    return (f"resized from {native}×{native} to {size}×{size} (bilinear, antialiased)",)
