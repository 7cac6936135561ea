"""Gradient penalties on D (Gulrajani, 2017; Kodali, 2017; Mescheder, 2018).

How to use
    ``gradient_penalty: on`` (WGAN-GP), ``{kind: r1}``, ``{kind: dragan, weight: 10}``. WGAN-GP
    whole: ``objective: {name: wasserstein, clip: null}``, this trick, and five updates of D
    for each of G.
Suggested hyperparameters
    ``weight`` 10, which all three papers used. Adam with β1 0 to 0.5. No BatchNorm in D.
Technical details and trade-offs
    ``wgan-gp`` asks for a gradient of norm 1 at a point drawn uniformly between each real
    image and a fake; ``dragan`` asks for it around real images only;
    ``r1`` and ``r2`` ask for a flat D at real images and at fakes. The penalty is taken at
    D's inputs as D sees them, after every transform, and norms are over a whole input: with
    packing that is a pack. DRAGAN's neighbourhood is that of the authors' code: up to half
    the batch's standard deviation is added to each element, uniformly and upwards, and a
    point is drawn between an image and its neighbour (the paper writes N(0, c I) instead).
    R1 and R2 are weighted with ``weight`` / 2 as in the paper's equations; the authors' code
    leaves out the half. It costs a pass through D and a second backward pass.
    Layers that tie the inputs of a batch together (BatchNorm, minibatch discrimination) give
    an input no gradient of its own: what is penalised there is the gradient of the sum of all
    outputs, and the WGAN-GP paper says to leave BatchNorm out of D. Here it is not taken out,
    that is ``batch_norm: {placement: generator}``; where it stays, the pass through D
    normalises the penalised points among themselves, and moves the running statistics too,
    which training does not use.
Attribution
    I. Gulrajani et al., *Improved Training of Wasserstein GANs*, NeurIPS 2017, equation 3 and
    algorithm 1; N. Kodali et al., *On Convergence and Stability of GANs*, 2017, section 2.3;
    L. Mescheder et al., *Which Training Methods for GANs do actually Converge?*, ICML 2018,
    equations 9 and 10.
"""

from typing import Literal

import torch
from torch import Tensor

from ganbench.plugin import (
    Annotated,
    Buffers,
    DiscriminatorStep,
    Field,
    Judge,
    Search,
    Trick,
    TrickParameters,
)


def input_gradients(judge: Judge, x: Tensor) -> Tensor:
    """Return D's gradient at each input, shape (batch, elements), differentiable by D's weights.

    Parameters
    ----------
    judge : callable (inputs) -> logits
    x : Tensor, shape (batch, ...)
    """
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(judge(x).sum(), x, create_graph=True)
    flat: Tensor = gradient.flatten(1)
    return flat


def squared_norms(gradients: Tensor) -> Tensor:
    """Return the mean of ‖∇D‖², 0-d (Mescheder et al., equations 9 and 10 without γ / 2).

    Parameters
    ----------
    gradients : Tensor, shape (batch, elements)
    """
    return gradients.square().sum(1).mean()


def distance_from_unit_norm(gradients: Tensor) -> Tensor:
    """Return the mean of (‖∇D‖ - 1)², 0-d (Gulrajani et al., equation 3 without λ).

    Parameters
    ----------
    gradients : Tensor, shape (batch, elements)
    """
    # Where a gradient is 0, as behind dead units, this norm's own gradient is 0; that of the
    # root of a sum of squares is NaN.
    norms: Tensor = torch.linalg.vector_norm(gradients, dim=1)
    return (norms - 1).square().mean()


def between(one: Tensor, other: Tensor, stream: torch.Generator) -> Tensor:
    """Return a uniformly drawn point between each input and its partner.

    Parameters
    ----------
    one, other : Tensor, shape (batch, ...)
    stream : torch.Generator
    """
    shape = (len(one), *[1] * (one.ndim - 1))
    share = torch.rand(shape, generator=stream, device=one.device, dtype=one.dtype)
    return share * one + (1 - share) * other


def neighbours(x: Tensor, stream: torch.Generator) -> Tensor:
    """Return inputs with U(0, 1) times half the batch's standard deviation added (DRAGAN).

    Parameters
    ----------
    x : Tensor, shape (batch, ...)
    stream : torch.Generator
    """
    noise = torch.rand(x.shape, generator=stream, device=x.device, dtype=x.dtype)
    return x + 0.5 * x.std(correction=0) * noise


class GradientPenalty(Trick):
    """Add to D's loss how far its gradient by its input is from 1, or from 0."""

    name = "gradient_penalty"

    class Parameters(TrickParameters):
        kind: Literal["wgan-gp", "dragan", "r1", "r2"] = "wgan-gp"
        """Where the gradient is taken, and what it should be."""
        weight: Annotated[float, Field(ge=0, le=10_000), Search(0.1, 100, log=True)] = 10.0
        """λ of WGAN-GP and DRAGAN, γ of R1 and R2; each paper's own is 10."""

    neutral = Parameters(weight=0.0)

    def discriminator_penalty(self, step: DiscriminatorStep, buf: Buffers) -> Tensor:
        weight: float = self.parameters.weight
        if weight == 0:  # one more pass through D would move the statistics of its BatchNorm
            return step.real_logits.new_zeros(())
        gradients = input_gradients(step.judge, self._points(step, buf.generator))
        if self.parameters.kind in ("r1", "r2"):
            return weight / 2 * squared_norms(gradients)
        return weight * distance_from_unit_norm(gradients)

    def _points(self, step: DiscriminatorStep, stream: torch.Generator) -> Tensor:
        """Return the inputs of D at which the gradient is taken."""
        if self.parameters.kind == "wgan-gp":
            return between(step.real, step.fake, stream)
        if self.parameters.kind == "dragan":
            return between(step.real, neighbours(step.real, stream), stream)
        return step.real if self.parameters.kind == "r1" else step.fake
