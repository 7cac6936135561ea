"""Metrics of the pixels themselves, as ratios to the data's."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ganbench.plugin import Data

BATCH = 2**18
"""Pixels at once: 2 MB in float64."""


def takes_images(data: Data, least: int) -> tuple[bool, str]:
    """Say whether the data are images of some pixels in height and width, and if not, why."""
    if not data.is_image:
        return False, "it takes images, and these are points"
    height, width = data.shape[1:]
    if min(height, width) < least:
        return False, f"it takes images of {least} pixels or more, and these have {height}×{width}"
    return True, ""


def in_batches(images: Tensor) -> Iterator[Tensor]:
    """Yield uint8 images as float64, 0 to 255; from MPS on the CPU, as it has no float64."""
    for batch in torch.split(images, max(1, BATCH // images[0].numel())):
        yield (batch.cpu() if batch.device.type == "mps" else batch).double()


def log_ratio_gap(ratio: float) -> float:
    """Return the absolute natural logarithm: how far a ratio is from 1, either way."""
    return abs(math.log(ratio))
