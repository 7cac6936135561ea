"""Work that a process has taken from the ledger."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ganbench.study.templates import ALONE


@dataclass(frozen=True)
class Claim:
    """A cell that this process is to train.

    Attributes
    ----------
    number : int
        Its trial's id, unique in the storage.
    arm, seed, key, fingerprint
        As in the ``Cell``.
    search : str or None
        The search that it is a trial of, ``index`` then being which.
    config : mapping or None
        The configuration, as plain values, where it came up during the run.
    alone : bool
        Whether it is to be trained with no others: it has cost workers.
    """

    number: int
    arm: str
    seed: int
    key: str
    fingerprint: str
    search: str | None = None
    index: int = -1
    config: Mapping[str, Any] | None = None
    alone: bool = False

    @property
    def title(self) -> str:
        """What is trained, as a reader knows it."""
        return self.arm if self.search is None else f"{self.arm}, tuning {self.index + 1}"

    @property
    def place(self) -> str:
        """What the files of its configuration are called.

        Two searches may be at the same configuration at once, and one search twice; and so may
        machines of two kinds that share files, each with trials of its own.
        """
        place = f"{self.key}-{self.fingerprint}"
        if self.search is None:
            return place
        search = hashlib.sha256(self.search.encode()).hexdigest()[:8]
        return f"{place}-{search}-{self.index}"


def claim_of(study: str, number: int, own: Mapping[str, Any]) -> Claim:
    """Return the claim of a trial, from its Optuna study, its id and its attributes."""
    claim = Claim(number, own["arm"], own["seed"], own["key"], own["fingerprint"])
    claim = replace(claim, config=own.get("config"), alone=ALONE in own)
    return replace(claim, search=study, index=own["index"]) if "index" in own else claim
