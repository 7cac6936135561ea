"""The coordinates of points themselves.

How to use: ``extractor: coordinates``, for the mixtures of Gaussians.

Parameters: none.

Details and trade-offs: the Fréchet distance then sees only the mean and covariance of the
whole cloud: a generator that misses the modes but keeps both scores well. Read it beside
``modes``.
"""

from typing import Any

from torch import Tensor

from ganbench.plugin import Data, Extractor


class CoordinatesExtractor(Extractor):
    """Points as they are; for data that are not images."""

    name = "coordinates"

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need points."""
        return (False, "it takes points, and these are images") if data.is_image else (True, "")

    def features(self, items: Tensor) -> Tensor:
        """Return the points, float32."""
        return items.float()

    def protocol(self) -> dict[str, Any]:
        """Return the layer's name."""
        return {"layer": "coordinates", "resize": "none"}
