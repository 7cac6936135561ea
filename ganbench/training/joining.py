"""Whether a discriminator judges each image by itself, so that it may judge two batches as one."""

from torch import nn

from ganbench.plugin import Discriminator
from ganbench.training.linear import OneDnnLinear

CONTAINERS = (nn.Sequential, Discriminator)
LAYERS = (
    nn.Linear,
    OneDnnLinear,
    nn.Conv1d,
    nn.Conv2d,
    nn.ConvTranspose2d,
    nn.Flatten,
    nn.Unflatten,
    nn.Identity,
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Sigmoid,
    nn.Softplus,
    nn.Tanh,
    nn.ZeroPad2d,
    nn.AvgPool2d,
    nn.MaxPool2d,
    nn.Upsample,
    nn.LayerNorm,
    nn.GroupNorm,
)
"""What neither looks across a batch, nor draws, nor changes when it is called."""
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def judges_each_alone(net: nn.Module) -> bool:
    """Say whether a network is known to give an image the logit that it gives it in any batch.

    And to be none the worse for being called once where it would be called twice. Layers are known
    by their own types: a subclass, as one whose weight is computed, may do more.
    """
    for module in net.modules():
        if type(module) not in (*CONTAINERS, *LAYERS):
            return False
        if "forward" in vars(module) or any(getattr(module, hooks) for hooks in HOOKS):
            return False
    return True
