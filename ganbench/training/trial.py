"""A trial: one arm at one seed, trained, sampled, saved and resumed."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganbench.config.model import TrialConfig, way
from ganbench.data.images import quantise
from ganbench.data.resident import Order, Resident
from ganbench.plugin import HALVES, Data, Half, Host, Picture, Role, Sampler
from ganbench.training import sampling
from ganbench.training.arithmetic import Arithmetic
from ganbench.training.assembly import assemble
from ganbench.training.backends import AsTraced, backend_of
from ganbench.training.calls import NamedHook, blame, call_plugin
from ganbench.training.captured import Backend, CapturedSteps, how_taken
from ganbench.training.errors import NonFiniteError
from ganbench.training.evaluating import Evaluating, Weights, figure_name
from ganbench.training.hooks import overrides, resolved_order
from ganbench.training.losses import Losses
from ganbench.training.networks import BuiltPair, arrange
from ganbench.training.optimizers import make_optimizer
from ganbench.training.options import without_effect
from ganbench.training.step import PairStep, Turn
from ganbench.training.tracing import is_traced, note
from ganbench.training.update import collect


class Trial:
    """Trains one arm at one seed.

    Parameters
    ----------
    config : TrialConfig
    seed : int
        Everything random derives from it.
    data : Data
    host : Host
    device : torch.device
    auto : str
        What ``execution.backend: auto`` stands for.

    Attributes
    ----------
    step : int
        Steps done.
    steps : int
        Steps of the whole trial.
    seconds : float
        Training time so far, over all sessions, without that of capturing.
    diverged_at : int or None
        The first step, counted from 1, whose losses were not finite; the last step if then a
        weight is not.
    captured : list of CapturedSteps
        For each pair, if steps are to be captured.
    order : dict of str to list of str
        For each hook in use, the tricks that implement it, as they run.
    resident : Resident
        The data on the device.

    Raises
    ------
    NotApplicableError
        If a plugin declares that this arm makes no sense; the message says why.
    HookError
        If a plugin's build-time hook raises.
    """

    def __init__(
        self,
        config: TrialConfig,
        seed: int,
        data: Data,
        host: Host,
        device: torch.device,
        auto: str = "eager",
    ) -> None:
        self.config, self.seed, self.device = config, seed, device
        self.steps, self.step = config.steps, 0
        self.seconds = 0.0
        self.diverged_at: int | None = None
        self._warm = False
        self.host, self.resident = host, Resident(data, device)
        parts = assemble(config, seed, self.resident, host)
        self.streams, self.context, self.pairs = parts.streams, parts.context, parts.pairs
        self.tricks, self.order = parts.tricks, resolved_order(parts.tricks)
        self.architecture, self.objective = parts.architecture, parts.objective
        for built in self.pairs:
            arrange(built.pair, config.execution)
        self.optimizers = [self._make_optimizers(built) for built in self.pairs]
        self._arithmetic = Arithmetic(config.execution, device)
        self._steps = [
            PairStep(
                built,
                self.tricks,
                self.objective,
                optimizers,
                self.streams,
                self._arithmetic.autocast,
                config.latent.reuse,
                config.execution.join_batches,
            )
            for built, optimizers in zip(self.pairs, self.optimizers, strict=True)
        ]
        self.captured: list[CapturedSteps] = []
        self._takes_captured = False
        wanted = config.execution.backend
        backend = backend_of(auto if wanted == "auto" else wanted)
        if backend is not None:
            self.capture_with(backend)
        elif config.execution.company() > 1:
            self._make_capturable(AsTraced())
        self._schedules = [
            [
                (trick, hook, buffers)
                for trick in self.tricks
                for hook, buffers in collect([trick], built.buffers, "before_step")
            ]
            for built in self.pairs
        ]
        self._evaluating = Evaluating(
            self.pairs,
            self.tricks,
            self.architecture,
            self.streams,
            config.evaluation,
            self._arithmetic.sampling,
        )
        self.orders: list[Order] = []
        self.order_of_batches(0)
        self._losses = Losses(self.steps, len(self.pairs), device)

    def capture_with(self, backend: Backend) -> None:
        """Have steps captured, and their graphs computed by a back end.

        A step that cannot be captured runs eagerly; ``execution`` says which it was, and why.
        """
        self._make_capturable(backend)
        self._takes_captured = True

    def keep_company(self, count: int) -> None:
        """Leave captured steps to somebody who takes them for so many trials at once."""
        self._takes_captured = False
        for steps in self.captured:
            steps.name = way(steps.backend.name, count)

    def _make_capturable(self, backend: Backend) -> None:
        precision = self._arithmetic.precision
        self.captured = [
            CapturedSteps(pair_step, precision, backend, partial(self._schedule, pair), self.steps)
            for pair, pair_step in enumerate(self._steps)
        ]

    def name_hooks(self) -> None:
        """Have profilers see each call of a step's hooks by name, from now on."""
        for schedule in self._schedules:
            schedule[:] = [(t, NamedHook(hook, "before_step"), own) for t, hook, own in schedule]
        for pair_step in self._steps:
            pair_step.name_hooks()

    def order_of_batches(self, repeat: int) -> Order:
        """Return the order of real images for a half's first update in a step, or a further.

        Each has a stream of its own: an arm that updates D more often shows the first update
        of each step the same images as every other arm.
        """
        while len(self.orders) <= repeat:
            name = f"data/{len(self.orders)}" if self.orders else "data"
            items, size = len(self.resident), self.context.spec.batch_size
            self.orders.append(Order(items, size, self.streams.stream(name)))
        return self.orders[repeat]

    def advance(self, count: int) -> None:
        """Train for ``count`` steps, or to the end, or until the losses are not finite.

        The losses stay on the device until the end of the call; only then is divergence
        looked for.

        Raises
        ------
        HookError
            If a plugin's hook raises; it names plugin and hook.
        """
        steps = self.begin(count)
        began, preparing = time.perf_counter(), self.preparing_seconds
        try:
            with self.in_training():
                for step in steps:
                    for turn in self.turns(step):
                        self.keep(turn, self.take(turn))
                self.end(steps)
        except Exception as error:
            blamed = self.blamed(error)
            if blamed is error:
                raise
            raise blamed from error
        self.seconds += time.perf_counter() - began
        self.seconds -= self.preparing_seconds - preparing

    @contextmanager
    def in_training(self) -> Iterator[None]:
        """Give the context in which steps are to be taken; it leaves nothing behind."""
        with self.streams.layers(), self._arithmetic.products():
            yield

    def begin(self, count: int) -> range:
        """Return the next ``count`` steps, or those that are left, ready to be taken."""
        if self.diverged_at is not None:
            return range(0)
        for pair_step, begun in zip(self._steps, self._losses.begun(self.step), strict=True):
            pair_step.begun = begun
        return range(self.step, min(self.step + count, self.steps))

    def turns(self, step: int) -> Iterator[Turn]:
        """Give what each pair's updates in a step take, the losses of the one before kept."""
        for pair in range(len(self.pairs)):
            self._schedule(pair, step)
        batches = [self._batch(0)]
        for index, (built, pair_step) in enumerate(zip(self.pairs, self._steps, strict=True)):
            # Drawn whether or not they are used, so that a half left out in this step shifts
            # nobody's draws in the next.
            first = {half: self._latents(built, half, ()) for half in HALVES}
            plan = pair_step.plan(step)
            latents = []
            for half, repeat in plan:
                if repeat >= len(batches):
                    batches.append(self._batch(repeat))
                further = (str(repeat),)
                latents.append(self._latents(built, half, further) if repeat else first[half])
            yield Turn(step, index, plan, [batches[repeat] for _, repeat in plan], latents)
        self._warm = self._warm or not is_traced()

    def take(self, turn: Turn) -> Sequence[Tensor]:
        """Take a pair's updates in a step and return the loss of each."""
        runner: CapturedSteps | PairStep = self._steps[turn.pair]
        if self._takes_captured and not is_traced():
            runner = self.captured[turn.pair]
        return runner.run(turn.step, turn.plan, turn.batches, turn.latents)

    def keep(self, turn: Turn, losses: Sequence[Tensor]) -> None:
        """Put the losses of a pair's updates aside, without waiting for them."""
        for (half, _), loss in zip(turn.plan, losses, strict=True):
            self._losses.add(turn.step, turn.pair, half, loss)

    def end(self, steps: range) -> None:
        """Come to the end of steps that were taken; only now is divergence looked for."""
        if not steps:
            return
        self._losses.settle()
        self.step = steps.stop
        diverged = self._losses.first_not_finite(steps.start, steps.stop)
        if diverged is not None:
            self.step = self.diverged_at = diverged + 1
        elif self.step == self.steps and not self._weights_are_finite():
            self.diverged_at = self.step

    def blamed(self, error: Exception) -> Exception:
        """Return an exception of a step, blamed on the plugin that raised it, if one did."""
        return blame(error, (*self.tricks, self.architecture, self.objective)) or error

    @property
    def loss_log(self) -> Tensor:
        """The sum of the losses of each step, pair and half."""
        return self._losses.log

    @property
    def update_log(self) -> Tensor:
        """How many updates each step, pair and half had."""
        return self._losses.updates

    def _weights_are_finite(self) -> bool:
        return all(
            bool(parameter.isfinite().all())
            for built in self.pairs
            for role in built.halves
            for parameter in built.parameters(role)
        )

    def losses(self, since: int) -> dict[str, float]:
        """Return the mean losses of each pair and half over the updates after step ``since``.

        A half that was not updated in these steps has none.
        """
        return {
            figure_name(self.pairs[pair].pair.name, half): mean
            for pair, half, mean in self._losses.means(since, self.step)
        }

    def sample(self, count: int, weights: Weights = "sampling") -> Tensor:
        """Return samples as they would be saved: uint8 images, or float32 points.

        The latents are the same at every call, and in every arm of a seed. Training is not
        disturbed: streams, BatchNorm's statistics and modes are as before.

        Parameters
        ----------
        count : int
        weights : {"sampling", "trained"}
            Those of a trick's ``sampling_generator`` where there is one, or the generator's
            as it was trained.

        Returns
        -------
        Tensor, shape (count, *shape)

        Raises
        ------
        NonFiniteError
            If a sample holds NaN or infinity: the trial has diverged.
        HookError
            If a plugin's hook raises.
        """
        images = self._evaluating.images(count, weights)
        if not images.isfinite().all():
            raise NonFiniteError(f"samples are not finite after step {self.step}")
        return quantise(images) if self.context.spec.is_image else images

    @property
    def has_other_weights(self) -> bool:
        """Whether samples come from other weights than the trained ones, such as averages."""
        return self.scored_weights != "trained"

    @property
    def scored_weights(self) -> str:
        """Whose generator weights ``sample`` uses: ``trained``, or the name of a trick."""
        return self._evaluating.scored_weights

    def extra_figures(self) -> dict[str, float]:
        """Return the figures that tricks report of their own, as ``trick.figure``."""
        return self._evaluating.figures()

    def pictures(self) -> dict[str, Picture]:
        """Return the pictures that the architecture and the tricks draw of their own."""
        return self._evaluating.pictures()

    def sampler(self) -> AbstractContextManager[Sampler]:
        """Return a context in which the generators can be sampled from, as they are scored."""
        return self._evaluating.sampler()

    @property
    def execution(self) -> dict[str, Any]:
        """How steps are taken: ``backend``, and ``reason`` where that is not as was wished.

        And ``without_effect``, where there are any: options, each with why it changes nothing.
        """
        idle = without_effect(self.config, self._steps)
        return {**how_taken(self.captured), **({"without_effect": idle} if idle else {})}

    @property
    def preparing_seconds(self) -> float:
        """What capturing, compiling and comparing steps took, over all sessions."""
        return sum(steps.seconds for steps in self.captured)

    def parameter_counts(self) -> dict[str, int]:
        """Return the number of trained parameters of each pair and role."""
        return {
            figure_name(built.pair.name, role): sum(p.numel() for p in built.parameters(role))
            for built in self.pairs
            for role in built.halves
        }

    def _schedule(self, pair: int, step: int) -> None:
        for trick, hook, buffers in self._schedules[pair]:
            hook(step, buffers)
            if not self._warm:
                note(trick.name, "before_step", (step,), None)

    def _batch(self, repeat: int) -> Tensor:
        batch = self.resident.batch(self.order_of_batches(repeat).next())
        if self.config.execution.channels_last and batch.ndim == 4:
            return batch.contiguous(memory_format=torch.channels_last)
        return batch

    def _latents(self, built: BuiltPair, half: Half, further: Sequence[str]) -> Tensor:
        spec = built.context.spec
        name = "/".join(("latent", built.pair.name, half, *further))
        codes = self.streams.stream(f"{name}/codes") if spec.latent.codes else None
        return sampling.draw_latents(spec.latent, spec.batch_size, self.streams.stream(name), codes)

    def _make_optimizers(self, built: BuiltPair) -> dict[Role, Optimizer]:
        specs = self.context.spec.optimizers
        made: dict[Role, Optimizer] = {}
        for role, half in built.halves.items():
            params: Sequence[Tensor] = built.parameters(role)
            for trick in self.tricks:
                if overrides(trick, "make_optimizer"):
                    own = call_plugin(trick.name, trick.make_optimizer, role, params, built.context)
                    if own is not None:
                        made[role] = own
            if role not in made:
                made[role] = make_optimizer(specs.get(role, specs[half]), params)
        return made
