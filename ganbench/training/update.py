"""What D's half and G's half of a step share: networks, transforms, targets, the descent."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Optimizer

from ganbench.plugin import (
    Buffers,
    Features,
    Half,
    Judge,
    Objective,
    Pair,
    Role,
    Trick,
)
from ganbench.training.calls import CheckedHook, NamedHook
from ganbench.training.culprit import expect_shape
from ganbench.training.hooks import overrides
from ganbench.training.networks import BuiltPair
from ganbench.training.optimizers import set_gradients
from ganbench.training.streams import Streams
from ganbench.training.undo import Undo

Hook = tuple[Callable[..., Any], Buffers]
Part = Literal["own", "extra"]
"""A half's own forward passes, or what a trick asks D besides."""
Functional = Mapping[str, Tensor]
"""Stand-ins for a network's parameters, by their names."""


def collect(tricks: Sequence[Trick], buffers: dict[str, Buffers], name: str) -> tuple[Hook, ...]:
    """Return the bound methods of the tricks that override a hook, with their buffers."""
    return tuple(
        (getattr(trick, name), buffers[trick.name]) for trick in tricks if overrides(trick, name)
    )


class _WithFeatures(nn.Module):
    """Gives ``functional_call`` a D that shows its features."""

    def __init__(self, discriminator: nn.Module) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Features]:
        shown: Any = self.discriminator
        found: tuple[Tensor, Features] = shown.forward_with_features(*inputs)
        return found


@dataclass(frozen=True)
class Parts:
    """All that the updates of a pair share.

    Attributes
    ----------
    built : BuiltPair
    tricks : tuple of Trick
        In their resolved order.
    objective : Objective
    optimizers : dict of role to Optimizer
    streams : Streams
        Of the trial.
    autocast : callable () -> context manager
        Entered around the forward passes.
    judge_with_features : callable
        D, showing its features; it raises where D cannot.
    join : bool
        Have D judge the real and the fake images as one batch.
    handed : dict of int to (Tensor, Tensor)
        The latents and images of D's updates, by their number in a step, that an update of G is
        still to take over.
    """

    built: BuiltPair
    tricks: tuple[Trick, ...]
    objective: Objective
    optimizers: dict[Role, Optimizer]
    streams: Streams
    autocast: Callable[[], AbstractContextManager[Any]]
    judge_with_features: Callable[..., tuple[Tensor, Features]]
    join: bool = False
    handed: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    @property
    def pair(self) -> Pair:
        """The pair's networks and views."""
        return self.built.pair


