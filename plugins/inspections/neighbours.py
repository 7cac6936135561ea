"""The training images nearest to samples: whether G has copied the data.

How to use: on by default; ``extractor`` says in which features.

Parameters: ``samples``, how many samples are searched.

Technical details and trade-offs: Euclidean distances in the features of the study's extractor,
from samples to the data, all of them, or a fixed draw where their features take more than 128
MiB (the caption says so). Shown are the samples that lie nearest to a training image, the
likeliest copies, and then the first samples, which nobody chose. Beside the distances stands how
far training images lie from *their* nearest, in the median and at the nearest hundredth: a
generator that makes new images has distances like those, one that copies has distances near 0. In
the classifier's features an image is near another one that says the same to it, whatever the
pixels: look at the images before you believe a number. This shows; a test of memorisation is a
metric's.

Attribution: neighbours in pixels, to rule out copies: Goodfellow et al., 2014, figure 2; in
features: Brock, Donahue and Simonyan, 2019, appendix A.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganbench.plugin import (
    Annotated,
    Field,
    Inspection,
    InspectionContext,
    InspectionParameters,
    NothingToShowError,
    Picture,
)

from ..metrics._features import in_double, nearest
from ._latents import images_of

NEAREST = 3
"""Training images shown beside a sample."""
ORDINALS = ("2nd", "3rd")
ROWS = 4
"""Samples of either kind."""


def nearest_features(queries: Tensor, features: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return distances to, and places of, the nearest features of each query, nearest first.

    Parameters
    ----------
    queries, features : Tensor, shapes (n, width) and (m, width)
    count : int
        At most m.

    Returns
    -------
    tuple of Tensor, both of shape (n, count): float64 and int64
    """
    squares, places = nearest(in_double(queries), in_double(features), count)
    return squares.sqrt(), places


class Neighbours(Inspection):
    """Samples beside their nearest training images."""

    name = "neighbours"
    title = "Nearest training images"
    order = 40
    compares_with_data = True
    note = (
        "On the left of each row a sample, beside it the three training images nearest to it, in "
        "the extractor's features. If the generator makes images of its own, the neighbours are "
        "images of the same kind, but never the same. A copy stands beside itself: sample and "
        "nearest image agree to the last detail, and their distance, the row's label, is far "
        "below what nearly all training images keep from each other. The first rows are the "
        "samples that lie nearest to any training image, where copies would show first."
    )

    class Parameters(InspectionParameters):
        """Parameters of `Neighbours`."""

        samples: Annotated[int, Field(ge=2 * ROWS, le=20_000)] = 500
        """Samples that are searched for the nearest to a training image."""

    def draw(self, ctx: InspectionContext) -> Mapping[str, Picture]:
        places, features = ctx.data_features()
        if len(features) <= NEAREST:
            raise NothingToShowError(f"there are {len(features)} training images")
        images = images_of(ctx.sampler, ctx.sampler.latents(self.parameters.samples)).cpu()
        distances, found = nearest_features(ctx.features(images).cpu(), features, NEAREST)
        usual, _ = nearest_features(features[: self.parameters.samples], features, 2)
        closest = distances[:, 0].argsort()[:ROWS].tolist()
        others = [index for index in range(len(images)) if index not in closest][:ROWS]
        shown = [*closest, *others]
        items = ctx.data.items[places[found[shown]].flatten().to(ctx.data.items.device)]
        beside = (items.cpu().float() / 127.5 - 1).reshape(len(shown), NEAREST, *ctx.data.shape)
        whole = len(features) == len(ctx.data.items)
        among = f"{len(features):,}" if whole else f"{len(features):,} of {len(ctx.data.items):,}"
        caption = (
            f"The {ROWS} of {len(images)} samples that lie nearest to a training image, then the "
            f"first {len(others)} of the others, among {among} training images. Row labels: "
            f"distance to the nearest; its median over the samples is "
            f"{distances[:, 0].median():.3g}. Of training images, half have another within "
            f"{usual[:, 1].quantile(0.5):.3g}, and one in a hundred within "
            f"{usual[:, 1].quantile(0.01):.3g}."
        )
        picture = Picture(
            torch.cat([images[shown][:, None], beside], 1),
            caption,
            row_labels=tuple(f"{distances[index, 0]:.3g}" for index in shown),
            column_labels=("sample", "nearest", *ORDINALS),
        )
        return {"nearest": picture}
