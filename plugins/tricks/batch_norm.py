"""Where BatchNorm stands (Ioffe and Szegedy, 2015; Radford et al., 2016, section 3).

How to use
    ``batch_norm: {placement: none}``, ``{placement: both, input_layer: true}``,
    ``{placement: generator, position: after}``.
Suggested hyperparameters
    ``placement`` both, without G's output layer and D's input layer, before the
    activation, momentum 0.1: what the DCGAN paper does. ``architecture`` leaves the network
    as it was built, and then ignores every other parameter.
Technical details and trade-offs
    Any placement but ``architecture`` first takes every BatchNorm out of both networks and
    then puts one at each chosen layer, so a level means the same for every architecture.
    Normalising in D ties the real batch's logits together and the fake batch's likewise;
    Radford et al. report that leaving it out of G collapses every sample to one point, and
    that putting it at G's output and D's input makes training oscillate. ``momentum`` is
    the weight of the newest batch (PyTorch's convention; Keras states one minus it).
    The head of D is never normalised. Padding, cropping and reshaping that belong to a layer
    stay with it: BatchNorm stands directly before its activation, or directly behind it. A
    block with something else in between has no such place, and the arm is n/a.
Attribution
    S. Ioffe, C. Szegedy, *Batch Normalization*, ICML 2015; A. Radford et al., *Unsupervised
    Representation Learning with DCGANs*, ICLR 2016, section 3.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, cast

import torch
from torch import nn
from torch.func import functional_call

from ganbench.plugin import (
    BuildContext,
    Discriminator,
    Field,
    Search,
    Trick,
    TrickParameters,
)

Norm = nn.BatchNorm1d | nn.BatchNorm2d
Conv = nn.Conv2d | nn.ConvTranspose2d
Weighted = nn.Linear | Conv
Rearranging = nn.Identity | nn.Unflatten | nn.Flatten
REARRANGING = tuple(
    f"torch.nn.modules.{kind}" for kind in ("padding", "dropout", "upsampling", "pixelshuffle")
)
"""Where PyTorch keeps the layers that may stand between a weighted layer and its activation."""


def remove_batch_norm(net: nn.Module) -> None:
    """Take every BatchNorm out of every Sequential of ``net``, in place."""
    for module in net.modules():
        if isinstance(module, nn.Sequential):
            kept = [(n, m) for n, m in module.named_children() if not isinstance(m, Norm)]
            _refill(module, kept)


@dataclass(frozen=True)
class Place:
    """Where a BatchNorm goes in a block, and what it normalises.

    Attributes
    ----------
    index : int
        Of the child before which it goes.
    features : int
    flat : bool
        Whether the features come without a map.
    """

    index: int
    features: int
    flat: bool


def find_place(layers: nn.Sequential, position: Literal["before", "after"]) -> Place | str:
    """Return where a block's BatchNorm goes, or why there is no such place.

    Behind the weighted layer may stand padding, cropping, reshaping, resizing or dropout, and
    then the activation: one of PyTorch's, or a child of the name ``activation``. A block
    without one is normalised at its end.

    Parameters
    ----------
    layers : Sequential
        That holds a weighted layer.
    position : {"before", "after"}
        Of the activation.
    """
    children = list(layers.named_children())
    weighted = [i for i, (_, layer) in enumerate(children) if isinstance(layer, Weighted)]
    if len(weighted) > 1:
        return f"a Sequential with {len(weighted)} weighted layers, where a block has one"
    index = weighted[0] + 1
    while index < len(children) and _rearranges(children[index][1]):
        index += 1
    if index < len(children):
        name, layer = children[index]
        if not _activates(name, layer):
            return f"{name!r}, a {type(layer).__name__}, before any activation"
        index += position == "after"
    shape = _shape_behind([layer for _, layer in children[weighted[0] : index]])
    if shape is None:
        return "a layer that needs a map of one size before the place of BatchNorm"
    return Place(index, shape[0], len(shape) == 1)


def insert_batch_norm(
    layers: nn.Sequential, position: Literal["before", "after"], momentum: float
) -> None:
    """Put a BatchNorm before or behind a block's activation, in place.

    Parameters
    ----------
    layers : Sequential
        That ``find_place`` finds a place in.
    position : {"before", "after"}
        Of the activation. A block without one is normalised at its end.
    momentum : float, in (0, 1]

    Raises
    ------
    ValueError
        If there is no place.
    """
    place = find_place(layers, position)
    if isinstance(place, str):
        raise ValueError(f"no place for a BatchNorm: {place}")
    kind = nn.BatchNorm1d if place.flat else nn.BatchNorm2d
    norm = kind(place.features, momentum=momentum)
    children = list(layers.named_children())
    _refill(layers, [*children[: place.index], ("norm", norm), *children[place.index :]])


def _rearranges(layer: nn.Module) -> bool:
    return isinstance(layer, Rearranging) or type(layer).__module__ in REARRANGING


def _activates(name: str, layer: nn.Module) -> bool:
    return name == "activation" or type(layer).__module__ == "torch.nn.modules.activation"


def _shape_behind(layers: Sequence[nn.Module]) -> tuple[int, ...] | None:
    """Return the shape that layers give of one item, the first being weighted.

    None if they need a map of one size, or their features depend on it. Only shapes are
    computed, on PyTorch's device for that, so that the networks of a study cost nothing.
    """
    found = []
    for size in (24, 32):
        first = layers[0]
        inputs = (
            first.in_features if isinstance(first, nn.Linear) else cast(Conv, first).in_channels
        )
        places = () if isinstance(first, nn.Linear) else (size, size)
        x = torch.empty(1, inputs, *places, device="meta")
        try:
            for layer in layers:
                state = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
                x = functional_call(layer, {name: t.to("meta") for name, t in state.items()}, x)
        except RuntimeError:
            return None
        found.append(tuple(x.shape[1:]))
    one, other = found
    return one if (len(one), one[0]) == (len(other), other[0]) else None


def blocks_of(net: nn.Module) -> list[nn.Sequential]:
    """Return the Sequentials that directly hold a weighted layer, input first."""
    return [
        module
        for module in net.modules()
        if isinstance(module, nn.Sequential)
        and any(isinstance(child, Weighted) for child in module.children())
    ]


def _refill(layers: nn.Sequential, children: list[tuple[str, nn.Module]]) -> None:
    for name in list(layers._modules):
        del layers._modules[name]
    layers._modules.update(OrderedDict(children))


class BatchNorm(Trick):
    """Choose which networks and layers are batch-normalised, and where in the layer."""

    name = "batch_norm"

    class Parameters(TrickParameters):
        placement: Literal["architecture", "both", "generator", "discriminator", "none"] = "both"
        """Which networks have it; ``architecture`` changes nothing."""
        output_layer: bool = False
        """Normalise G's output layer too."""
        input_layer: bool = False
        """Normalise D's input layer too."""
        position: Literal["before", "after"] = "before"
        """Before or after the activation."""
        momentum: Annotated[float, Field(gt=0, le=1), Search(0.01, 0.5, log=True)] = 0.1
        """Weight of the newest batch in the running statistics."""

    neutral = Parameters(placement="architecture")

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        nets = (("generator", ctx.generator), ("discriminator", ctx.discriminator))
        for role, net in nets:
            if net is not None and not blocks_of(net):
                return True, f"the {role} of {ctx.architecture} has no Sequential to place it in"
            for layers in [] if net is None else self._chosen(role, net):
                place = find_place(_without_norm(layers), self.parameters.position)
                if isinstance(place, str):
                    return True, f"the {role} of {ctx.architecture} has {place}"
        return False, ""

    def transform_generator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        return self._transform("generator", net)

    def transform_discriminator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        return self._transform("discriminator", net)

    def _transform(self, role: str, net: nn.Module) -> nn.Module:
        if self.parameters.placement != "architecture":
            remove_batch_norm(net)
            for layers in self._chosen(role, net):
                insert_batch_norm(layers, self.parameters.position, self.parameters.momentum)
        return net

    def _chosen(self, role: str, net: nn.Module) -> list[nn.Sequential]:
        """Return the blocks of a network that get a BatchNorm."""
        if self.parameters.placement not in ("both", role):
            return []
        if role == "generator":
            blocks = blocks_of(net)
            return blocks if self.parameters.output_layer else blocks[:-1]
        blocks = blocks_of(net.blocks if isinstance(net, Discriminator) else net)
        return blocks if self.parameters.input_layer else blocks[1:]


def _without_norm(layers: nn.Sequential) -> nn.Sequential:
    kept = [(name, layer) for name, layer in layers.named_children() if not isinstance(layer, Norm)]
    return nn.Sequential(OrderedDict(kept))
