"""What both Inception extractors do: weights by hash, a network made fast, logits."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ganbench.plugin import Asset, Data, DataError, Extractor, ExtractorContext

from ._weights import PretrainedParameters, Published, asset, obtain, read

BATCH = 50
"""Images at once, as in pytorch-fid: at 299 pixels more would not fit everywhere."""
SIZE = "91 MB"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Of the one file of weights that pytorch-fid and torch-fidelity publish under two names."""


class InceptionFeatures(Extractor):
    """The 2,048 features of the last pooling layer of the Inception network of 2015."""

    Parameters = PretrainedParameters

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need images."""
        return (True, "") if data.is_image else (False, "it takes images, and these are points")

    def prepare(self, ctx: ExtractorContext) -> None:
        """Find the weights, or download them; check them; build the network."""
        found = obtain(self.name, self.published(), self.parameters, ctx.progress)
        weights = read(self.name, found.path)
        try:
            # Building draws initial weights, which must not shift anybody's random stream.
            with torch.random.fork_rng(devices=[]):
                network = self.build(weights).eval()
            head = weights["fc.weight"]
        except (RuntimeError, TypeError, KeyError) as error:
            raise DataError(
                f"extractor {self.name}: {found.path} holds not weights of {self.owner()}'s "
                f"network: {error}"
            ) from error
        self._network = made_fast(network).to(ctx.device)
        self._head = head.to(ctx.device)
        self._found, self._device = found, ctx.device
        self._repeats = ctx.data.shape[0] == 1

    def features(self, items: Tensor) -> Tensor:
        """Return the pooled features, shape (items, 2048), of uint8 images."""
        parts = []
        for part in torch.split(items, BATCH):
            images = part.to(self._device).expand(-1, 3, -1, -1)
            parts.append(self.pool(self._network, images).flatten(1))
        return torch.cat(parts)

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits of the 1,008 outputs, without bias.

        As in the code of Salimans et al. (2016), which multiplies the pooled features by the
        last layer's weights and adds nothing.
        """
        return features @ self._head.T

    def protocol(self) -> dict[str, Any]:
        """Return the weights' hash, layer, resize and channels."""
        return {
            "network": f"Inception of {self.owner()}",
            "layer": "final average pooling",
            "weights": "inception-2015-12-05"
            if self._found.published
            else f"not those of {self.owner()}",
            "weights_sha256": self._found.sha256,
            "arithmetic": "float32, batch norm folded into the convolutions",
            "resize": self.resize(),
            "channels": "greyscale repeated to three" if self._repeats else "three",
        }

    def assets(self) -> Sequence[Asset]:
        return [asset(self.name, self.published(), self.parameters)]

    @abstractmethod
    def owner(self) -> str:
        """Return the package whose network and resize it is."""

    @abstractmethod
    def published(self) -> Published:
        """Return the file of weights."""

    @abstractmethod
    def resize(self) -> str:
        """Return how images come to the network's size, in words."""

    @abstractmethod
    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """Return the network with these weights, of 1,008 classes."""

    @abstractmethod
    def pool(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return the pooled features of uint8 images with three channels."""


def made_fast(network: nn.Module) -> nn.Module:
    """Fold each batch norm into the convolution before it, and put channels innermost.

    Parameters
    ----------
    network : Module
        In evaluation mode, of blocks with a convolution ``conv`` and then a batch norm ``bn``,
        as torchvision's Inception has them. It is changed in place.

    Returns
    -------
    Module
        Computes the same, to rounding.
    """
    for block in network.modules():
        norm, convolution = getattr(block, "bn", None), getattr(block, "conv", None)
        if isinstance(norm, nn.BatchNorm2d) and isinstance(convolution, nn.Conv2d):
            # In float64, so that folding adds no rounding of its own.
            folded = fuse_conv_bn_eval(convolution.double(), norm.double())
            block.conv, block.bn = folded.float(), nn.Identity()
    return network.to(memory_format=torch.channels_last)
