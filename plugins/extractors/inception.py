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
Slow without a GPU: about ten images a second on a core.

Attribution: Heusel et al., 2017; Seitzer, pytorch-fid 0.3.
"""

import hashlib
import os
import re
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganbench.plugin import (
    Annotated,
    Data,
    DataError,
    Extractor,
    ExtractorContext,
    ExtractorParameters,
    Field,
    Progress,
)

BATCH = 50
"""Images at once, as in pytorch-fid: at 299 pixels more would not fit everywhere."""


class InceptionExtractor(Extractor):
    """pytorch-fid's Inception network, 2,048 features of its last pooling layer."""

    name = "inception"

    class Parameters(ExtractorParameters):
        """Parameters of `InceptionExtractor`."""

        weights: str | None = None
        """A file of weights; torch hub's cache if not given."""
        expected_hash: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")] | None = None
        """Start of the SHA-256 of weights that are not pytorch-fid's."""

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need images."""
        return (True, "") if data.is_image else (False, "it takes images, and these are points")

    def prepare(self, ctx: ExtractorContext) -> None:
        """Find the weights, or download them; check them; build the network."""
        from pytorch_fid import inception

        url: str = inception.FID_WEIGHTS_URL
        pinned = pinned_hash(url)
        path = self._find_weights(url, pinned, ctx.progress)
        self._sha256 = check_weights(path, self.parameters.expected_hash or pinned)
        self._pinned = self._sha256.startswith(pinned)
        weights = _read_weights(path)
        try:
            self._network = build_network(weights).to(ctx.device)
        except (RuntimeError, TypeError) as error:
            raise DataError(
                f"extractor inception: {path} holds not weights of pytorch-fid's network: {error}"
            ) from error
        self._head = weights["fc.weight"].to(ctx.device)
        self._device = ctx.device
        self._repeats = ctx.data.shape[0] == 1

    def features(self, items: Tensor) -> Tensor:
        """Return the pooled features, shape (items, 2048), of uint8 images."""
        return torch.cat([self._pool(part) for part in torch.split(items, BATCH)])

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits of the 1,008 outputs, without bias.

        As in the code of Salimans et al. (2016), which multiplies the pooled features by the
        last layer's weights and adds nothing.
        """
        return features @ self._head.T

    def protocol(self) -> dict[str, Any]:
        """Return the weights' hash, layer, resize and channels."""
        return {
            "network": "Inception of pytorch-fid",
            "layer": "block 3: final average pooling",
            "weights": "pt_inception-2015-12-05" if self._pinned else "not those of pytorch-fid",
            "weights_sha256": self._sha256,
            "resize": "299 pixels, bilinear, without antialiasing, from the data's own size",
            "channels": "greyscale repeated to three" if self._repeats else "three",
        }

    def _pool(self, images: Tensor) -> Tensor:
        scaled = images.to(self._device).float() / 255
        pooled: Tensor = self._network(scaled.expand(-1, 3, -1, -1))[0]
        return pooled.flatten(1)

    def _find_weights(self, url: str, pinned: str, progress: Progress) -> Path:
        if self.parameters.weights is not None:
            path = Path(self.parameters.weights).expanduser()
            if not path.is_file():
                raise DataError(f"extractor inception: there is no file of weights {path}")
            return path
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        path = folder / url.rpartition("/")[2]
        if not path.is_file():
            download(url, path, pinned, progress)
        return path


def pinned_hash(url: str) -> str:
    """Return the start of the SHA-256 that the file's name carries, as torch hub reads it."""
    found = re.search(r"-([0-9a-f]{8,})\.pth$", url)
    if found is None:
        raise DataError(f"extractor inception: pytorch-fid's address {url} names no hash")
    return found.group(1)


def check_weights(path: Path, expected: str) -> str:
    """Return the SHA-256 of a file.

    Raises
    ------
    DataError
        If it does not start with ``expected``.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(expected):
        raise DataError(
            f"extractor inception: the weights {path} have the SHA-256 {digest}, expected one "
            f"that starts with {expected}; delete the file if it is broken, or, to use other "
            "weights on purpose, set the extractor's expected_hash"
        )
    return digest


def download(url: str, path: Path, expected: str, progress: Progress) -> None:
    """Fetch the weights; ``path`` appears only when they are whole and their hash is right.

    Raises
    ------
    DataError
        If the network, the disk or the hash fails; names the file, its folder, the address.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file, urllib.request.urlopen(url, timeout=30) as source:  # noqa: S310 - pytorch-fid's own https address
                length = source.headers.get("Content-Length")
                while chunk := source.read(1 << 18):
                    file.write(chunk)
                    progress(f"download {path.name}", file.tell(), length and int(length))
            check_weights(Path(name), expected)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"extractor inception: the weights {path.name} are not in {path.parent}, and cannot "
            f"be downloaded ({error}); fetch {url} elsewhere and put the file there, or name it "
            "with the extractor's parameter weights"
        ) from error


def build_network(weights: Mapping[str, Tensor]) -> nn.Module:
    """Build pytorch-fid's network with the weights given, in evaluation mode.

    Parameters
    ----------
    weights : mapping of str to Tensor
        Of the whole network of 1,008 classes.
    """
    from pytorch_fid import inception

    # Building draws initial weights, which must not shift anybody's random stream.
    with torch.random.fork_rng(devices=[]), _in_place_of_download(inception, weights):
        network: nn.Module = inception.InceptionV3([inception.InceptionV3.DEFAULT_BLOCK_INDEX])
    return network.eval()


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


def _read_weights(path: Path) -> Mapping[str, Tensor]:
    try:
        weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # broken bytes make the unpickler raise anything
        raise DataError(f"extractor inception: {path} holds no weights: {error}") from error
    return weights
