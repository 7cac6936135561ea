"""What ``backend: auto`` stands for in a study, as its ledger tells."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from ganbench.config.model import way


@dataclass(frozen=True)
class Choice:
    """What ``auto`` stands for in a study, on a kind of device.

    Attributes
    ----------
    backend : str
    milliseconds : mapping of str to float
        A step of a trial by each candidate, the median of its turns.
    arm : str
        That was measured.
    machine : str
        On which.
    reason : str or None
        Why nothing was measured, or not every candidate.
    together : int
        How many trials are trained at once.
    """

    backend: str
    milliseconds: Mapping[str, float]
    arm: str
    machine: str
    reason: str | None = None
    together: int = 1

    @property
    def way(self) -> str:
        """The back end, and how many trials at once if several."""
        return way(self.backend, self.together)

    def __str__(self) -> str:
        if not self.milliseconds:
            return f"{self.way} ({self.reason})"
        times = ", ".join(f"{name} {spent:.3g} ms" for name, spent in self.milliseconds.items())
        refused = f"; {self.reason}" if self.reason else ""
        return f"{self.way} (a step of {self.arm}: {times}; {self.machine}{refused})"

    @classmethod
    def of(cls, descriptions: Iterable[Mapping[str, Any]], device: str) -> Self | None:
        """Return what was chosen for a kind of device; None if nothing was.

        Parameters
        ----------
        descriptions : iterable of mapping
            What is noted of the study's Optuna studies.
        device : str
        """
        name = _attribute(device)
        found = [noted[name] for noted in descriptions if name in noted]
        return cls(**found[0]) if found else None

    def described(self, device: str) -> dict[str, Any]:
        """Return what is to be noted of a choice for a kind of device."""
        return {_attribute(device): asdict(self)}


def _attribute(device: str) -> str:
    return f"auto on {device}"
