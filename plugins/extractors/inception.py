"""The Inception network of pytorch-fid: the field's FID for natural images.

How to use: ``extractor: inception``. The weights (91 MB) come from torch hub's cache, are
downloaded there on first use, or are read from a path: ``extractor: {name: inception,
weights: FILE}``.

Parameters: ``weights``, a file; ``expected_hash``, the start of the SHA-256 of weights
other than pytorch-fid's, which are refused without it.

Details and trade-offs: 2,048 features of the last average pooling, after pytorch-fid's own
resize to 299 pixels (bilinear, no antialiasing) and scaling. Greyscale is repeated to three
channels. For photographs; on digits its features mean little. With fewer than 2,049
samples the covariance is singular and the distance far too high, so compare at one N only.
Batch norms are folded into the convolutions, in float32, which moves features by a few
millionths. Slow without a GPU: some ten images a second on a core. The resize differs from the
original TensorFlow program's, which ``inception-tf`` follows; the two never mix.

Attribution: Heusel et al., 2017; Seitzer, pytorch-fid 0.3.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ._inception import SHA256, SIZE, InceptionFeatures
from ._weights import Published


class InceptionExtractor(InceptionFeatures):
    """pytorch-fid's Inception network, 2,048 features of its last pooling layer."""

    name = "inception"

    def owner(self) -> str:
        return "pytorch-fid"

    def published(self) -> Published:
        from pytorch_fid import inception

        return Published(
            inception.FID_WEIGHTS_URL,
            SHA256,
            ("weights-inception-2015-12-05-6726825d.pth",),
            SIZE,
        )

    def resize(self) -> str:
        return "299 pixels, bilinear, without antialiasing, from the data's own size"

    def build(self, weights: Mapping[str, Tensor]) -> nn.Module:
        from pytorch_fid import inception

        with _in_place_of_download(inception, weights):
            network: nn.Module = inception.InceptionV3([inception.InceptionV3.DEFAULT_BLOCK_INDEX])
        return network

    def pool(self, network: nn.Module, images: Tensor) -> Tensor:
        pooled: Tensor = network(images.float() / 255)[0]
        return pooled


@contextmanager
def _in_place_of_download(module: Any, weights: Mapping[str, Tensor]) -> Iterator[None]:
    # pytorch-fid builds its network only around its own download, which checks no hash and
    # unpickles whatever the file holds.
    original = module.load_state_dict_from_url
    module.load_state_dict_from_url = lambda *args, **kwargs: weights
    try:
        yield
    finally:
        module.load_state_dict_from_url = original
