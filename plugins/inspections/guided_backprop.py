"""What D's last feature maps look for, by guided backpropagation, against a random D's.

How to use: on by default; with a convolutional D of ReLU or LeakyReLU layers.

Parameters: ``images``, how many data items are searched for the strongest responses.

Technical details and trade-offs: of the last feature map of D, the first channels that respond to
anything are shown. For each, the data items at which its response is largest anywhere in the map
are searched, and the gradient of that one response is taken with respect to the image, passed
back through a ReLU only where both the gradient and the ReLU's input are positive. Springenberg et
al. define that for ReLU; a LeakyReLU is treated as one, on the way back alone. Pixels that would
raise the response are bright, those that would lower it dark; each gradient is scaled to its own
largest value, so strengths cannot be compared between cells. The control is the same network with
the weights that it began with, its BatchNorm with statistics of data. A gradient of a random
network shows edges of the image too, so the trained one must be seen beside it.

Attribution: Springenberg, Dosovitskiy, Brox and Riedmiller, 2015, section 3.4; shown of a
DCGAN's D, against random weights, by Radford, Metz and Chintala, 2016, section 6.3.1, figure 5.
"""

from collections.abc import Mapping
from copy import deepcopy

import torch
from torch import Tensor, nn

from ganbench.plugin import (
    Annotated,
    Field,
    Inspection,
    InspectionContext,
    InspectionParameters,
    NothingToShowError,
    Picture,
    TrainedDiscriminator,
)

CHANNELS = 6
"""Channels shown, as in the paper's figure."""
ITEMS = 3
"""Data items shown of each."""
ORDINALS = ("1st", "2nd", "3rd")
BATCH = 100


class GuidedReLU(nn.Module):
    """A ReLU, leaky or not, that passes back positive gradients to positive inputs alone.

    Parameters
    ----------
    slope : float
        Of the negative side, on the way forward.
    """

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Return ReLU, or LeakyReLU, of ``x``."""
        gated: Tensor = _Gate.apply(x, self.slope)
        return gated


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, slope: float) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x > 0)
        return torch.where(x > 0, x, slope * x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        (positive,) = ctx.saved_tensors
        return gradient * positive * (gradient > 0), None


def guided(network: nn.Module) -> nn.Module:
    """Return a copy of a network whose ReLU and LeakyReLU layers are guided ones.

    Raises
    ------
    NothingToShowError
        If it has no such layers.
    """
    found, changed = deepcopy(network), 0
    for module in list(found.modules()):
        for name, layer in module.named_children():
            if isinstance(layer, nn.ReLU | nn.LeakyReLU):
                slope = layer.negative_slope if isinstance(layer, nn.LeakyReLU) else 0.0
                setattr(module, name, GuidedReLU(slope))
                changed += 1
    if not changed:
        raise NothingToShowError(
            "the discriminator has no ReLU or LeakyReLU layers, which guided backpropagation needs"
        )
    return found


class GuidedBackpropagation(Inspection):
    """The pixels that D's features respond to, of a trained D and of a random one."""

    name = "guided_backprop"
    title = "What D's features respond to"
    order = 30
    note = (
        "A row is a channel of D's last feature map. It shows the three training images to which "
        "that channel responds most strongly, and to the right of each one the pixels which the "
        "response comes from (guided backpropagation): light where lighter pixels would raise it, "
        "dark where darker ones would. A D that has learned has channels for parts: the same "
        "stroke, eye or wheel in all three images, and grey elsewhere. A D with random weights "
        "responds to edges anywhere, and its channels are alike. Only what the trained one shows "
        "beyond that has been learned."
    )

    class Parameters(InspectionParameters):
        """Parameters of `GuidedBackpropagation`."""

        images: Annotated[int, Field(ge=10, le=100_000)] = 1000
        """Training images, a fixed draw, among which the strongest responses are found."""

    def draw(self, ctx: InspectionContext) -> Mapping[str, Picture]:
        shown = ctx.discriminator()
        if shown.obstacle:
            raise NothingToShowError(shown.obstacle)
        draws = torch.Generator().manual_seed(0)
        order = torch.randperm(len(ctx.data.items), generator=draws)[: self.parameters.images]
        items = ctx.data.items[order.to(ctx.data.items.device)]
        networks = {
            "trained": (shown.network, "The discriminator as trained."),
            "untrained": (shown.untrained(), "The same one with the random weights it began with."),
        }
        return {
            name: _picture(shown, network, items, caption)
            for name, (network, caption) in networks.items()
        }


def _picture(
    shown: TrainedDiscriminator, network: nn.Module, items: Tensor, caption: str
) -> Picture:
    name, responses = _responses(shown, network, items)
    live = (responses.amax(0) > 0).nonzero().flatten()[:CHANNELS].tolist()
    if not live:
        raise NothingToShowError(f"no channel of D's feature map {name!r} responds to any image")
    network, rows = guided(network), []
    for channel in live:
        best = responses[:, channel].topk(min(ITEMS, len(items))).indices.to(items.device)
        gradients = _gradients(shown, network, items[best], name, channel)
        row = torch.stack([items[best].to(gradients) / 127.5 - 1, gradients], 1)
        rows.append(row.flatten(0, 1))
    return Picture(
        torch.stack(rows),
        f"{caption} Channels of the feature map {name!r}.",
        row_labels=tuple(f"channel {channel + 1}" for channel in live),
        column_labels=tuple(
            text for place in range(len(rows[0]) // 2) for text in (ORDINALS[place], "pixels")
        ),
    )


def _responses(
    shown: TrainedDiscriminator, network: nn.Module, items: Tensor
) -> tuple[str, Tensor]:
    """Return the last feature map's name and largest values, (items, channels), on the CPU."""
    found, name = [], ""
    for batch in torch.split(items, BATCH):
        maps = shown.feature_maps(network, batch)
        if not maps:
            raise NothingToShowError(
                "the discriminator has no feature maps: it is not convolutional"
            )
        name = list(maps)[-1]
        found.append(maps[name].amax((2, 3)).float().cpu())
    return name, torch.cat(found)


def _gradients(
    shown: TrainedDiscriminator, network: nn.Module, items: Tensor, name: str, channel: int
) -> Tensor:
    """Return the guided gradients of a channel's largest response, each scaled into [-1, 1]."""
    inputs = shown.inputs(items)
    image = inputs[0].detach().requires_grad_()
    with torch.enable_grad():
        _, maps = network.forward_with_features(image, *inputs[1:])  # type: ignore[operator]
        largest = maps[name][:, channel].flatten(1).amax(1)
        (gradient,) = torch.autograd.grad(largest.sum(), image)
    scale = gradient.abs().amax((1, 2, 3), keepdim=True)
    scaled: Tensor = gradient / scale.clamp(min=torch.finfo(gradient.dtype).tiny)
    return scaled.detach().clamp(-1, 1)
