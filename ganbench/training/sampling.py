"""Drawing latents, and sampling a generator without disturbing its training."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganbench.plugin import Architecture, Buffers, Categorical, Code, LatentSpec


def draw_latents(
    latent: LatentSpec, count: int, stream: torch.Generator, codes: torch.Generator | None
) -> Tensor:
    """Return latents of shape (count, latent): the noise, and the codes behind it.

    Parameters
    ----------
    latent : LatentSpec
    count : int
    stream, codes : torch.Generator
        Draw the noise, and the codes; None will do for the second where there are none.
    """
    shape = (count, latent.noise)
    device = stream.device
    if latent.distribution == "uniform":
        noise = torch.rand(shape, generator=stream, device=device).mul_(2).sub_(1)
    else:
        noise = torch.randn(shape, generator=stream, device=device)
    if not latent.codes:
        return noise
    return torch.cat([noise, *(_draw_code(code, count, codes, device) for code in latent.codes)], 1)


def _draw_code(
    code: Code, count: int, stream: torch.Generator | None, device: torch.device
) -> Tensor:
    if isinstance(code, Categorical):
        drawn = torch.randint(code.classes, (count,), generator=stream, device=device)
        return torch.nn.functional.one_hot(drawn, code.classes).float()
    return torch.rand((count, code.dimension), generator=stream, device=device).mul_(2).sub_(1)


def with_stream(buffers: Buffers, stream: torch.Generator) -> Buffers:
    """Return a trick's buffers with another stream, so that its own does not move on."""
    return replace(buffers, generator=stream)


@torch.no_grad()
def sample(
    architecture: Architecture,
    generators: Mapping[str, nn.Module],
    latents: Mapping[str, Tensor],
    batch_size: int,
    batch_norm: Literal["running", "batch"],
) -> Tensor:
    """Return what the generators make of ``latents``, in batches of a fixed size.

    Parameters
    ----------
    architecture : Architecture
        Knows how the pairs' generators work together.
    generators : mapping of pair name to Module
    latents : mapping of pair name to Tensor, shape (count, latent)
    batch_size : int
    batch_norm : {"running", "batch"}
        Statistics of BatchNorm layers: the running means, or the batch's own. Every other
        layer is in evaluation mode.

    Returns
    -------
    Tensor, shape (count, *shape), in the range of the generator's output
    """
    split = {name: torch.split(z, batch_size) for name, z in latents.items()}
    with sampling_mode(list(generators.values()), batch_norm):
        parts = [
            architecture.sample(generators, dict(zip(split, part, strict=True)))
            for part in zip(*split.values(), strict=True)
        ]
    return torch.cat(parts)


@contextmanager
def sampling_mode(nets: list[nn.Module], batch_norm: Literal["running", "batch"]) -> Iterator[None]:
    """Put networks into evaluation mode inside; modes and buffers come back after."""
    modes = {module: module.training for net in nets for module in net.modules()}
    kept = [(buffer, buffer.clone()) for net in nets for buffer in net.buffers()]
    for module in modes:
        module.training = batch_norm == "batch" and isinstance(module, _BatchNorm)
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        for buffer, value in kept:
            buffer.copy_(value)
