"""What several tricks ask of a network, or change in one."""

import copy
import math

import torch
from torch import nn

from ganbench.plugin import BuildContext, Discriminator


def is_conditional(ctx: BuildContext) -> bool:
    """Say whether both networks of the pair are shown a condition besides."""
    first = torch.zeros(1, dtype=torch.int64, device=ctx.device)
    return ctx.real_batch(first)[1] is not None


def first_weighted(net: nn.Module) -> tuple[str, nn.Module]:
    """Return the first layer with parameters of its own, in the order of registration.

    Returns
    -------
    name : str
        Qualified, as ``get_submodule`` takes it; empty if there is no such layer.
    layer : Module
        ``net`` itself if there is no such layer.
    """
    for name, module in net.named_modules():
        if next(module.parameters(recurse=False), None) is not None:
            return name, module
    return "", net


def replace_layer(net: nn.Module, name: str, layer: nn.Module) -> None:
    """Put a layer in the place of the one of a qualified name, in place."""
    parent, _, child = name.rpartition(".")
    setattr(net.get_submodule(parent), child, layer)


def with_inputs(layer: nn.Module, inputs: int) -> nn.Conv2d | nn.Linear:
    """Return a new layer like a given one, for another number of channels or features.

    What an architecture wrote on the layer comes along (`copy_marks`), so the architecture
    draws the new layer's weights by the rule of the old one.

    Parameters
    ----------
    layer : Conv2d, of one group, or Linear
    inputs : int

    Raises
    ------
    TypeError
        If it is another kind of layer, such as one that was reparametrised.
    """
    biased = getattr(layer, "bias", None) is not None
    made: nn.Conv2d | nn.Linear
    if type(layer) is nn.Linear:
        made = nn.Linear(inputs, layer.out_features, biased)
    elif type(layer) is nn.Conv2d:
        made = nn.Conv2d(
            inputs,
            layer.out_channels,
            layer.kernel_size,  # type: ignore[arg-type]
            layer.stride,  # type: ignore[arg-type]
            layer.padding,  # type: ignore[arg-type]
            layer.dilation,  # type: ignore[arg-type]
            bias=biased,
            padding_mode=layer.padding_mode,
        )
    else:
        what = type(layer).__name__
        raise TypeError(f"{what} cannot be widened, only a plain Conv2d or Linear can")
    copy_marks(layer, made)
    return made


def copy_marks(layer: nn.Module, other: nn.Module) -> None:
    """Give a layer the attributes that somebody wrote on another of its class.

    An architecture that draws some layers by a rule of their own marks them by an attribute
    (``layer.initial_deviation = 0.005``) and looks for it in ``initialise``; so a layer that
    takes the place of a marked one is drawn alike. What ganbench itself notes on a layer,
    such as that its weights are not to be drawn, is about the old weights and stays behind.
    """
    for name, value in vars(layer).items():
        if name not in vars(other) and not name.startswith("_ganbench"):
            object.__setattr__(other, name, value)


def images_per_input(net: nn.Module, ctx: BuildContext) -> int:
    """Return how many of the data's images make one input of D: more than 1 behind packing.

    Parameters
    ----------
    net : Module
        D as it is; what its first layer takes says so.
    ctx : BuildContext
    """
    if "packing" not in ctx.tricks:
        return 1
    _, layer = first_weighted(net)
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels // ctx.spec.channels
    if isinstance(layer, nn.Linear):
        return layer.in_features // math.prod(ctx.spec.shape)
    return 1


def head_problem(ctx: BuildContext) -> str:
    """Say why D's head cannot be given more features; empty if it can."""
    net = ctx.discriminator
    if not isinstance(net, Discriminator):
        return f"the discriminator of {ctx.architecture} has no blocks and head to put it between"
    if type(net.head) is not nn.Linear:
        return f"the head of D is a {type(net.head).__name__}, and only a Linear can be widened"
    size = last_shape(net, ctx).numel()
    if net.head.in_features != size:
        return f"D's head takes {net.head.in_features} features, and its last block gives {size}"
    return ""


def last_shape(net: Discriminator, ctx: BuildContext) -> torch.Size:
    """Return the shape of what D's last block gives for one image.

    Parameters
    ----------
    net : Discriminator
        Its first layer says how many channels, or features, come in: for a conditional D
        they are more than the data's.
    ctx : BuildContext
    """
    _, layer = first_weighted(net.blocks)
    shape = ctx.spec.shape
    if isinstance(layer, nn.Conv2d):
        shape = (layer.in_channels, *shape[1:])
    elif isinstance(layer, nn.Linear):
        shape = (layer.in_features,)
    blocks = copy.deepcopy(net.blocks).eval()
    with torch.no_grad():
        return torch.Size(blocks(torch.zeros(1, *shape)).shape[1:])
