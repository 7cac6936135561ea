"""Sharpness of the samples beside the data's: variance of the Laplacian, mean gradient.

How to use: ``metrics: [fid, sharpness]``, on images of 8 pixels or more.

Parameters: none.

Details and trade-offs: ``sharpness`` is the variance over an image of its Laplacian (a pixel's
four neighbours less four times itself), averaged over images and channels, as a ratio to the
data's; ``gradient`` the mean length of the gradient (central differences, grey levels a
pixel), likewise. 1: as the data; below, blurred. Noise is steep too, and the Laplacian sees it
more than edges: read both beside ``noise``. A ratio above 1 is no praise, so a study is judged by
``sharpness_gap``, |ln sharpness|, which counts twice as sharp like half as sharp. All are
left out where the images are flat, and ``gradient`` where the data have none (a checkerboard of
single pixels has a Laplacian alone). Pixels of the border have no Laplacian and no gradient.
Cost: next to none.

Attribution: Pech-Pacheco et al., 2000, "Diatom autofocusing in brightfield microscopy" (the
variance of the Laplacian). The ratios are ours.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ganbench.plugin import Data, Metric, MetricContext, MetricParameters

from ._images import in_batches, log_ratio_gap, takes_images
from ._once import OfData


class Sharpness(NamedTuple):
    """Means over images and channels."""

    laplacian_variance: float
    """In squared grey levels."""
    gradient: float
    """In grey levels a pixel."""


def sharpness_of(images: Tensor) -> Sharpness:
    """Measure images of 3 pixels or more, uint8, (items, channels, height, width)."""
    variances = gradients = 0.0
    for batch in in_batches(images):
        middle = batch[..., 1:-1, 1:-1]
        up, down = batch[..., :-2, 1:-1], batch[..., 2:, 1:-1]
        left, right = batch[..., 1:-1, :-2], batch[..., 1:-1, 2:]
        laplacian = up + down + left + right - 4 * middle
        variances += float(laplacian.flatten(2).var(dim=2, correction=0).sum())
        lengths = torch.hypot(down - up, right - left) / 2
        gradients += float(lengths.mean(dim=(2, 3)).sum())
    planes = images.shape[0] * images.shape[1]
    return Sharpness(variances / planes, gradients / planes)


class SharpnessOfImages(Metric):
    """Variance of the Laplacian, and mean gradient, as ratios to the data's."""

    name = "sharpness"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "sharpness": "variance of the samples' Laplacian over the data's; 1 as sharp as the data, "
        "less where blurred, more where noisy",
        "gradient": "mean length of the samples' grey-level gradient over the data's; 1 as in the "
        "data; left out where these have none",
        "sharpness_gap": "|ln sharpness|; 0 is best, lower is better",
    }
    lower_is_better = ("sharpness_gap",)

    def __init__(self, parameters: MetricParameters) -> None:
        super().__init__(parameters)
        self._of_data = OfData(lambda ctx: sharpness_of(ctx.data.items))

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need images with an inside."""
        return takes_images(data, least=8)

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the ratios; nothing where samples or data are flat."""
        data, samples = self._of_data(ctx), sharpness_of(ctx.samples)
        # A plane that slopes evenly has a gradient and no Laplacian.
        if not (data.laplacian_variance and samples.laplacian_variance):
            return {}
        ratio = samples.laplacian_variance / data.laplacian_variance
        figures = {"sharpness": ratio, "sharpness_gap": log_ratio_gap(ratio)}
        if data.gradient:
            figures["gradient"] = samples.gradient / data.gradient
        return figures
