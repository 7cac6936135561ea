"""Vendi score: how many different samples there are, in effect.

How to use: ``metrics: [fid, vendi]``, on images; ``extractor`` says in which features.

Parameters: none.

Details and trade-offs: the exponential of the Shannon entropy of the eigenvalues of K/n, K
being the cosines between the samples' features. 1 if all point one way, n if all are at right
angles. It asks nothing of the data: noise is diverse too, so it stands beside the score of as
many data items, ``vendi_data``, and a generator with a score far above that makes what the
data have not. Features that are never negative, as those of both built-in extractors, have
cosines above 0 and scores far below n. It grows with n: compare at one. Cost: the eigenvalues
of the smaller of n×n and width×width; with 2,048 features seconds on a core.

Attribution: Friedman and Dieng, 2023, definition 3.1; over features: section 3, "Calculating
Vendi Score", which takes the smaller Gram matrix.
"""

import torch
from torch import Tensor

from ganbench.plugin import Data, Metric, MetricContext, MetricParameters

from ._features import in_double
from ._once import OfData


def vendi_score(features: Tensor) -> float | None:
    """Return the effective number of items under the cosine kernel, from 1 to their number.

    Parameters
    ----------
    features : Tensor, shape (items, width)

    Returns
    -------
    float or None
        None if an item's features are all 0, which have a cosine with nothing.
    """
    features = in_double(features)
    lengths = features.norm(dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        return None
    directions = features / lengths
    count, width = directions.shape
    gram = directions.T @ directions if width < count else directions @ directions.T
    shares = torch.linalg.eigvalsh(gram / count).clamp(min=0)
    return float(torch.special.entr(shares).sum().exp())


class Vendi(Metric):
    """Effective number of different samples, beside that of as many data items."""

    name = "vendi"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "vendi": "Vendi score, the effective number of different samples by the cosines of their "
        "features; 1, all alike, to the number of samples; best near vendi_data; left out "
        "where a sample's features are all 0",
        "vendi_data": "the same of a fixed draw of as many data items: a yardstick",
    }

    def __init__(self, parameters: MetricParameters) -> None:
        super().__init__(parameters)
        self._of_data = OfData(lambda ctx: vendi_score(ctx.reference_features()))

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need images: a cosine of coordinates depends on where the origin is."""
        if data.is_image:
            return True, ""
        return False, "it compares directions of features, and these are points"

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return both scores, where defined."""
        scores = {
            "vendi": vendi_score(ctx.features),
            "vendi_data": self._of_data(ctx),
        }
        return {key: score for key, score in scores.items() if score is not None}
