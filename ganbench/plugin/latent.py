"""The prior of the generator's input: noise, and structured codes behind it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Categorical:
    """A code that is one of ``classes``, each as likely: a one-hot vector of that width."""

    classes: int

    @property
    def width(self) -> int:
        """Columns of the latent vector."""
        return self.classes


@dataclass(frozen=True)
class Uniform:
    """A code of ``dimension`` independent coordinates, each U(-1, 1)."""

    dimension: int

    @property
    def width(self) -> int:
        """Columns of the latent vector."""
        return self.dimension


Code = Categorical | Uniform


@dataclass(frozen=True)
class LatentSpec:
    """The prior of the generator's input.

    Codes are drawn from a stream of their own, so that an arm with codes shares its noise
    with one that has none.

    Attributes
    ----------
    noise : int
        Coordinates of the unstructured part.
    distribution : {"normal", "uniform"}
        N(0, 1), or U(-1, 1), in each coordinate of the noise.
    codes : tuple of Categorical or Uniform
        What stands behind the noise, in this order.
    """

    noise: int
    distribution: Literal["normal", "uniform"] = "normal"
    codes: tuple[Code, ...] = ()

    @property
    def dimension(self) -> int:
        """Width of the whole latent vector: the noise and every code."""
        return self.noise + sum(code.width for code in self.codes)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Which columns each code takes."""
        found, start = [], self.noise
        for code in self.codes:
            found.append(slice(start, start + code.width))
            start += code.width
        return tuple(found)
