"""One training step of one adversarial pair, composed from the hooks in use."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganbench.plugin import (
    ROLES,
    Buffers,
    DiscriminatorStep,
    Features,
    GeneratorStep,
    Objective,
    Role,
    Trick,
)
from ganbench.training.hooks import CheckedHook, overrides
from ganbench.training.networks import BuiltPair
from ganbench.training.optimizers import set_gradients
from ganbench.training.streams import Streams

Hook = tuple[Callable[..., Any], Buffers]
Phase = Literal["discriminator", "generator", "discriminator/extra", "generator/extra"]
"""A half of the step, or what a trick asks D besides in that half."""
PHASES: tuple[Phase, ...] = get_args(Phase)
Phased = dict[str, Buffers]


def collect(tricks: Sequence[Trick], buffers: dict[str, Buffers], name: str) -> tuple[Hook, ...]:
    """Return the bound methods of the tricks that override a hook, with their buffers."""
    return tuple(
        (getattr(trick, name), buffers[trick.name]) for trick in tricks if overrides(trick, name)
    )


def in_phase(buffers: dict[str, Buffers], phase: Phase, pair: str, streams: Streams) -> Phased:
    """Return the tricks' buffers as one part of the step sees them: with a stream of its own."""
    role: Role = "discriminator" if phase == "discriminator" else "generator"
    return {
        name: replace(own, role=role, generator=streams.stream(f"trick/{name}/{pair}/{phase}"))
        for name, own in buffers.items()
    }


def checked(hooks: tuple[Hook, ...]) -> tuple[Hook, ...]:
    """Wrap hooks so that an unusable result is blamed on the trick that returned it."""
    return tuple((CheckedHook(method), buffers) for method, buffers in hooks)


