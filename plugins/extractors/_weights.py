"""Published weights: in a path, in torch hub's cache, or downloaded; pinned by hash."""

import hashlib
import os
import tempfile
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor

from ganbench.plugin import Annotated, Asset, DataError, ExtractorParameters, Field, Progress


class PretrainedParameters(ExtractorParameters):
    """Parameters of an extractor with published weights."""

    weights: str | None = None
    """A file of weights; torch hub's cache if not given."""
    expected_hash: Annotated[str, Field(pattern="^[0-9a-f]{8,64}$")] | None = None
    """Start of the SHA-256 of weights that are not the published ones."""


@dataclass(frozen=True)
class Published:
    """A file of weights as its publisher gives it.

    Attributes
    ----------
    url : str
    sha256 : str
        Of the file, or the start of it.
    also : tuple of str
        Names under which others keep the same file in torch hub's cache.
    size : str
        For the reader.
    """

    url: str
    sha256: str
    also: tuple[str, ...] = ()
    size: str = ""

    @property
    def name(self) -> str:
        """The file's name in torch hub's cache."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Found:
    """A file of weights whose hash is right.

    Attributes
    ----------
    path : Path
    sha256 : str
    published : bool
        Whether these are the published weights.
    """

    path: Path
    sha256: str
    published: bool


def obtain(
    extractor: str, file: Published, parameters: PretrainedParameters, progress: Progress
) -> Found:
    """Find the weights that the parameters name, or the published ones, or download those.

    Parameters
    ----------
    extractor : str
        Whose weights they are, for messages.
    file : Published
    parameters : PretrainedParameters
    progress : callable

    Raises
    ------
    DataError
        If there is no such file, its hash is another one, or a download fails.
    """
    path = _place(file, parameters)
    if not path.is_file():
        if parameters.weights is not None:
            raise DataError(_no_file(extractor, path))
        _download(extractor, file, path, progress)
    sha256 = _check(extractor, path, parameters.expected_hash or file.sha256)
    return Found(path, sha256, published=sha256.startswith(file.sha256))


def asset(extractor: str, file: Published, parameters: PretrainedParameters) -> Asset:
    """Return the file that ``obtain`` would take, its hash checked; downloads nothing."""
    path = _place(file, parameters)
    named = parameters.weights is not None
    if not path.is_file():
        if named:
            remedy = "name a file that is there with the extractor's parameter weights"
            return Asset("weights", path, False, _no_file(extractor, path), remedy)
        remedy = (
            "the first study that uses it downloads it; without a network, fetch "
            f"{file.url} elsewhere and put it there"
        )
        return Asset(f"weights, {file.size} to download", path, found=False, remedy=remedy)
    try:
        _check(extractor, path, parameters.expected_hash or file.sha256)
    except DataError as error:
        remedy = f"delete it; it is downloaded anew from {file.url}"
        if named:
            remedy = "name another file, or these weights' own hash as expected_hash"
        return Asset("weights", path, found=True, problem=str(error), remedy=remedy)
    return Asset("weights, hash checked", path, found=True)


def _no_file(extractor: str, path: Path) -> str:
    return f"extractor {extractor}: there is no file of weights {path}"


def read(extractor: str, path: Path) -> Mapping[str, Tensor]:
    """Read the tensors of a file, without running what it may hold.

    Raises
    ------
    DataError
        If it holds no tensors under names.
    """
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # broken bytes make the unpickler raise anything
        raise DataError(f"extractor {extractor}: {path} holds no weights: {error}") from error
    if not isinstance(weights, Mapping):
        raise DataError(
            f"extractor {extractor}: {path} holds no weights: it holds a {type(weights).__name__}, "
            "expected tensors by name"
        )
    return weights


def _place(file: Published, parameters: PretrainedParameters) -> Path:
    """Return where the weights are, or would be downloaded to."""
    if parameters.weights is not None:
        return Path(parameters.weights).expanduser()
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    names = (file.name, *file.also)
    return next((folder / name for name in names if (folder / name).is_file()), folder / file.name)


def _digest(extractor: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"extractor {extractor}: {path} cannot be read: {error}") from error


def _check(extractor: str, path: Path, expected: str) -> str:
    digest = _digest(extractor, path)
    if not digest.startswith(expected):
        raise DataError(
            f"extractor {extractor}: the weights {path} have the SHA-256 {digest}, expected one "
            f"that starts with {expected}; delete the file if it is broken, or, to use other "
            "weights on purpose, set the extractor's expected_hash"
        )
    return digest


def _download(extractor: str, file: Published, path: Path, progress: Progress) -> None:
    # The path appears only when the file is whole and its hash is right.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with (
                os.fdopen(handle, "wb") as stream,
                urllib.request.urlopen(file.url, timeout=30) as source,  # noqa: S310 - a constant of the plugins
            ):
                length = source.headers.get("Content-Length")
                while chunk := source.read(1 << 18):
                    stream.write(chunk)
                    progress(f"download {path.name}", stream.tell(), length and int(length))
            digest = _digest(extractor, Path(name))
            if not digest.startswith(file.sha256):
                raise OSError(
                    f"what came has the SHA-256 {digest}, expected one that starts with "
                    f"{file.sha256}"
                )
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    except (OSError, HTTPException) as error:
        raise DataError(
            f"extractor {extractor}: the weights {path.name} are not in {path.parent}, and cannot "
            f"be downloaded ({error}); fetch {file.url} elsewhere and put the file there, or name "
            "it with the extractor's parameter weights"
        ) from error
