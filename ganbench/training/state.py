"""All that a pair's steps read and change, kept while something is tried."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ganbench.training.update import Parts


def held(parts: Parts) -> list[Tensor]:
    """Return the tensors of a pair: weights, layers' buffers, optimizers' states, tricks'."""
    built = parts.built
    networks = [built.pair.generator, built.pair.discriminator, *built.modules.values()]
    found: list[Tensor] = []
    for net in networks:
        found += [*net.parameters(), *net.buffers()]
    for own in built.buffers.values():
        found += own.tensors.values()
        for module in own.modules.values():
            found += [*module.parameters(), *module.buffers()]
    for optimizer in parts.optimizers.values():
        for state in optimizer.state.values():
            found += [value for value in state.values() if isinstance(value, Tensor)]
    return list({id(tensor): tensor for tensor in found}.values())


@contextmanager
def undisturbed(parts: Parts) -> Iterator[None]:
    """Put a pair's tensors, the trial's streams and the tricks' states back after.

    Tensors keep their places in memory: who holds on to one holds on to it still.
    """
    tensors = held(parts)
    values = [tensor.detach().clone() for tensor in tensors]
    streams = {name: state.clone() for name, state in parts.streams.state_dict().items()}
    tricks = [trick.state_dict() for trick in parts.tricks]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(value)
        parts.streams.load_state_dict(streams)
        for trick, state in zip(parts.tricks, tricks, strict=True):
            trick.load_state_dict(state)
