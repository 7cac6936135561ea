"""Latents between latents, and what a generator makes of many."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from ganbench.plugin import Categorical, LatentSpec, Sampler

AT_ONCE = 250
"""Latents that a generator is given at once."""


def lerp(first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
    """Return points along the straight line between vectors.

    Parameters
    ----------
    first, last : Tensor, shape (items, width)
    shares : Tensor, shape (steps,), in [0, 1]

    Returns
    -------
    Tensor, shape (items, steps, width)
    """
    return first[:, None] + shares[None, :, None] * (last - first)[:, None]


def slerp(first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
    """Return points along the great arc between vectors (Shoemake, 1985, section 3.3).

    With ω the angle between them: (sin((1 − t) ω) · first + sin(t ω) · last) / sin ω. Vectors
    of different length keep the formula, as in White (2016); vectors on one line have no arc,
    and get the straight line.
    """
    cosine = F.cosine_similarity(first, last, dim=1).clamp(-1, 1)
    angle = torch.acos(cosine)[:, None, None]
    sine, t = torch.sin(angle), shares[None, :, None]
    start, end = torch.sin((1 - t) * angle) / sine, torch.sin(t * angle) / sine
    arc = start * first[:, None] + end * last[:, None]
    return torch.where(sine.abs() > 1e-4, arc, lerp(first, last, shares))


def walk(first: Tensor, last: Tensor, shares: Tensor, latent: LatentSpec, along: str) -> Tensor:
    """Return latents on the way from one to another, all of them such as the prior has.

    The noise goes along ``along``, a continuous code along the straight line; a category, which
    has nothing between, stays the first one's.

    Parameters
    ----------
    first, last : Tensor, shape (items, latent)
    shares : Tensor, shape (steps,)
    latent : LatentSpec
    along : {"lerp", "slerp"}

    Returns
    -------
    Tensor, shape (items, steps, latent)
    """
    found = lerp(first, last, shares)
    noise = slice(latent.noise)
    if along == "slerp":
        found[:, :, noise] = slerp(first[:, noise], last[:, noise], shares)
    for code, columns in zip(latent.codes, latent.slices, strict=True):
        if isinstance(code, Categorical):
            found[:, :, columns] = first[:, None, columns]
    return found


def as_drawn(z: Tensor, latent: LatentSpec) -> Tensor:
    """Return sums of latents with their codes, and uniform noise, brought back into the prior.

    A category is the largest of its coordinates, and what is uniform is clamped to [-1, 1];
    Gaussian noise is left as it is.
    """
    found = z.clone()
    if latent.distribution == "uniform":
        found[:, : latent.noise].clamp_(-1, 1)
    for code, columns in zip(latent.codes, latent.slices, strict=True):
        if isinstance(code, Categorical):
            found[:, columns] = F.one_hot(z[:, columns].argmax(1), code.classes).to(z.dtype)
        else:
            found[:, columns].clamp_(-1, 1)
    return found


def images_of(sampler: Sampler, latents: Mapping[str, Tensor]) -> Tensor:
    """Return what the generators make of latents, in [-1, 1], in batches of a bounded size."""
    split = {pair: torch.split(z, AT_ONCE) for pair, z in latents.items()}
    parts = [
        sampler.images(dict(zip(split, part, strict=True)))
        for part in zip(*split.values(), strict=True)
    ]
    return torch.cat(parts).float().clamp(-1, 1)
