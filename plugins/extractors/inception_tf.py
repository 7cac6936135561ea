"""The Inception network of torch-fidelity, with TensorFlow's resize.

How to use: ``extractor: inception-tf``, after ``pip install 'ganbench[torch-fidelity]'``. Weights
as with ``inception``; it is the same file, so one that either package has downloaded is found.

Parameters: ``weights``, a file; ``expected_hash``, the start of the SHA-256 of weights
other than the published, which are refused without it.

Details and trade-offs: torch-fidelity's network, which computes what the original TensorFlow
program does, behind the bilinear resize of TensorFlow 1, whose pixels lie elsewhere than
PyTorch's. Its numbers are those of torch-fidelity's command line, and, to rounding, of the
authors' programs for FID and Inception score; not those of ``inception``. Greyscale
is repeated to three channels. Otherwise as ``inception``.

Attribution: Heusel et al., 2017; Obukhov et al., torch-fidelity 0.4.
"""

import io
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ganbench.plugin import Asset, Data

from .._library import installed
from ._inception import SHA256, SIZE, InceptionFeatures
from ._weights import Published


class InceptionTensorFlowExtractor(InceptionFeatures):
    """torch-fidelity's Inception network, 2,048 features, images resized as TensorFlow 1 does."""

    name = "inception-tf"

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need images, and torch-fidelity."""
        fits = super().applies(data)
        return fits if not fits[0] else installed("torch_fidelity", "torch-fidelity")

    def assets(self) -> Sequence[Asset]:
        return super().assets() if installed("torch_fidelity", "torch-fidelity")[0] else ()

    def owner(self) -> str:
        return "torch-fidelity"

    def published(self) -> Published:
        from torch_fidelity import feature_extractor_inceptionv3 as theirs

        return Published(
            theirs.URL_INCEPTION_V3, SHA256, ("pt_inception-2015-12-05-6726825d.pth",), SIZE
        )

    def resize(self) -> str:
        return "299 pixels, bilinear as in TensorFlow 1, from the data's own size"

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        # It reads a file, and unpickles whatever that holds: here, tensors only.
        content = io.BytesIO()
        torch.save(dict(weights), content)
        content.seek(0)
        network: nn.Module = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=content
        )
        return network

    def pool(self, network: nn.Module, images: Tensor) -> Tensor:
        pooled: Tensor = network(images)[0]
        return pooled
