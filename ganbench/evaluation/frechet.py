"""The Fréchet distance between Gaussians fitted to features, in float64."""

from dataclasses import dataclass
from functools import cached_property

import torch
from scipy.linalg import eigvalsh, lapack
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of features.

    Attributes
    ----------
    mean : Tensor, shape (width,), float64
    covariance : Tensor, shape (width, width), float64
        Unbiased: divided by ``count - 1``.
    count : int
        Items that they were estimated from, at least 2.
    factor : Tensor, shape (count, width), float64, or None
        The centred features over sqrt(count - 1), so that ``factor.T @ factor`` is the
        covariance. Kept where ``count <= width``, when the covariance is singular.
    """

    mean: Tensor
    covariance: Tensor
    count: int
    factor: Tensor | None = None

    @cached_property
    def triangle(self) -> Tensor:
        """An upper triangular T with ``T.T @ T`` the covariance, singular as that may be.

        Shape (width, width).
        """
        values, vectors = torch.linalg.eigh(self.covariance)
        half = values.clamp(min=0).sqrt()[:, None] * vectors.T
        triangle: Tensor = torch.linalg.qr(half, mode="r").R
        return triangle


def moments(features: Tensor) -> Moments:
    """Estimate the moments of features.

    Parameters
    ----------
    features : Tensor, shape (items, width)
        At least two items, all finite. They stay on their device, but for MPS, which has
        no float64.

    Raises
    ------
    ValueError
        On a wrong shape, fewer than two items, or a feature that is not finite.
    """
    if features.ndim != 2 or features.shape[1] == 0:
        raise ValueError(f"features must have shape (items, width), not {tuple(features.shape)}")
    count, width = features.shape
    if count < 2:
        raise ValueError(f"a covariance needs at least 2 items, not {count}")
    if not torch.isfinite(features).all():
        raise ValueError("non-finite features")
    if features.device.type == "mps":
        features = features.cpu()
    features = features.double()
    mean = features.mean(dim=0)
    factor = (features - mean) / (count - 1) ** 0.5
    covariance = factor.T @ factor
    return Moments(mean, covariance, count, factor if count <= width else None)


def frechet_distance(first: Moments, second: Moments) -> float:
    """Return the squared Fréchet (2-Wasserstein) distance between two Gaussians.

    |m1 - m2|² + tr S1 + tr S2 - 2 tr (S1^½ S2 S1^½)^½ (Dowson and Landau, 1982, equation
    16; as FID: Heusel et al., 2017, equation 6). The last trace is the sum of the square
    roots of a symmetric matrix's eigenvalues, which are those of T S2 Tᵀ for any T with
    TᵀT = S1; a triangular one takes less work. Where items are no more
    than features, it is the nuclear norm of the product of the two sets' centred features,
    which is exact and no larger than the sets.

    Parameters
    ----------
    first, second : Moments
        Of the same width. Only ``second.triangle`` is computed, once: pass the reference there.

    Returns
    -------
    float
        At least 0; in squared units of the features.

    Raises
    ------
    ValueError
        If the widths differ.
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(f"features of width {len(first.mean)} against {len(second.mean)}")
    offset = (first.mean - second.mean).square().sum()
    traces = first.covariance.trace() + second.covariance.trace()
    return max(0.0, float(offset + traces) - 2 * _trace_of_root(first, second))


def _trace_of_root(first: Moments, second: Moments) -> float:
    if first.factor is not None and second.factor is not None:
        values = torch.linalg.svdvals(first.factor @ second.factor.T)
        return float(values.sum())
    if first.factor is not None:
        product = first.factor @ second.covariance @ first.factor.T
    elif second.factor is not None:
        product = second.factor @ first.covariance @ second.factor.T
    else:
        return _trace_by_triangle(first.covariance, second.triangle)
    values = torch.linalg.eigvalsh((product + product.T) / 2)
    return float(values.clamp(min=0).sqrt().sum())


def _trace_by_triangle(covariance: Tensor, triangle: Tensor) -> float:
    """Return the sum of the square roots of the eigenvalues of T S Tᵀ."""
    if covariance.device.type == "cpu":
        # LAPACK has a product for these shapes, of half the work, which PyTorch does not bring.
        product, _ = lapack.dsygst(covariance.numpy(), triangle.numpy(), itype=2, lower=0)
        values = torch.from_numpy(
            eigvalsh(product, lower=False, overwrite_a=True, check_finite=False)
        )
    else:
        values = torch.linalg.eigvalsh(triangle @ covariance @ triangle.T)
    return float(values.clamp(min=0).sqrt().sum())
