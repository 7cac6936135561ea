"""Mixtures of Gaussians, where modes can be counted without a classifier.

``ring``: 8 modes on a circle of radius 1, deviation 0.01. ``grid``: 25 modes on −4..4 in
steps of 2, deviation 0.05. Both as in PacGAN (Lin et al., 2018, section 4.1), after VEEGAN
(Srivastava et al., 2017) and Unrolled GAN (Metz et al., 2017), 100,000 points each.
``mixture``: 10 modes in 64 dimensions, far apart at random places, deviation 0.05.

How to use: ``dataset: ring`` with an architecture for points, such as ``mlp``. Suggested: a
2-dimensional latent, batch 100, Adam at 1e-4 with β1 0.8, as PacGAN trains on them.

Technical details: points are drawn once, from a seed of the data set's own, each from a mode
chosen uniformly; all trials of a study learn from the same points. A sample is of high
quality within 3 deviations of its nearest mode, which 1 − e^−4.5 = 98.89 % of a perfect
model's are; in another dimension than 2, within the radius that as many are within (9.6
deviations in 64 dimensions, where not one of a billion points is within 3). The points are
not scaled: a generator of points has an unbounded output. Pictures show the first two
coordinates.
"""

import math
from pathlib import Path
from typing import Annotated

import torch
from torch import Tensor

from ganbench.plugin import Centres, Data, Dataset, DatasetParameters, Field, Progress

HELD_OUT = 1000
"""Further points, drawn with the next seed, that no trial learns from."""
Samples = Annotated[int, Field(ge=2, le=10_000_000)]
Deviation = Annotated[float, Field(gt=0, le=100)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


def ring_centres(modes: int, radius: float) -> Tensor:
    """Return equally spaced points on a circle, the first at angle 0.

    Returns
    -------
    Tensor, shape (modes, 2), float32
    """
    angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    return (radius * torch.stack([angles.cos(), angles.sin()], dim=1)).float()


def grid_centres(side: int, spacing: float) -> Tensor:
    """Return a square grid centred on the origin, row by row.

    Returns
    -------
    Tensor, shape (side * side, 2), float32
    """
    ticks = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2) * spacing
    return torch.cartesian_prod(ticks, ticks).float()


def random_centres(modes: int, dimensions: int, distance: float, seed: int) -> Tensor:
    """Return points of a Gaussian, scaled so that the two nearest are ``distance`` apart.

    Returns
    -------
    Tensor, shape (modes, dimensions), float32
    """
    stream = torch.Generator().manual_seed(seed)
    centres = torch.randn((modes, dimensions), generator=stream, dtype=torch.float64)
    return (centres * (distance / torch.pdist(centres).min())).float()


def draw_mixture(
    centres: Tensor, deviation: float, samples: int, seed: int
) -> tuple[Tensor, Tensor]:
    """Draw points from a mixture of isotropic Gaussians with equal weights.

    Parameters
    ----------
    centres : Tensor, shape (modes, dimensions), float32
    deviation : float
    samples : int
    seed : int

    Returns
    -------
    points : Tensor, shape (samples, dimensions), float32
    labels : Tensor, shape (samples,), int64
        The mode that each point was drawn from.
    """
    stream = torch.Generator().manual_seed(seed)
    labels = torch.randint(len(centres), (samples,), generator=stream)
    noise = torch.randn((samples, centres.shape[1]), generator=stream)
    return centres[labels] + deviation * noise, labels


def _mixture(name: str, centres: Tensor, deviation: float, samples: int, seed: int) -> Data:
    points, labels = draw_mixture(centres, deviation, samples, seed)
    return Data(
        name=name,
        items=points,
        labels=labels,
        classes=tuple(f"mode {index}" for index in range(len(centres))),
        centres=Centres(centres, deviation),
        held_out=draw_mixture(centres, deviation, HELD_OUT, (seed + 1) % 2**63)[0],
    )


class Ring(Dataset):
    """Gaussians on a circle: 8 modes, radius 1, deviation 0.01 (PacGAN's 2D-ring)."""

    name = "ring"

    class Parameters(DatasetParameters):
        """Parameters of ``ring``."""

        modes: Annotated[int, Field(ge=1, le=1000)] = 8
        """Gaussians on the circle."""
        radius: Annotated[float, Field(gt=0, le=1000)] = 1.0
        """Radius of the circle."""
        deviation: Deviation = 0.01
        """Standard deviation of each Gaussian in each coordinate."""
        samples: Samples = 100_000
        """Points drawn."""
        seed: Seed = 0
        """Seed of the points; the trials' seeds do not change them."""

    def load(self, root: Path, progress: Progress) -> Data:
        """Return the points; neither ``root`` nor a network is needed."""
        p = self.parameters
        centres = ring_centres(p.modes, p.radius)
        return _mixture(self.name, centres, p.deviation, p.samples, p.seed)


class Grid(Dataset):
    """Gaussians on a square grid: 25 modes on −4..4, deviation 0.05 (PacGAN's 2D-grid)."""

    name = "grid"

    class Parameters(DatasetParameters):
        """Parameters of ``grid``."""

        side: Annotated[int, Field(ge=1, le=32)] = 5
        """Gaussians on each side of the square."""
        spacing: Annotated[float, Field(gt=0, le=1000)] = 2.0
        """Distance of neighbours."""
        deviation: Deviation = 0.05
        """Standard deviation of each Gaussian in each coordinate."""
        samples: Samples = 100_000
        """Points drawn."""
        seed: Seed = 0
        """Seed of the points; the trials' seeds do not change them."""

    def load(self, root: Path, progress: Progress) -> Data:
        """Return the points; neither ``root`` nor a network is needed."""
        p = self.parameters
        centres = grid_centres(p.side, p.spacing)
        return _mixture(self.name, centres, p.deviation, p.samples, p.seed)


class Mixture(Dataset):
    """Gaussians far apart in many dimensions: 10 modes in 64, deviation 0.05."""

    name = "mixture"

    class Parameters(DatasetParameters):
        """Parameters of ``mixture``."""

        dimensions: Annotated[int, Field(ge=1, le=4096)] = 64
        """Coordinates of a point."""
        modes: Annotated[int, Field(ge=2, le=1000)] = 10
        """Gaussians, at random places that depend on ``seed``."""
        distance: Annotated[float, Field(gt=0, le=1000)] = 2.0
        """Between the two centres that are nearest to each other."""
        deviation: Deviation = 0.05
        """Standard deviation of each Gaussian in each coordinate."""
        samples: Samples = 100_000
        """Points drawn."""
        seed: Seed = 0
        """Seed of centres and points; the trials' seeds do not change them."""

    def load(self, root: Path, progress: Progress) -> Data:
        """Return the points; neither ``root`` nor a network is needed."""
        p = self.parameters
        centres = random_centres(p.modes, p.dimensions, p.distance, p.seed)
        return _mixture(self.name, centres, p.deviation, p.samples, p.seed)
