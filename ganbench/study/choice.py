"""What ``backend: auto`` stands for in a study, as its ledger tells."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Choice:
    """What ``auto`` stands for in a study, on a kind of device.

    Attributes
    ----------
    backend : str
    milliseconds : mapping of str to float
        A step of each candidate, the median of its turns.
    arm : str
        That was measured.
    machine : str
        On which.
    reason : str or None
        Why there is nothing that was measured.
    """

    backend: str
    milliseconds: Mapping[str, float]
    arm: str
    machine: str
    reason: str | None = None

    def __str__(self) -> str:
        if self.reason is not None:
            return f"{self.backend} ({self.reason})"
        times = ", ".join(f"{name} {spent:.3g} ms" for name, spent in self.milliseconds.items())
        return f"{self.backend} (a step of {self.arm}: {times}; {self.machine})"

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
