"""Unrolled GAN: G is trained against the D of some updates later (Metz et al., 2017).

How to use
    ``unrolled: on``, or ``{steps: 10}``, ``{rate: 0.001}``; the authors' code: ``{loss: saddle}``.
Suggested hyperparameters
    ``steps`` 5, as in the authors' code; the paper tries 1, 5 and 10.
Technical details and trade-offs
    In G's half D takes ``steps`` updates on a copy of its weights, all on the step's batch, and
    G's gradient goes through these updates: it sees how D would answer (the second term of
    equation 12). D itself, its optimizer and its BatchNorm are left as they are. The updates
    are those of D's own optimizer from its present moments, as in the authors' code, which
    unrolls Adam; ``rate`` makes them plain gradient steps, as equation 7 is written.
    ``loss: objective`` keeps the trial's loss of G, so that an arm differs by the unrolling and
    by nothing else. ``loss: saddle`` is the source's (equation 9): G maximises D's whole loss,
    in which the real images' part depends on G too, by way of D's updates. Beside a baseline
    that does not saturate it is a second change; its own is ``objective: saturating``.
    ``through_updates: false`` drops the second term: G meets the later D as it is.
    D's loss is taken without the penalties that tricks add to it, and the updates without what
    tricks or an objective do to gradients or weights, such as clipping. The authors' loop
    updates D and G at once; here D goes first. Each unrolled step costs two passes through D,
    forwards and twice backwards, and all of them are held in memory.
Attribution
    L. Metz, B. Poole, D. Pfau, J. Sohl-Dickstein, *Unrolled Generative Adversarial Networks*,
    ICLR 2017, sections 2.2 to 2.4, equations 7, 9 and 12.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import SGD, Adam, Optimizer, RMSprop

from ganbench.plugin import (
    Annotated,
    Buffers,
    Field,
    GeneratorStep,
    Search,
    Trick,
    TrickParameters,
)

State = Mapping[str, Tensor]
"""What an optimizer keeps of a weight, under PyTorch's names."""
Rule = Callable[[Tensor, Tensor, State, Mapping[str, Any]], tuple[Tensor, State]]
"""From a weight, its gradient, state and options to the next weight and state."""
UNFOLLOWED = ("amsgrad", "centered", "dampening", "maximize", "nesterov")
"""Options that the rules below do not know; no trial's optimizer has them."""


def unroll(
    loss: Callable[[Mapping[str, Tensor]], Tensor],
    weights: Mapping[str, Tensor],
    step: Callable[[str, Tensor, Tensor, State], tuple[Tensor, State]],
    states: Mapping[str, State],
    steps: int,
    through: bool,
) -> dict[str, Tensor]:
    """Return the weights after some updates, differentiable by all that the loss depends on.

    Parameters
    ----------
    loss : callable (weights) -> Tensor
        0-d, to be minimised.
    weights : mapping of str to Tensor
        Leaves; they are not changed.
    step : callable (name, weight, gradient, state) -> (weight, state)
    states : mapping of str to mapping of str to Tensor
        What the optimizer keeps of each weight.
    steps : int
    through : bool
        Keep the graph of the updates; without, the result is a constant.
    """
    current, kept = dict(weights), dict(states)
    for _ in range(steps):
        gradients = torch.autograd.grad(
            loss(current),
            list(current.values()),
            create_graph=through,
            allow_unused=True,
            materialize_grads=True,
        )
        for name, gradient in zip(list(current), gradients, strict=True):
            weight, kept[name] = step(name, current[name], gradient, kept[name])
            current[name] = weight if through else weight.detach().requires_grad_()
    return current


def adam(
    weight: Tensor, gradient: Tensor, state: State, options: Mapping[str, Any]
) -> tuple[Tensor, State]:
    """Take a step of Adam, or of AdamW, as PyTorch does."""
    (beta1, beta2), rate, decay = options["betas"], options["lr"], options["weight_decay"]
    if options.get("decoupled_weight_decay", False):
        weight = weight * (1 - rate * decay)
    else:
        gradient = gradient + decay * weight
    taken = state.get("step", torch.zeros((), device=weight.device)) + 1
    mean = beta1 * _kept(state, "exp_avg", weight) + (1 - beta1) * gradient
    square = beta2 * _kept(state, "exp_avg_sq", weight) + (1 - beta2) * gradient.square()
    scale = root(square) / _correction(beta2, taken).sqrt() + options["eps"]
    weight = weight - rate / _correction(beta1, taken) * mean / scale
    return weight, {"step": taken, "exp_avg": mean, "exp_avg_sq": square}


