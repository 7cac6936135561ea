"""What a plugin needs and does not bring: files of data, weights."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Asset:
    """Files that a plugin takes from the disk, and whether they are there.

    Attributes
    ----------
    what : str
        Such as ``pytorch-fid's weights, 91 MB``.
    place : Path
        The file, or the folder of the files.
    found : bool
        Whether all of it is there.
    problem : str
        What is wrong with what is there; empty if nothing is, or nothing is there yet that
        will be fetched.
    remedy : str
        How to come by it, or to mend it; for a user without a network too.
    """

    what: str
    place: Path
    found: bool
    problem: str = ""
    remedy: str = ""
