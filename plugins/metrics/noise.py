"""Noise of the samples beside the data's: isolated points, and grain.

How to use: ``metrics: [fid, noise]``, on images of 8 pixels or more.

Parameters: ``threshold``: grey levels, of 255, by which a noise point stands out.

Details and trade-offs: a noise point is a pixel that differs by more than the threshold from the
median of its 8 neighbours, and from at least 7 of them each: an isolated one, or one of two side
by side. The second condition spares strokes of one pixel's width, not their ends, nor thin
dots, so the data have such points too. ``noise_points`` is their share of the samples' pixels
over their share of the data's; half a point is added to both counts, so that a set without any
has a ratio too. ``noise_level`` is the standard deviation of additive noise as Immerkær
estimates it, averaged over images and channels, over the data's: it takes fine structure for
noise, which the ratio sets right as far as samples have the data's structure. 1: as the data. Below
1 is possible, as blurred samples have less noise than the data. So a study that asks who has
fewer points is judged by ``noise_points``, and one that asks who is nearer to the data by
``noise_points_gap`` or ``noise_level_gap``, |ln| of the ratios. Pixels of the border count
neither way. Cost: small.

Attribution: Immerkær, 1996, "Fast noise variance estimation" (the form with absolute values).
That points of impulse noise are known by the median, and by how many neighbours are like them, is
common (Garnett et al., 2005, compare with the four nearest in value); the rule and the ratios
are ours.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ganbench.plugin import (
    Annotated,
    Data,
    Field,
    Metric,
    MetricContext,
    MetricParameters,
)

from ._images import in_batches, log_ratio_gap, takes_images
from ._once import OfData

FEWEST = 7
"""Neighbours, of 8, that a noise point stands out from."""


class Noise(NamedTuple):
    """Of a set of images."""

    points: int
    pixels: int
    """Pixels with 8 neighbours, in all channels."""
    level: float
    """Estimated standard deviation of additive noise, in grey levels; mean over images."""


def neighbours_of(images: Tensor) -> Tensor:
    """Return the 8 neighbours of the pixels within: (8, items, channels, height-2, width-2)."""
    height, width = images.shape[-2:]
    return torch.stack(
        [
            images[..., row : height - 2 + row, column : width - 2 + column]
            for row in range(3)
            for column in range(3)
            if (row, column) != (1, 1)
        ]
    )


def noise_of(images: Tensor, threshold: float) -> Noise:
    """Measure images of 3 pixels or more.

    Parameters
    ----------
    images : Tensor, shape (items, channels, height, width), uint8
    threshold : float
        In grey levels.
    """
    points, levels = 0, 0.0
    for batch in in_batches(images):
        inside, around = batch[..., 1:-1, 1:-1], neighbours_of(batch)
        alone = ((inside - around).abs() > threshold).sum(dim=0) >= FEWEST
        ordered = around[:, alone].sort(dim=0).values
        from_median = inside[alone] - (ordered[3] + ordered[4]) / 2
        points += int((from_median.abs() > threshold).sum())
        corners, sides = around[[0, 2, 5, 7]].sum(dim=0), around[[1, 3, 4, 6]].sum(dim=0)
        mask = corners - 2 * sides + 4 * inside
        levels += float(mask.abs().mean(dim=(2, 3)).sum()) * math.sqrt(math.pi / 2) / 6
    planes = images.shape[0] * images.shape[1]
    height, width = images.shape[-2:]
    return Noise(points, planes * (height - 2) * (width - 2), levels / planes)


class NoiseOfImages(Metric):
    """Isolated points, and the level of additive noise, as ratios to the data's."""

    name = "noise"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "noise_points": "share of the samples' pixels that are isolated points, `threshold` grey "
        "levels (64 unless set) off their surroundings, over the data's share; 1 as in the data, "
        "lower is fewer",
        "noise_points_share": "that share itself, 0 to 1",
        "noise_level": "estimated standard deviation of noise in the samples (Immerkær) over the "
        "data's; 1 as in the data",
        "noise_points_gap": "|ln noise_points|; 0 is best, lower is better",
        "noise_level_gap": "|ln noise_level|; 0 is best, lower is better; left out, as "
        "noise_level is, where samples or data have no noise at all",
    }
    lower_is_better = ("noise_points", "noise_points_gap", "noise_level_gap")

    class Parameters(MetricParameters):
        """Parameters of `NoiseOfImages`."""

        threshold: Annotated[float, Field(gt=0, lt=255)] = 64
        """Grey levels, of 255, by which a point stands out from its neighbours."""

    def __init__(self, parameters: MetricParameters) -> None:
        super().__init__(parameters)
        self._of_data = OfData(lambda ctx: self._measure(ctx.data.items))

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need images with an inside."""
        return takes_images(data, least=8)

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the ratios that are defined."""
        data, samples = self._of_data(ctx), self._measure(ctx.samples)
        ours, theirs = ((each.points + 0.5) / each.pixels for each in (samples, data))
        figures = {
            "noise_points": ours / theirs,
            "noise_points_share": samples.points / samples.pixels,
            "noise_points_gap": log_ratio_gap(ours / theirs),
        }
        if samples.level and data.level:
            figures["noise_level"] = samples.level / data.level
            figures["noise_level_gap"] = log_ratio_gap(figures["noise_level"])
        return figures

    def _measure(self, images: Tensor) -> Noise:
        return noise_of(images, self.parameters.threshold)
