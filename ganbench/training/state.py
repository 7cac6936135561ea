"""All that a pair's steps read and change, kept while something is tried."""

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

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
    for trick in parts.tricks:
        found += [value for value in vars(trick).values() if isinstance(value, Tensor)]
    return list({id(tensor): tensor for tensor in found}.values())


def compact(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a state whose tensors bring nothing that lies in their memory besides.

    A trial that is trained together with others has rows of theirs.
    """

    def own(tensor: Tensor) -> Tensor:
        return tensor.clone() if tensor.untyped_storage().nbytes() > tensor.nbytes else tensor

    found: Mapping[str, Any] = tree_map_only(Tensor, own, state)
    return found


def plain(parts: Parts) -> dict[str, Any]:
    """Return copies of what tricks and optimizers keep in plain values, under a name each.

    A graph knows nothing of these: a step that changes one cannot be captured.
    """
    return {
        f"{owner}'s {key}": deepcopy(place[key])
        for owner, place in _places(parts)
        for key in place
        if _is_plain(place[key])
    }


@contextmanager
def undisturbed(parts: Parts) -> Iterator[None]:
    """Put a pair's tensors, the trial's streams and what tricks keep back after.

    Tensors keep their places in memory: who holds on to one holds on to it still.
    """
    tensors = [(tensor, tensor.detach().clone()) for tensor in held(parts)]
    streams = {name: state.clone() for name, state in parts.streams.state_dict().items()}
    values = [
        (place, {key: deepcopy(value) for key, value in place.items() if _is_plain(value)})
        for _, place in _places(parts)
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for tensor, value in tensors:
                tensor.copy_(value)
        for place, before in values:
            place.update(before)
        parts.streams.load_state_dict(streams)
        for name in parts.streams.state_dict().keys() - streams.keys():
            # Made inside: whoever asks for it next must find it at its start.
            parts.streams.load_state_dict({name: parts.streams.fresh(name).get_state()})


def _places(parts: Parts) -> Iterator[tuple[str, Any]]:
    """Give the mappings in which tricks and optimizers may keep plain values."""
    for trick in parts.tricks:
        yield trick.name, vars(trick)
    for role, optimizer in parts.optimizers.items():
        for group in optimizer.param_groups:
            yield f"the optimizer of {role}", group
        for state in optimizer.state.values():
            yield f"the optimizer of {role}", state


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(isinstance(key, Hashable) and _is_plain(item) for key, item in value.items())
    return value is None or isinstance(value, bool | int | float | str)
