"""The images themselves.

How to use: ``extractor: pixels``. For quick tests, and for images whose meaning is where which
pixel is light, such as bars or points; it needs no weights and no labels.

Parameters: ``size``: pixels of the longer side that larger images are made smaller to.

Details and trade-offs: grey levels over 255, each channel of each pixel a feature. Images whose
longer side is over ``size`` are resized, bilinear with antialiasing: 28×28 becomes 16×16, 256
features. The Fréchet distance then compares mean images and their covariance: it sees
brightness, blur and noise, knows nothing of what is shown, and counts an image shifted by a
pixel as another one. No published number compares with it.
"""

from typing import Any

from torch import Tensor
from torch.nn.functional import interpolate

from ganbench.plugin import Annotated, Data, Extractor, ExtractorContext, ExtractorParameters, Field


class PixelsExtractor(Extractor):
    """Pixels as they are, of large images made small; for quick tests."""

    name = "pixels"

    class Parameters(ExtractorParameters):
        """Parameters of `PixelsExtractor`."""

        size: Annotated[int, Field(ge=2, le=64)] = 16
        """Pixels of the longer side of an image, if it is larger."""

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need images."""
        return (True, "") if data.is_image else (False, "it takes images, and these are points")

    def prepare(self, ctx: ExtractorContext) -> None:
        """Work out the size."""
        height, width = ctx.data.shape[1:]
        scale = min(1.0, self.parameters.size / max(height, width))
        self._shape = max(1, round(height * scale)), max(1, round(width * scale))
        self._resized = scale < 1
        self._device = ctx.device

    def features(self, items: Tensor) -> Tensor:
        """Return grey levels from 0 to 1, shape (items, channels × height × width)."""
        images = items.to(self._device).float() / 255
        if self._resized:
            images = interpolate(images, self._shape, mode="bilinear", antialias=True)
        return images.flatten(1)

    def protocol(self) -> dict[str, Any]:
        """Return the layer's name and the size."""
        height, width = self._shape
        return {
            "layer": "pixels, 0 to 1",
            "resize": f"{height}×{width} pixels, bilinear, with antialiasing"
            if self._resized
            else "none",
        }
