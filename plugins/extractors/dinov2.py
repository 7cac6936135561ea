"""DINOv2: features of a vision transformer that learned without labels.

How to use: ``extractor: dinov2``, after ``pip install 'ganbench[dinov2]'``. The weights (88 MB
small, 346 MB base, 1.2 GB large; Apache 2.0) come from torch hub's cache, are downloaded
there on first use, or are read from a path: ``extractor: {name: dinov2, weights: FILE}``.

Parameters: ``model``: large (1,024 features, the one that papers report), base (768) or small
(384); ``weights``, a file, as Meta publishes it; ``expected_hash``, the start of the SHA-256
of weights other than Meta's, which are refused without it.

Details and trade-offs: the class token after the last norm, at 224 pixels, patches of 14,
without registers. Images are resized as Stein et al. do it with Pillow (bicubic, antialiased,
rounded to 8 bits, to within a grey level) and normalised as ImageNet is. The Fréchet
distance over these features is their FD-DINOv2, which in their study agrees with what people
see in photographs better than Inception's does; for digits it is no better founded. The two
never mix. Very slow without a GPU, ``large`` above all.

Attribution: Oquab et al., 2023; Stein et al., 2023. The network is timm's, with the position
embedding resized as Meta's own code does it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganbench.plugin import Asset, Data, DataError, Extractor, ExtractorContext

from .._library import installed
from ._weights import PretrainedParameters, Published, asset, obtain, read

BATCH = 50
"""Images at once."""
SIZE, PATCH = 224, 14
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, by channel, of grey levels from 0 to 1."""
OFFSET = 0.1
"""Added to the number of patches a side where Meta's code resizes the position embedding."""
ADDRESS = "https://dl.fbaipublicfiles.com/dinov2/dinov2_{0}/dinov2_{0}_pretrain.pth"
PUBLISHED = {
    "small": Published(
        ADDRESS.format("vits14"),
        "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9",
        size="88 MB",
    ),
    "base": Published(
        ADDRESS.format("vitb14"),
        "0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73",
        size="346 MB",
    ),
    "large": Published(
        ADDRESS.format("vitl14"),
        "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428",
        size="1.2 GB",
    ),
}


class DinoV2Extractor(Extractor):
    """DINOv2's class token: 1,024 features of the large model, unless another is asked for."""

    name = "dinov2"

    class Parameters(PretrainedParameters):
        """Parameters of `DinoV2Extractor`."""

        model: Literal["small", "base", "large"] = "large"
        """Which of the distilled models of 14-pixel patches."""

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need images, and timm."""
        if not data.is_image:
            return False, "it takes images, and these are points"
        return installed("timm", "dinov2")

    def assets(self) -> Sequence[Asset]:
        return [asset(self.name, PUBLISHED[self.parameters.model], self.parameters)]

    def prepare(self, ctx: ExtractorContext) -> None:
        """Find the weights, or download them; check them; build the network."""
        model = self.parameters.model
        self._found = obtain(self.name, PUBLISHED[model], self.parameters, ctx.progress)
        weights = read(self.name, self._found.path)
        try:
            network = build_network(model, weights)
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"extractor dinov2: {self._found.path} holds not weights of the {model} model: "
                f"{error}"
            ) from error
        self._network, self._device = network.to(ctx.device), ctx.device
        self._repeats = ctx.data.shape[0] == 1

    def features(self, items: Tensor) -> Tensor:
        """Return the class token after the last norm, (items, 1024), of uint8 images."""
        parts = torch.split(items, BATCH)
        return torch.cat([self._network(prepared(part.to(self._device))) for part in parts])

    def protocol(self) -> dict[str, Any]:
        """Return the model, the weights' hash, layer, resize and channels."""
        return {
            "network": f"DINOv2, {self.parameters.model}, patches of {PATCH}",
            "layer": "class token after the last norm",
            "weights": "Meta's" if self._found.published else "not those of Meta",
            "weights_sha256": self._found.sha256,
            "resize": f"{SIZE} pixels, bicubic, with antialiasing, rounded to 8 bits, from the "
            "data's own size",
            "channels": "greyscale repeated to three" if self._repeats else "three",
        }


def prepared(images: Tensor) -> Tensor:
    """Return images resized and normalised, shape (items, 3, 224, 224).

    Parameters
    ----------
    images : Tensor, shape (items, channels, height, width), uint8
        One or three channels.
    """
    levels = images.float()
    # Pillow resizes across, then down, and rounds to 8 bits after each.
    for shape in ((images.shape[2], SIZE), (SIZE, SIZE)):
        levels = interpolate(levels, shape, mode="bicubic", antialias=True).round().clamp(0, 255)
    levels = levels.expand(-1, 3, -1, -1) / 255
    mean, deviation = (
        torch.tensor(values, device=images.device)[:, None, None] for values in (MEAN, DEVIATION)
    )
    return (levels - mean) / deviation


def build_network(model: str, weights: Mapping[str, Tensor]) -> nn.Module:
    """Build timm's network with weights as Meta publishes them, in evaluation mode.

    Parameters
    ----------
    model : str
        "small", "base" or "large".
    weights : mapping of str to Tensor

    Raises
    ------
    RuntimeError, KeyError
        If they are another network's.
    """
    import timm

    # Building draws initial weights, which must not shift anybody's random stream.
    with torch.random.fork_rng(devices=[]):
        network: nn.Module = timm.create_model(
            f"vit_{model}_patch14_dinov2", pretrained=False, num_classes=0, img_size=SIZE
        )
    # The mask token stands for patches that are hidden in training.
    state = {name: value for name, value in weights.items() if name != "mask_token"}
    state["pos_embed"] = resized_positions(state["pos_embed"], SIZE // PATCH)
    network.load_state_dict(state)
    return network.eval()


def resized_positions(embedding: Tensor, side: int) -> Tensor:
    """Return a position embedding for another number of patches, as Meta's code does it.

    Parameters
    ----------
    embedding : Tensor, shape (1, 1 + patches, width)
        The class token's first, then a square of patches, row by row.
    side : int
        Patches a side wanted.

    Returns
    -------
    Tensor, shape (1, 1 + side², width)
    """
    width, before = embedding.shape[2], math.isqrt(embedding.shape[1] - 1)
    patches = embedding[:, 1:].reshape(1, before, before, width).permute(0, 3, 1, 2)
    scale = (side + OFFSET) / before
    patches = interpolate(patches.float(), scale_factor=(scale, scale), mode="bicubic")
    return torch.cat([embedding[:, :1], patches.permute(0, 2, 3, 1).flatten(1, 2)], dim=1)
