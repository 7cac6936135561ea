"""Gradient clipping, by value or by norm (Pascanu et al., 2013).

How to use
    ``gradient_clipping: on`` clips every component to [-1, 1] in both networks;
    ``{kind: norm, generator: 5, discriminator: null}`` keeps the norm of G's whole gradient
    at 5 or less, and leaves D's alone.
Suggested hyperparameters
    By value 1, as in Chollet's DCGAN (Keras' ``clipvalue``); by norm 1 to 10.
Technical details and trade-offs
    By value each component is cut by itself, which turns the gradient's direction; by norm
    the gradient of all of a network's parameters together is shortened (algorithm 1 of the
    paper). Behind Adam and RMSprop, which divide by a running size of the gradient, the length
    matters little unless it changes suddenly: clipping is an insurance against the rare step.
    A limit is in units of the loss: D's is the sum of the real and the fake batch's means, so
    a limit from a program that takes the mean over a mixed batch must be doubled. Modules that
    a trick trains in a role of its own are not clipped.
Attribution
    R. Pascanu, T. Mikolov, Y. Bengio, *On the difficulty of training recurrent neural networks*,
    ICML 2013, section 3.2; F. Chollet, *Deep Learning with Python*, 2017, section 8.5.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ganbench.plugin import Annotated, Buffers, Field, Role, Search, Trick, TrickParameters


def clip_values(grads: Sequence[Tensor], limit: float) -> list[Tensor]:
    """Cut every component to [-limit, limit]."""
    return [grad.clamp(-limit, limit) for grad in grads]


def clip_norm(grads: Sequence[Tensor], limit: float) -> list[Tensor]:
    """Shorten the gradients, taken as one vector, to the norm ``limit`` if they are longer.

    Parameters
    ----------
    grads : sequence of Tensor
        One a parameter, of any shapes.
    limit : float, above 0
    """
    norm = torch.stack([grad.square().sum() for grad in grads]).sum().sqrt()
    scale = (limit / norm).clamp(max=1.0)  # a norm of 0 gives infinity, and so 1
    return [grad * scale for grad in grads]


class GradientClipping(Trick):
    """Bound the gradients of either network before its optimizer sees them."""

    name = "gradient_clipping"

    class Parameters(TrickParameters):
        kind: Literal["value", "norm"] = "value"
        """Bound each component by itself, or the norm of all of a network's together."""
        generator: Annotated[float | None, Field(gt=0, le=1e6), Search(0.01, 10, log=True)] = 1.0
        """Bound of G's gradients; null for none."""
        discriminator: Annotated[float | None, Field(gt=0, le=1e6), Search(0.01, 10, log=True)] = (
            1.0
        )
        """Bound of D's gradients; null for none."""

    neutral = Parameters(generator=None, discriminator=None)

    def transform_gradients(
        self, role: Role, grads: Sequence[Tensor], buf: Buffers
    ) -> Sequence[Tensor]:
        limits = {
            "generator": self.parameters.generator,
            "discriminator": self.parameters.discriminator,
        }
        limit = limits.get(role)
        if limit is None or not grads:
            return grads
        clip = clip_values if self.parameters.kind == "value" else clip_norm
        return clip(grads, limit)
