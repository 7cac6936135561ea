"""Where the trials' files may be: a folder that machines share, or a bucket of an object store."""

from dataclasses import dataclass
from pathlib import Path

from ganbench.plugin import GanbenchError

SCHEME = "s3"


@dataclass(frozen=True)
class BucketPlace:
    """Objects of a bucket whose names begin alike.

    Attributes
    ----------
    bucket : str
    prefix : str
        What the names begin with, without a slash at its end; may be empty.
    """

    bucket: str
    prefix: str = ""

    def name(self, rest: str) -> str:
        """Return the whole name of an object."""
        return f"{self.prefix}/{rest}" if self.prefix else rest

    def __str__(self) -> str:
        return f"{SCHEME}://{self.bucket}/{self.prefix}".rstrip("/")


Place = Path | BucketPlace


def place_of(text: str) -> Place:
    """Return the place that a user gave: a folder, made absolute, or ``s3://BUCKET/PREFIX``.

    Raises
    ------
    GanbenchError
        If it is of another kind, or names no bucket.
    """
    scheme, separator, rest = text.partition("://")
    if not separator and not text.startswith(f"{SCHEME}:"):
        return Path(text).absolute()
    if separator and scheme != SCHEME:
        raise GanbenchError(
            f"--files {scheme}://… is not supported; expected a folder that the machines share, "
            "or s3://BUCKET/PREFIX"
        )
    bucket, _, prefix = rest.partition("/")
    if not bucket:
        raise GanbenchError(f"--files {text!r} names no bucket; expected s3://BUCKET/PREFIX")
    return BucketPlace(bucket, prefix.strip("/"))