class Update:
    """One half of a step: a forward pass, a loss, a descent. What no trick asks for is not there.

    Gradients are taken with respect to the parameters of the half's roles only, so that
    autograd never computes those of D's weights in G's half.

    Parameters
    ----------
    parts : Parts
    half : {"discriminator", "generator"}
    repeat : int
        How many updates of this half come before it in a step. Each has the tricks' draws
        from streams of its own, so that an arm with more updates moves none of the first's.
    """

    def __init__(self, parts: Parts, half: Half, repeat: int) -> None:
        self.parts, self.half, self.repeat = parts, half, repeat
        self.roles: list[Role] = [r for r, h in parts.built.halves.items() if h == half]
        self.params = {role: parts.built.parameters(role) for role in self.roles}
        self._constants: dict[tuple[float, int], Tensor] = {}
        self._buffers = {part: self._in_part(part, repeat) for part in get_args(Part)}
        clips = type(parts.objective).after_optimizer_step is not Objective.after_optimizer_step
        self._objective_clips = clips
        self.use_hooks(checked=True)

    def use_hooks(self, checked: bool, named: bool = False) -> None:
        """Compose the update from the hooks in use.

        Parameters
        ----------
        checked : bool
            Look at each result, and blame an unusable one on its trick.
        named : bool
            Have profilers see the calls by name, unless results are looked at.
        """
        self.checked = checked
        self.looking: list[CheckedHook] = []

        def hooks(name: str, part: Part = "own") -> tuple[Hook, ...]:
            found = collect(self.parts.tricks, self._buffers[part], name)
            if not checked and not named:
                return found
            if not checked:
                return tuple((NamedHook(hook, name), buffers) for hook, buffers in found)
            looked_at = [(CheckedHook(hook, name), buffers) for hook, buffers in found]
            self.looking += [hook for hook, _ in looked_at]
            return tuple(looked_at)

        self._latent_hooks = hooks("transform_latent")
        self._image_hooks = {
            part: (
                *hooks("transform_images", part),
                *hooks("transform_discriminator_input", part),
            )
            for part in get_args(Part)
        }
        self._target_hooks = {part: hooks("transform_targets", part) for part in get_args(Part)}
        self._judge_batches = {part: hooks("judge_batches", part) for part in get_args(Part)}
        self._penalties = hooks(f"{self.half}_penalty")
        self._generator_objective = hooks("generator_objective")
        self._gradient_hooks = hooks("transform_gradients")
        self._gates = hooks("gate_update")
        self._after_hooks = hooks("after_optimizer_step")

    def transform_latent(self, z: Tensor) -> Tensor:
        """Run the latents through the chain of tricks."""
        for hook, buffers in self._latent_hooks:
            z = hook(z, buffers)
        return z

    def transform_images(self, x: Tensor, is_real: bool, part: Part = "own") -> Tensor:
        """Run images through the chain of tricks, to what D sees."""
        for hook, buffers in self._image_hooks[part]:
            x = hook(x, is_real, buffers)
        return x

    def targets(
        self, value: float, like: Tensor, is_real: bool, role: Half, part: Part = "own"
    ) -> Tensor:
        """Return targets of shape (batch, 1) after the chain of tricks.

        Parameters
        ----------
        value : float
        like : Tensor, shape (batch, ...)
            A batch before any transform, as targets are.
        is_real : bool
        role : {"discriminator", "generator"}
            Whose loss they enter.
        part : {"own", "extra"}
        """
        key = (value, len(like))
        if key not in self._constants:
            self._constants[key] = torch.full((len(like), 1), value, device=like.device)
        t = self._constants[key]
        for hook, buffers in self._target_hooks[part]:
            t = hook(t, is_real, role, buffers)
        return t

    def generate(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """Return G's output."""
        generate = self.parts.pair.generator
        made: Tensor = generate(z) if condition is None else generate(z, condition)
        return made

    def judge(self, x: Tensor, condition: Tensor | None) -> Tensor:
        """Return D's logits of its inputs."""
        judge = self.parts.pair.discriminator
        logits: Tensor = judge(x) if condition is None else judge(x, _repeated(condition, x))
        if self.checked:
            expect_shape("discriminator", logits, (len(x), 1))
        return logits

    def judge_plainly(
        self, x: Tensor, condition: Tensor | None, parameters: Functional | None = None
    ) -> Tensor:
        """Return D's logits of images that have been through the transforms.

        With ``parameters`` it is D with those in place of its own.
        """
        discriminator = self.parts.pair.discriminator
        inputs = (x,) if condition is None else (x, _repeated(condition, x))
        logits: Tensor = (
            discriminator(*inputs)
            if parameters is None
            else _functional(discriminator, parameters, inputs)
        )
        return logits

    def judge_both(
        self, judge: Judge, real: Tensor, fake: Tensor, part: Part = "own"
    ) -> tuple[Tensor, Tensor]:
        """Return the logits of D's real and fake inputs: two batches, unless a trick mixes."""
        if self._judge_batches[part]:
            ((hook, buffers),) = self._judge_batches[part]
            logits: tuple[Tensor, Tensor] = hook(judge, real, fake, buffers)
            return logits
        if self.parts.join and real.shape == fake.shape:
            real_logits, fake_logits = judge(torch.cat([real, fake])).chunk(2)
            return real_logits, fake_logits
        return judge(real), judge(fake)

    def discriminate(
        self,
        images: Tensor,
        is_real: bool,
        condition: Tensor | None,
        parameters: Functional | None = None,
    ) -> tuple[Tensor, Features]:
        """Return D's logits and features of images, behind the chain of input transforms."""
        x = self.transform_images(images, is_real, "extra")
        inputs = (x,) if condition is None else (x, _repeated(condition, x))
        if parameters is None:
            return self.parts.judge_with_features(*inputs)
        named = {f"discriminator.{name}": value for name, value in parameters.items()}
        shown = _WithFeatures(self.parts.pair.discriminator)
        found: tuple[Tensor, Features] = _functional(shown, named, inputs)
        return found

    def descend(self, loss: Tensor, own: Tensor) -> None:
        """Update the half's roles along their gradients of ``loss``.

        ``own`` is the loss without tricks' penalties, which gates look at.
        """
        wanted = [parameter for role in self.roles for parameter in self.params[role]]
        found = torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
        optimizers = self.parts.optimizers
        undo = Undo([optimizers[role] for role in self.roles]) if self._gates else None
        start = 0
        for role in self.roles:
            params = self.params[role]
            grads: Sequence[Tensor] = found[start : start + len(params)]
            start += len(params)
            for hook, buffers in self._gradient_hooks:
                grads = hook(role, grads, buffers)
            set_gradients(params, grads)
            optimizers[role].step()
        if undo is not None:
            undo.unless([hook(self.half, own.detach(), buffers) for hook, buffers in self._gates])
        with torch.no_grad():
            for role in self.roles:
                if self._objective_clips:
                    self.parts.objective.after_optimizer_step(role, self.params[role])
                for hook, buffers in self._after_hooks:
                    hook(role, self.params[role], buffers)

    def _in_part(self, part: Part, repeat: int) -> dict[str, Buffers]:
        """Return the tricks' buffers as a part of the half sees them: with its own stream."""
        names = [self.parts.pair.name, self.half]
        names += ["extra"] if part == "extra" else []
        names += [str(repeat)] if repeat else []
        return {
            name: replace(
                own,
                half=self.half,
                extra=part == "extra",
                generator=self.parts.streams.stream("/".join(("trick", name, *names))),
            )
            for name, own in self.parts.built.buffers.items()
        }


def _repeated(condition: Tensor, x: Tensor) -> Tensor:
    """Return a condition for a batch that is made of several, as mixed batches are."""
    times, rest = divmod(len(x), len(condition))
    if rest:
        raise ValueError(
            f"{len(x)} inputs for {len(condition)} conditions: a conditional pair judges whole "
            "batches, row i with the condition of row i"
        )
    return condition if times == 1 else torch.cat([condition] * times)


def _functional(net: nn.Module, parameters: Functional, inputs: tuple[Tensor, ...]) -> Any:
    """Call a network with stand-ins for its parameters; its buffers are copied, so none moves."""
    buffers = {name: value.clone() for name, value in net.named_buffers()}
    return functional_call(net, {**buffers, **parameters}, inputs)
