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
    The head of D is never normalised.
Attribution
    S. Ioffe, C. Szegedy, *Batch Normalization*, ICML 2015; A. Radford et al., *Unsupervised
    Representation Learning with DCGANs*, ICLR 2016, section 3.
"""

from collections import OrderedDict
from typing import Annotated, Literal, cast

from torch import nn

from ganbench.plugin import (
    BuildContext,
    Discriminator,
    Field,
    Search,
    Trick,
    TrickParameters,
)

Norm = nn.BatchNorm1d | nn.BatchNorm2d
Weighted = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


def remove_batch_norm(net: nn.Module) -> None:
    """Take every BatchNorm out of every Sequential of ``net``, in place."""
    for module in net.modules():
        if isinstance(module, nn.Sequential):
            kept = [(n, m) for n, m in module.named_children() if not isinstance(m, Norm)]
            _refill(module, kept)


def insert_batch_norm(
    layers: nn.Sequential, position: Literal["before", "after"], momentum: float
) -> None:
    """Put a BatchNorm behind a block's weighted layer, or behind its activation, in place.

    Parameters
    ----------
    layers : Sequential
        A weighted layer, perhaps a reshape, perhaps an activation.
    position : {"before", "after"}
        Of the activation. A block without one is normalised at its end.
    momentum : float, in (0, 1]
    """
    children = list(layers.named_children())
    start = next(i for i, (_, layer) in enumerate(children) if isinstance(layer, Weighted))
    place = start + 1
    following = children[place][1] if place < len(children) else None
    features, flat = _channels(children[start][1], following)
    if isinstance(following, nn.Unflatten):
        place += 1
    if position == "after" and place < len(children):
        place += 1
    kind = nn.BatchNorm1d if flat else nn.BatchNorm2d
    norm = kind(features, momentum=momentum)
    _refill(layers, [*children[:place], ("norm", norm), *children[place:]])


def _channels(weighted: nn.Module, following: nn.Module | None) -> tuple[int, bool]:
    """Return the channels to normalise, and whether they come without a map."""
    if isinstance(following, nn.Unflatten):
        sizes = [int(size) for size in following.unflattened_size]
        return sizes[0], len(sizes) == 1
    if isinstance(weighted, nn.Linear):
        return weighted.out_features, True
    return int(cast(nn.Conv2d, weighted).out_channels), False


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
        for role, net in (("generator", ctx.generator), ("discriminator", ctx.discriminator)):
            if net is not None and not blocks_of(net):
                return True, f"the {role} of {ctx.architecture} has no Sequential to place it in"
        return False, ""

    def transform_generator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        if self.parameters.placement == "architecture":
            return net
        remove_batch_norm(net)
        if self.parameters.placement in ("both", "generator"):
            blocks = blocks_of(net)
            self._place(blocks if self.parameters.output_layer else blocks[:-1])
        return net

    def transform_discriminator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        if self.parameters.placement == "architecture":
            return net
        remove_batch_norm(net)
        if self.parameters.placement in ("both", "discriminator"):
            blocks = blocks_of(net.blocks if isinstance(net, Discriminator) else net)
            self._place(blocks if self.parameters.input_layer else blocks[1:])
        return net

    def _place(self, blocks: list[nn.Sequential]) -> None:
        for layers in blocks:
            insert_batch_norm(layers, self.parameters.position, self.parameters.momentum)