def rmsprop(
    weight: Tensor, gradient: Tensor, state: State, options: Mapping[str, Any]
) -> tuple[Tensor, State]:
    """Take a step of RMSprop as PyTorch does."""
    gradient = gradient + options["weight_decay"] * weight
    alpha = options["alpha"]
    square = alpha * _kept(state, "square_avg", weight) + (1 - alpha) * gradient.square()
    velocity = options["momentum"] * _kept(state, "momentum_buffer", weight)
    velocity = velocity + gradient / (root(square) + options["eps"])
    weight = weight - options["lr"] * velocity
    return weight, {"square_avg": square, "momentum_buffer": velocity}


def sgd(
    weight: Tensor, gradient: Tensor, state: State, options: Mapping[str, Any]
) -> tuple[Tensor, State]:
    """Take a step of gradient descent with momentum as PyTorch does."""
    gradient = gradient + options["weight_decay"] * weight
    velocity = options["momentum"] * _kept(state, "momentum_buffer", weight) + gradient
    return weight - options["lr"] * velocity, {"momentum_buffer": velocity}


def root(x: Tensor) -> Tensor:
    """Return the square root of ``x``, at least 0, whose gradient at 0 is 0 and not NaN."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1).sqrt(), 0)


def _kept(state: State, name: str, weight: Tensor) -> Tensor:
    """Return a moment; before the first step, and without momentum, there is none."""
    found = state.get(name)
    return torch.zeros_like(weight) if found is None else found


def _correction(beta: float, taken: Tensor) -> Tensor:
    """Return 1 - beta ** taken, exactly in single precision too."""
    return -torch.expm1(taken * math.log(beta)) if beta > 0 else torch.ones_like(taken)


RULES: tuple[tuple[type[Optimizer], Rule], ...] = ((Adam, adam), (RMSprop, rmsprop), (SGD, sgd))


class Unrolled(Trick):
    """Train G against D as it would be some updates later, and through these updates."""

    name = "unrolled"

    class Parameters(TrickParameters):
        steps: Annotated[int, Field(ge=0, le=100), Search(1, 10)] = 5
        """Updates of D that G looks ahead, K of the paper; at 0 G's loss is the objective's."""
        loss: Literal["saddle", "objective"] = "objective"
        """The loss that the objective gives G, or minus D's whole loss, as in equation 9."""
        through_updates: bool = True
        """Whether G's gradient goes through D's updates: the second term of equation 12."""
        rate: Annotated[float, Field(gt=0, le=10)] | None = None
        """η of equation 7, for plain gradient steps; null for those of D's own optimizer."""

    neutral = Parameters(steps=0)

    def generator_objective(self, step: GeneratorStep, buf: Buffers) -> Tensor:
        if self.parameters.steps == 0:
            return step.adversarial_loss()
        named = step.discriminator.named_parameters()
        weights = {name: weight for name, weight in named if weight.requires_grad}
        optimizer = step.optimizers["discriminator"]
        rule, options = self._rule(optimizer)
        ahead = unroll(
            step.discriminator_loss,
            weights,
            lambda name, weight, gradient, state: rule(
                weight, gradient, state, options[weights[name]]
            ),
            {name: optimizer.state.get(weight, {}) for name, weight in weights.items()},
            self.parameters.steps,
            self.parameters.through_updates,
        )
        if self.parameters.loss == "saddle":
            return -step.discriminator_loss(ahead)
        return step.adversarial_loss(ahead)

    def _rule(self, optimizer: Optimizer) -> tuple[Rule, Mapping[Tensor, Mapping[str, Any]]]:
        """Return how D's weights are updated, and the options of each.

        Raises
        ------
        ValueError
            If a trick gave D an optimizer that cannot be followed.
        """
        groups = optimizer.param_groups
        if self.parameters.rate is not None:
            plain = {"lr": self.parameters.rate, "momentum": 0.0, "weight_decay": 0.0}
            return sgd, {weight: plain for group in groups for weight in group["params"]}
        odd = [name for name in UNFOLLOWED if any(group.get(name) for group in groups)]
        for kind, rule in RULES:
            if isinstance(optimizer, kind) and not odd:
                return rule, {weight: group for group in groups for weight in group["params"]}
        what = " with ".join([type(optimizer).__name__, *odd])
        raise ValueError(
            f"unrolled can follow Adam, AdamW, RMSprop and SGD, and D's optimizer is {what}; "
            "set rate for plain gradient steps"
        )
