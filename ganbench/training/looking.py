"""A trial's discriminator as others may look into it: copies, so that nothing is disturbed."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganbench.data.images import normalise
from ganbench.plugin import TrainedDiscriminator
from ganbench.training.assembly import assemble
from ganbench.training.hooks import overrides
from ganbench.training.networks import BuiltPair, views
from ganbench.training.trial import Trial

STATISTICS = 1000
"""Data items that the statistics of an untrained network's BatchNorm are taken from."""
BATCH = 100
"""Items in each batch of them."""


def trained_discriminator(trial: Trial) -> TrainedDiscriminator:
    """Return copies of the discriminator that judges a trial's whole images."""
    place = _whole(trial)
    built = trial.pairs[place]
    network = _copied(built.pair.discriminator)

    def inputs(items: Tensor) -> tuple[Tensor, ...]:
        real, condition = views(built.pair, normalise(items.to(trial.device)))
        return (real,) if condition is None else (real, condition)

    @cache
    def untrained() -> nn.Module:
        # Built anew from the seed, as a trial that has yet to begin: with streams of its own.
        with torch.inference_mode(False), torch.enable_grad():
            fresh = assemble(trial.config, trial.seed, trial.resident, trial.host)
        found = _copied(fresh.pairs[place].pair.discriminator)
        _take_statistics(found, _items(trial), inputs)
        return found

    obstacle = _obstacle(trial, built, network, inputs)
    return TrainedDiscriminator(built.pair.name, network, untrained, inputs, obstacle)


def _whole(trial: Trial) -> int:
    """Return the place of the last pair whose images have the data's shape."""
    shape = trial.context.spec.shape
    places = [i for i, built in enumerate(trial.pairs) if built.context.spec.shape == shape]
    return places[-1] if places else len(trial.pairs) - 1


def _copied(network: nn.Module) -> nn.Module:
    return deepcopy(network).eval().requires_grad_(False)


def _items(trial: Trial) -> Sequence[Tensor]:
    """Return batches of a fixed draw of the data."""
    items = trial.resident.items
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(0))
    return torch.split(items[order[:STATISTICS].to(items.device)], BATCH)


@torch.no_grad()
def _take_statistics(
    network: nn.Module,
    batches: Sequence[Tensor],
    inputs: Callable[[Tensor], tuple[Tensor, ...]],
) -> None:
    """Set BatchNorm's running statistics to their means over batches of the data."""
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a mean of all batches, each with the same weight
        norm.train()
    for batch in batches if norms else ():
        if len(batch) > 1:
            network(*inputs(batch))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


@torch.no_grad()
def _obstacle(
    trial: Trial,
    built: BuiltPair,
    network: nn.Module,
    inputs: Callable[[Tensor], tuple[Tensor, ...]],
) -> str:
    """Say why a network gives single items no logit each; nothing if it does."""
    two = trial.resident.items[:2]
    try:
        judged = tuple(network(*inputs(two)).shape) == (len(two), 1)
    except (RuntimeError, ValueError):  # of a layer that expects another shape
        judged = False
    if judged:
        return ""
    names = [t.name for t in trial.tricks if overrides(t, "transform_discriminator_input")]
    changed = f", whose input is changed by {', '.join(names)}," if names else ""
    return f"the discriminator of {built.context.architecture}{changed} judges no single images"
