"""Optimizers by name, fused where PyTorch has a fused kernel."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganbench.config.model import Optimizer as OptimizerSettings
from ganbench.plugin import OptimizerSpec

_CLASSES: dict[str, type[Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
_FUSED = {"adam", "adamw", "sgd"}


def optimizer_spec(settings: OptimizerSettings) -> OptimizerSpec:
    """Return the keyword arguments that ``torch.optim`` knows a study's optimizer by."""
    arguments: dict[str, object] = {"lr": settings.lr, "weight_decay": settings.weight_decay}
    if settings.name in ("adam", "adamw"):
        arguments["betas"] = (settings.beta1, settings.beta2)
    else:
        arguments["momentum"] = settings.momentum
    return OptimizerSpec(settings.name, arguments)


def make_optimizer(spec: OptimizerSpec, params: Sequence[Tensor]) -> Optimizer:
    """Return the optimizer of a spec over ``params``.

    Fused kernels compute the same update in fewer passes; RMSprop has none.
    """
    arguments = dict(spec.arguments)
    if spec.name in _FUSED:
        arguments["fused"] = True
    elif spec.name == "rmsprop":
        arguments["foreach"] = True
    return _CLASSES[spec.name](list(params), **arguments)


def set_gradients(params: Sequence[nn.Parameter], grads: Sequence[Tensor]) -> None:
    """Hand gradients to an optimizer's parameters, in the layout and type of each.

    ``backward`` would see to that; ``autograd.grad`` gives what the last operation left,
    perhaps expanded or transposed, and fused kernels walk both memories side by side.
    """
    for parameter, grad in zip(params, grads, strict=True):
        fits = grad.stride() == parameter.stride() and grad.dtype == parameter.dtype
        parameter.grad = grad if fits else torch.empty_like(parameter).copy_(grad)