class PairStep:
    """D's half and G's half of a step. What no trick asks for leaves no code in either.

    Gradients are taken with respect to one role's parameters only, so that autograd never
    computes those of D's weights in G's half.

    Parameters
    ----------
    built : BuiltPair
    tricks : sequence of Trick
        In their resolved order.
    objective : Objective
    optimizers : dict of role to Optimizer
    batch_size : int
    device : torch.device
    streams : Streams
        Of the trial; each half of the step gives each trick a stream of its own.
    autocast : callable () -> context manager
        Entered around the forward passes.
    compiled : bool
        Run the networks through ``torch.compile``.
    """

    def __init__(
        self,
        built: BuiltPair,
        tricks: Sequence[Trick],
        objective: Objective,
        optimizers: dict[Role, Optimizer],
        batch_size: int,
        device: torch.device,
        streams: Streams,
        autocast: Callable[[], AbstractContextManager[Any]],
        compiled: bool,
    ) -> None:
        self.pair = built.pair
        self.objective = objective
        self.optimizers = optimizers
        self.autocast = autocast
        self.params: dict[Role, list[nn.Parameter]] = {
            "generator": built.parameters("generator"),
            "discriminator": built.parameters("discriminator"),
        }
        self._real_targets = torch.ones(batch_size, 1, device=device)
        self._fake_targets = torch.zeros(batch_size, 1, device=device)
        self._generator_targets = torch.full(
            (batch_size, 1), objective.generator_target, device=device
        )
        self._generate: Callable[..., Tensor] = built.pair.generator
        self._judge: Callable[..., Tensor] = built.pair.discriminator
        self._judge_with_features: Callable[..., tuple[Tensor, Features]] = getattr(
            built.pair.discriminator, "forward_with_features", self._no_features
        )
        if compiled:
            self._generate = torch.compile(self._generate, dynamic=False)
            self._judge = torch.compile(self._judge, dynamic=False)
            self._judge_with_features = torch.compile(self._judge_with_features, dynamic=False)

        self._tricks = tuple(tricks)
        self._buffers = {
            phase: in_phase(built.buffers, phase, built.pair.name, streams) for phase in PHASES
        }
        self._use_hooks(lambda phase, name: checked(self._collect(phase, name)))

    def trust_hooks(self) -> None:
        """Call the hooks bare from now on: in the first step each result was looked at."""
        self._use_hooks(self._collect)

    def _collect(self, phase: Phase, name: str) -> tuple[Hook, ...]:
        return collect(self._tricks, self._buffers[phase], name)

    def _use_hooks(self, hooks: Callable[[Phase, str], tuple[Hook, ...]]) -> None:
        self._latent_hooks = {role: hooks(role, "transform_latent") for role in ROLES}
        self._image_hooks = {
            phase: (
                *hooks(phase, "transform_images"),
                *hooks(phase, "transform_discriminator_input"),
            )
            for phase in PHASES
        }
        self._target_hooks = {role: hooks(role, "transform_targets") for role in ROLES}
        self._penalties = {role: hooks(role, f"{role}_penalty") for role in ROLES}
        self._generator_objective = hooks("generator", "generator_objective")
        self._gradient_hooks = {role: hooks(role, "transform_gradients") for role in ROLES}
        self._after_hooks = {role: hooks(role, "after_optimizer_step") for role in ROLES}

    def transform_latent(self, z: Tensor, role: Role) -> Tensor:
        """Run the latents through the chain of tricks."""
        for hook, buffers in self._latent_hooks[role]:
            z = hook(z, buffers)
        return z

    def train_discriminator(self, batch: Tensor, z: Tensor) -> Tensor:
        """Take D's half of the step and return its loss, 0-d, without gradient.

        Parameters
        ----------
        batch : Tensor, shape (batch, *shape)
            Real images in [-1, 1].
        z : Tensor, shape (batch, latent)
            Latents as drawn.
        """
        real, condition = self._views(batch)
        z = self.transform_latent(z, "discriminator")
        with self.autocast():
            with torch.no_grad():
                fake = self._call(self._generate, z, condition)
            real = self._transform_images(real, True, "discriminator")
            fake = self._transform_images(fake, False, "discriminator")
            real_logits = self._call(self._judge, real, condition)
            fake_logits = self._call(self._judge, fake, condition)
            loss = self.objective.discriminator_loss(
                real_logits,
                fake_logits,
                self._targets(self._real_targets, True, "discriminator"),
                self._targets(self._fake_targets, False, "discriminator"),
            )
            if self._penalties["discriminator"]:
                step = DiscriminatorStep(
                    self.pair.generator,
                    self.pair.discriminator,
                    z,
                    condition,
                    real,
                    fake,
                    real_logits,
                    fake_logits,
                    self._discriminator(condition, "discriminator/extra"),
                )
                for penalty, buffers in self._penalties["discriminator"]:
                    loss = loss + penalty(step, buffers)
        self._descend("discriminator", loss)
        return loss.detach()

    def train_generator(self, batch: Tensor, z: Tensor) -> Tensor:
        """Take G's half of the step and return its loss, 0-d, without gradient."""
        real, condition = self._views(batch)
        z = self.transform_latent(z, "generator")
        with self.autocast():
            fake = self._call(self._generate, z, condition)
            if not self._generator_objective and not self._penalties["generator"]:
                loss = self._adversarial_loss(fake, real, condition)
            else:
                loss = self._special_loss(fake, real, condition, z)
        self._descend("generator", loss)
        return loss.detach()

    def _special_loss(
        self, fake: Tensor, real: Tensor, condition: Tensor | None, z: Tensor
    ) -> Tensor:
        step = GeneratorStep(
            self.pair.generator,
            self.pair.discriminator,
            z,
            condition,
            fake,
            real,
            self._discriminator(condition, "generator/extra"),
            lambda: self._adversarial_loss(fake, real, condition),
        )
        loss: Tensor
        if self._generator_objective:
            ((objective, buffers),) = self._generator_objective
            loss = objective(step, buffers)
        else:
            loss = step.adversarial_loss()
        for penalty, buffers in self._penalties["generator"]:
            loss = loss + penalty(step, buffers)
        return loss

    def _adversarial_loss(self, fake: Tensor, real: Tensor, condition: Tensor | None) -> Tensor:
        real_logits = None
        if self.objective.generator_needs_real:
            real_logits = self._call(
                self._judge, self._transform_images(real, True, "generator"), condition
            )
        logits = self._call(
            self._judge, self._transform_images(fake, False, "generator"), condition
        )
        targets = self._targets(self._generator_targets, False, "generator")
        return self.objective.generator_loss(logits, targets, real_logits)

    def _discriminator(
        self, condition: Tensor | None, phase: Phase
    ) -> Callable[[Tensor, bool], tuple[Tensor, Features]]:
        def discriminate(images: Tensor, is_real: bool) -> tuple[Tensor, Features]:
            images = self._transform_images(images, is_real, phase)
            if condition is None:
                return self._judge_with_features(images)
            return self._judge_with_features(images, condition)

        return discriminate

    def _descend(self, role: Role, loss: Tensor) -> None:
        params = self.params[role]
        grads: Sequence[Tensor] = torch.autograd.grad(
            loss, params, allow_unused=True, materialize_grads=True
        )
        for hook, buffers in self._gradient_hooks[role]:
            grads = hook(role, grads, buffers)
        set_gradients(params, grads)
        self.optimizers[role].step()
        if self._after_hooks[role]:
            with torch.no_grad():
                for hook, buffers in self._after_hooks[role]:
                    hook(role, params, buffers)

    def _views(self, batch: Tensor) -> tuple[Tensor, Tensor | None]:
        real = batch if self.pair.real_view is None else self.pair.real_view(batch)
        condition = None if self.pair.condition is None else self.pair.condition(batch)
        return real, condition

    def _transform_images(self, x: Tensor, is_real: bool, phase: Phase) -> Tensor:
        for hook, buffers in self._image_hooks[phase]:
            x = hook(x, is_real, buffers)
        return x

    def _targets(self, t: Tensor, is_real: bool, role: Role) -> Tensor:
        for hook, buffers in self._target_hooks[role]:
            t = hook(t, is_real, role, buffers)
        return t

    @staticmethod
    def _call(network: Callable[..., Tensor], x: Tensor, condition: Tensor | None) -> Tensor:
        return network(x) if condition is None else network(x, condition)

    def _no_features(self, *_: Tensor) -> tuple[Tensor, Features]:
        name = type(self.pair.discriminator).__name__
        raise TypeError(f"the discriminator {name} has no forward_with_features")
