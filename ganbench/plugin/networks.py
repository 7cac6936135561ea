"""A trial's discriminator, as metrics and inspections may look into it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class TrainedDiscriminator:
    """The discriminator of a trial's whole images, beside itself with its first weights.

    Both networks are copies in evaluation mode whose weights take no gradients: whatever is
    done to them, the trial goes on as it was.

    Attributes
    ----------
    pair : str
        The adversarial pair that it is of: the last one in the shape of the data.
    network : Module
    untrained : callable () -> Module
        The same network with the weights that it began with, the same object at each call. Its
        BatchNorm statistics are taken from data items, since it has met none.
    inputs : callable (items) -> tuple of Tensor
        From items as `Data` has them to what the networks are called with: images in [-1, 1],
        as the pair takes them for real, and their condition, if it has one.
    obstacle : str
        Why the networks judge no single items; empty if they do.
    """

    pair: str
    network: nn.Module
    untrained: Callable[[], nn.Module]
    inputs: Callable[[Tensor], tuple[Tensor, ...]]
    obstacle: str = ""

    def feature_maps(self, network: nn.Module, items: Tensor) -> dict[str, Tensor]:
        """Return a network's feature maps of items, (items, channels, height, width), by name.

        Features without height and width, such as a linear layer's, are not among them.

        Parameters
        ----------
        network : Module
            ``network``, or what ``untrained`` gave.
        items : Tensor, shape (items, *shape)
            As `Data` has them.
        """
        features = _named_features(network, self.inputs(items))
        return {name: found for name, found in features.items() if found.ndim == 4}


def _named_features(network: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, Tensor]:
    shown = getattr(network, "forward_with_features", None)
    if not callable(shown):
        return {}
    with torch.autocast(inputs[0].device.type, enabled=False):
        features: dict[str, Tensor] = shown(*inputs)[1]
    return features
