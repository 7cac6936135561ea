"""Downloads of published files: several addresses, a checksum, nothing half-written."""

import hashlib
import http.client
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ganbench.plugin import Progress

from ._files import CHUNK, md5_of, written_whole

TIMEOUT = 15
"""Seconds without an answer before the next address is tried."""


@dataclass(frozen=True)
class Published:
    """A file that can be had from any of several addresses.

    Attributes
    ----------
    filename : str
    md5 : str
        As its publisher gives it: it tells a damaged file and a mirror's mistake.
    addresses : tuple of str
    """

    filename: str
    md5: str
    addresses: tuple[str, ...]


class DownloadError(Exception):
    """No address gave the file; ``failures`` holds a line for each that was tried."""

    def __init__(self, failures: Sequence[str]) -> None:
        self.failures = tuple(failures)
        super().__init__("\n".join(failures))


class _WrongContentError(Exception):
    """What came is not what was published."""


def fetch(file: Published, folder: Path, label: str, progress: Progress) -> Path:
    """Return the file's path in ``folder``, downloading it unless it is there and sound.

    Raises
    ------
    DownloadError
        If no address gives a file with the published checksum.
    """
    target = folder / file.filename
    if target.is_file() and md5_of(target) == file.md5:
        return target
    failures = []
    for address in file.addresses:
        try:
            _download(address, target, file.md5, label, progress)
        except (OSError, http.client.HTTPException, _WrongContentError) as error:
            failures.append(f"{address}: {error}")
        else:
            return target
    raise DownloadError(failures)


def _download(address: str, target: Path, md5: str, label: str, progress: Progress) -> None:
    # The addresses are constants of the plugins, never a user's.
    request = urllib.request.Request(address, headers={"User-Agent": "ganbench"})  # noqa: S310
    digest = hashlib.md5(usedforsecurity=False)
    with (
        urllib.request.urlopen(request, timeout=TIMEOUT) as response,  # noqa: S310
        written_whole(target) as stream,
    ):
        length = response.headers.get("Content-Length", "")
        total = int(length) if length.isdigit() else None
        done = 0
        progress(label, done, total)
        while chunk := response.read(CHUNK):
            stream.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            progress(label, done, total)
        if digest.hexdigest() != md5:
            raise _WrongContentError(f"gave {done} bytes with another checksum than published")
