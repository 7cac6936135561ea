"""Drawing latents, and sampling a generator without disturbing its training."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganbench.plugin import Architecture, Buffers, TrainingSpec


def draw_latents(spec: TrainingSpec, count: int, stream: torch.Generator) -> Tensor:
    """Return latents of shape (count, latent): N(0, 1), or U(-1, 1)."""
    shape = (count, spec.latent.dimension)
    if spec.latent.distribution == "uniform":
        return torch.rand(shape, generator=stream, device=stream.device).mul_(2).sub_(1)
    return torch.randn(shape, generator=stream, device=stream.device)


def with_stream(buffers: Buffers, stream: torch.Generator) -> Buffers:
    """Return a trick's buffers with another stream, so that its own does not move on."""
    return replace(buffers, generator=stream)


@torch.no_grad()
def sample(
    architecture: Architecture,
    generators: Mapping[str, nn.Module],
    latents: Tensor,
    batch_size: int,
    batch_norm: Literal["running", "batch"],
) -> Tensor:
    """Return what the generators make of ``latents``, in batches of a fixed size.

    Parameters
    ----------
    architecture : Architecture
        Knows how the pairs' generators work together.
    generators : mapping of pair name to Module
    latents : Tensor, shape (count, latent)
    batch_size : int
    batch_norm : {"running", "batch"}
        Statistics of BatchNorm layers: the running means, or the batch's own. Every other
        layer is in evaluation mode.

    Returns
    -------
    Tensor, shape (count, *shape), in the range of the generator's output
    """
    with sampling_mode(list(generators.values()), batch_norm):
        parts = [architecture.sample(generators, part) for part in torch.split(latents, batch_size)]
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
