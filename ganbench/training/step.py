"""One training step of one adversarial pair: which updates, in which order."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from ganbench.plugin import HALVES, Features, Half, Objective, Role, Trick
from ganbench.training.culprit import explained
from ganbench.training.errors import HookResultError, NotApplicableError
from ganbench.training.halves import DiscriminatorUpdate, GeneratorUpdate
from ganbench.training.hooks import overrides
from ganbench.training.joining import judges_each_alone
from ganbench.training.networks import BuiltPair
from ganbench.training.streams import Streams
from ganbench.training.tracing import is_traced, note
from ganbench.training.undo import KNOWN
from ganbench.training.update import Parts, collect

PLAN: tuple[Half, Half] = ("discriminator", "generator")
"""A step as it is without a trick that plans otherwise."""
Plan = tuple[tuple[Half, int], ...]
"""The updates of a step: each a half, and how many of it come before."""


@dataclass(frozen=True)
class Turn:
    """What one pair's updates in one step are taken with.

    Attributes
    ----------
    step, pair : int
        The pair by its place.
    plan : Plan
    batches, latents : list of Tensor
        One an update.
    """

    step: int
    pair: int
    plan: Plan
    batches: list[Tensor]
    latents: list[Tensor]


class PairStep:
    """The updates of a pair's networks in one step, composed from the hooks in use.

    Parameters
    ----------
    built : BuiltPair
    tricks : sequence of Trick
        In their resolved order.
    objective : Objective
    optimizers : dict of role to Optimizer
    streams : Streams
        Of the trial; each half of the step gives each trick a stream of its own.
    autocast : callable () -> context manager
        Entered around the forward passes.
    reuse : bool
        Let G's half take the latents and images of D's half, where it can.
    join : bool
        Have D judge the real and the fake images of its half as one batch, where that is known to
        change nothing but rounding.

    Attributes
    ----------
    parts : Parts
    begun : set of half
        The halves that have been updated in this trial, before this session too.
    """

    def __init__(
        self,
        built: BuiltPair,
        tricks: Sequence[Trick],
        objective: Objective,
        optimizers: dict[Role, Optimizer],
        streams: Streams,
        autocast: Callable[[], AbstractContextManager[Any]],
        reuse: bool = False,
        join: bool = False,
    ) -> None:
        self.pair, self._reuse = built.pair, reuse
        judge = built.pair.discriminator
        with_features = getattr(judge, "forward_with_features", self._no_features)
        self.parts = Parts(
            built,
            tuple(tricks),
            objective,
            optimizers,
            streams,
            autocast,
            with_features,
            join=join and judges_each_alone(judge),
        )
        self.begun: set[Half] = set()
        self._named = False
        self._plans = [
            (trick, hook, buffers)
            for trick in tricks
            for hook, buffers in collect([trick], built.buffers, "plan_updates")
        ]
        self._updates: dict[tuple[Half, int], DiscriminatorUpdate | GeneratorUpdate] = {}
        _refuse_gates(tricks, optimizers)

    def name_hooks(self) -> None:
        """Have profilers see each call of a hook by name, from now on."""
        self._named = True
        for update in self._updates.values():
            update.use_hooks(checked=update.checked, named=True)

    def plan(self, step: int) -> Plan:
        """Return the updates of step ``step``.

        Raises
        ------
        HookResultError
            If a trick plans something else than halves.
        """
        plan: Sequence[Half] = PLAN
        for trick, hook, buffers in self._plans:
            before, plan = plan, hook(step, plan, buffers)
            if not isinstance(plan, list | tuple) or any(half not in HALVES for half in plan):
                problem = f"{plan!r}, expected a sequence of {HALVES}"
                raise HookResultError(trick.name, "plan_updates", problem)
            if is_traced():
                note(trick.name, "plan_updates", (step, before), plan)
        seen: dict[Half, int] = dict.fromkeys(HALVES, 0)
        result = []
        for half in plan:
            result.append((half, seen[half]))
            seen[half] += 1
        return tuple(result)

    def run(
        self, step: int, plan: Plan, batches: Sequence[Tensor], latents: Sequence[Tensor]
    ) -> Sequence[Tensor]:
        """Take the updates of a step.

        Parameters
        ----------
        step : int
        plan : Plan
        batches, latents : sequence of Tensor, shapes (batch, *shape) and (batch, latent)
            For each update, as ``train`` wants them.

        Returns
        -------
        sequence of Tensor, 0-d
            The loss of each update.
        """
        losses = []
        for index, (half, repeat) in enumerate(plan):
            self.seed_layers(step, plan, index)
            shared = self.shares(plan, index)
            losses.append(self.train(half, repeat, batches[index], latents[index], shared))
        return losses

    def shares(self, plan: Plan, index: int) -> bool:
        """Say whether D's and G's updates of a number, of which this is one, share their images.

        They do if that is wished for, and G is as it was when D was shown them: D's update comes
        first, and no update of G between.
        """
        repeat = plan[index][1]
        both: Plan = (("discriminator", repeat), ("generator", repeat))
        if not self._reuse or not set(both) <= set(plan):
            return False
        first, last = (plan.index(one) for one in both)
        return first < last and all(half == "discriminator" for half, _ in plan[first:last])

    def seed_layers(self, step: int, plan: Plan, index: int) -> None:
        """Put PyTorch's global stream where an update of a step begins with it."""
        half, repeat = plan[index]
        further = (str(repeat),) if repeat else ()
        self.parts.streams.seed_layers(self.pair.name, half, str(step), *further)

    def train(
        self, half: Half, repeat: int, batch: Tensor, z: Tensor, shared: bool = False
    ) -> Tensor:
        """Take one update and return its loss, 0-d, without gradient.

        Parameters
        ----------
        half : {"discriminator", "generator"}
        repeat : int
            How many updates of this half came before it in the step.
        batch : Tensor, shape (batch, *shape)
            Real images of the data in [-1, 1].
        z : Tensor, shape (batch, latent)
            Latents as drawn.
        shared : bool
            See ``shares``.
        """
        update = self.update(half, repeat)
        try:
            loss = update.train(batch, z, shared)
        except Exception as error:
            told = self._told(error, update, batch, z)
            if told is error:
                raise
            raise told from error
        if update.checked and not is_traced():
            # Each result was looked at once; from now on the hooks are called bare.
            update.use_hooks(checked=False, named=self._named)
        self.begun.add(half)
        return loss

    def update(self, half: Half, repeat: int) -> DiscriminatorUpdate | GeneratorUpdate:
        """Return the update of a half that comes after ``repeat`` others of it."""
        if (half, repeat) not in self._updates:
            kind = DiscriminatorUpdate if half == "discriminator" else GeneratorUpdate
            self._updates[half, repeat] = kind(self.parts, repeat)
        return self._updates[half, repeat]

    def _told(
        self,
        error: Exception,
        update: DiscriminatorUpdate | GeneratorUpdate,
        batch: Tensor,
        z: Tensor,
    ) -> Exception:
        """Return what to raise in place of an exception of an update: blamed, if it can be."""
        context = self.parts.built.context
        if not update.checked:
            # The trial is over. Taken once more, the update shows if a result was unusable.
            update.use_hooks(checked=True)
            try:
                update.train(batch, z)
            except Exception as again:
                told = explained(again, update.looking, self.parts.tricks, context)
                if isinstance(told, HookResultError):
                    return told
            return error
        return explained(error, update.looking, self.parts.tricks, context)

    def _no_features(self, *_: Tensor) -> tuple[Tensor, Features]:
        name = type(self.pair.discriminator).__name__
        raise TypeError(f"the discriminator {name} has no forward_with_features")


def _refuse_gates(tricks: Sequence[Trick], optimizers: dict[Role, Optimizer]) -> None:
    """Refuse a trick that denies updates beside an optimizer that cannot be undone."""
    gates = [trick.name for trick in tricks if overrides(trick, "gate_update")]
    for role, optimizer in optimizers.items():
        if gates and type(optimizer) not in KNOWN:
            raise NotApplicableError(
                f"{gates[0]} denies updates, and those of {type(optimizer).__name__}, which trains "
                f"{role}, cannot be undone"
            )
