"""Optimizers by name, fused where PyTorch has a fused kernel; decay of the learning rate."""

from collections.abc import Sequence
from typing import Any

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
    """Return a study's optimizer as ``torch.optim`` knows it."""
    arguments: dict[str, object] = {"lr": settings.lr, "weight_decay": settings.weight_decay}
    if settings.name in ("adam", "adamw"):
        arguments["betas"] = (settings.beta1, settings.beta2)
    else:
        arguments["momentum"] = settings.momentum
    if settings.name != "sgd":
        arguments["eps"] = settings.eps
    if settings.name == "rmsprop":
        arguments["alpha"] = settings.alpha
    return OptimizerSpec(settings.name, arguments, settings.decay, settings.decay_law)


def make_optimizer(spec: OptimizerSpec, params: Sequence[Tensor]) -> Optimizer:
    """Return the optimizer of a spec over ``params``.

    Fused kernels compute the same update in fewer passes; RMSprop has none. On a GPU all of
    them count their steps there, where a CUDA graph can.
    """
    arguments = dict(spec.arguments)
    if spec.name in _FUSED:
        arguments["fused"] = True
    elif spec.name == "rmsprop":
        arguments |= {"foreach": True, "capturable": any(one.is_cuda for one in params)}
    optimizer = _CLASSES[spec.name](list(params), **arguments)
    if spec.decay > 0:
        _decay_before_steps(optimizer, spec.decay, spec.decay_law)
    return optimizer


def spec_problem(spec: object) -> str | None:
    """Say why no optimizer can be made of a spec that a trick gave; None if one can."""
    if not isinstance(spec, OptimizerSpec):
        return f"a value of type {type(spec).__name__}, expected an OptimizerSpec"
    if spec.name not in _CLASSES:
        return f"the optimizer {spec.name!r}, expected one of {', '.join(_CLASSES)}"
    try:
        make_optimizer(spec, [torch.zeros(1, requires_grad=True)])
    except (TypeError, ValueError) as error:
        return f"arguments that {spec.name} does not take: {error}"
    return None


def decayed_rate(rate: float, decay: float, law: str, update: int) -> float:
    """Return the learning rate of an update.

    Parameters
    ----------
    rate : float
        At update 0.
    decay : float, at least 0
    law : {"inverse-time", "exponential"}
        rate / (1 + decay · update), which is Keras' ``decay``; or rate / (1 + decay)^update,
        which is pylearn2's ``ExponentialDecay`` with the factor 1 + decay.
    update : int, from 0
    """
    if law == "exponential":
        return rate * (1 + decay) ** -update
    return rate / (1 + decay * update)


def _decay_before_steps(optimizer: Optimizer, decay: float, law: str) -> None:
    """Let each step of ``optimizer`` set its own learning rate first.

    The count of updates lies in the parameter groups, and so in the optimizer's state dict:
    a trial that goes on from a checkpoint goes on with the rate it had.
    """
    for group in optimizer.param_groups:
        group |= {"initial_lr": group["lr"], "updates": 0}

    def set_rate(stepping: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for group in stepping.param_groups:
            group["lr"] = decayed_rate(group["initial_lr"], decay, law, group["updates"])
            group["updates"] += 1

    optimizer.register_step_pre_hook(set_rate)


def set_gradients(params: Sequence[nn.Parameter], grads: Sequence[Tensor]) -> None:
    """Hand gradients to an optimizer's parameters, in the layout and type of each.

    ``backward`` would see to that; ``autograd.grad`` gives what the last operation left,
    perhaps expanded or transposed, and fused kernels walk both memories side by side.
    """
    for parameter, grad in zip(params, grads, strict=True):
        fits = grad.stride() == parameter.stride() and grad.dtype == parameter.dtype
        parameter.grad = grad if fits else torch.empty_like(parameter).copy_(grad)
