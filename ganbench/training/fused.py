"""What fused optimizers compute, in plain operations, for a compiler to fuse with the rest."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def adam(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    largest: Sequence[Tensor],
    steps: Sequence[Tensor],
    *,
    lr: float,
    beta1: float,
    beta2: float,
    weight_decay: float,
    eps: float,
    amsgrad: bool,
    maximize: bool,
    decoupled: bool = False,
    **_: Any,
) -> None:
    """Update ``params`` in place as ``torch.optim.Adam`` does (Kingma and Ba 2015, algorithm 1).

    Parameters
    ----------
    params, grads, means, squares : sequence of Tensor
        Of equal shapes; the moments are changed in place too.
    largest : sequence of Tensor
        Empty: of AMSGrad.
    steps : sequence of Tensor, 0-d
        The number of this step, counted from 1.
    lr, beta1, beta2, weight_decay, eps : float
    amsgrad, maximize : bool
        False.
    decoupled : bool
        Decay the weights themselves, not through the gradient (Loshchilov and Hutter 2019).
    """
    if amsgrad or maximize:
        raise NotImplementedError("AMSGrad and ascent have no plain form here")
    for param, gradient, mean, square, step in zip(
        params, grads, means, squares, steps, strict=True
    ):
        grad = gradient
        if weight_decay and decoupled:
            param.mul_(1 - lr * weight_decay)
        elif weight_decay:
            grad = grad.add(param, alpha=weight_decay)
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        # In double: these differences are small, and the kernels take them in double too.
        count = step.double()
        rate = lr / (1 - beta1**count)
        spread = square.sqrt() / (1 - beta2**count).sqrt() + eps
        param.sub_(rate * mean / spread)


def sgd(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    velocities: Sequence[Tensor],
    *,
    weight_decay: float,
    momentum: float,
    lr: float,
    dampening: float,
    nesterov: bool,
    maximize: bool,
    is_first_step: bool,
    **_: Any,
) -> None:
    """Update ``params`` in place as ``torch.optim.SGD`` does.

    Parameters
    ----------
    params, grads : sequence of Tensor
    velocities : sequence of Tensor
        Changed in place too; empty without momentum.
    weight_decay, momentum, lr, dampening : float
    nesterov, maximize, is_first_step : bool
        The last two False.
    """
    if maximize or is_first_step:
        raise NotImplementedError("ascent and a first step have no plain form here")
    for index, (param, gradient) in enumerate(zip(params, grads, strict=True)):
        grad = gradient.add(param, alpha=weight_decay) if weight_decay else gradient
        if momentum:
            velocity = velocities[index]
            velocity.mul_(momentum).add_(grad, alpha=1 - dampening)
            grad = grad.add(velocity, alpha=momentum) if nesterov else velocity
        param.sub_(grad, alpha=lr)


def adamw(*tensors: Sequence[Tensor], **settings: Any) -> None:
    """Update as ``torch.optim.AdamW`` does: see ``adam``."""
    adam(*tensors, decoupled=True, **settings)


DECOMPOSED: dict[Any, Callable[..., None]] = {
    aten._fused_adam_.default: adam,
    aten._fused_adamw_.default: adamw,
    aten._fused_sgd_.default: sgd,
}
