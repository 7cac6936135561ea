"""A trial: one arm at one seed, trained, sampled, saved and resumed."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganbench.config.model import TrialConfig
from ganbench.data.images import quantise
from ganbench.data.resident import Order, Resident
from ganbench.plugin import HALVES, Data, Half, Host, Picture, Role, Sampler
from ganbench.training import sampling
from ganbench.training.assembly import assemble
from ganbench.training.calls import blame, call_plugin
from ganbench.training.compiled import COMPILED, CompiledSteps, Compiler, inductor
from ganbench.training.errors import NonFiniteError
from ganbench.training.evaluating import Evaluating, Weights, figure_name
from ganbench.training.hooks import overrides, resolved_order
from ganbench.training.networks import BuiltPair
from ganbench.training.optimizers import make_optimizer
from ganbench.training.step import PairStep
from ganbench.training.tracing import is_traced, note
from ganbench.training.update import collect

FRESH_LOSSES = 2048
"""How many losses of updates are kept one by one before they are put into the log."""


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

    Attributes
    ----------
    step : int
        Steps done.
    steps : int
        Steps of the whole trial.
    seconds : float
        Training time so far, over all sessions, without that of compiling.
    diverged_at : int or None
        The first step, counted from 1, whose losses were not finite; the last step if then a
        weight is not.
    compiled : list of CompiledSteps
        For each pair, if steps are to be compiled.
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
        self, config: TrialConfig, seed: int, data: Data, host: Host, device: torch.device
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
        if config.execution.channels_last:
            for built in self.pairs:
                for net in (built.pair.generator, built.pair.discriminator):
                    net.to(memory_format=torch.channels_last)
        self.optimizers = [self._make_optimizers(built) for built in self.pairs]
        self._steps = [
            PairStep(
                built,
                self.tricks,
                self.objective,
                optimizers,
                self.streams,
                self._autocast,
            )
            for built, optimizers in zip(self.pairs, self.optimizers, strict=True)
        ]
        self.compiled: list[CompiledSteps] = []
        if config.execution.backend == "compiled":
            self.compile_with(inductor)
        self._schedules = [
            (trick, hook, buffers)
            for built in self.pairs
            for trick in self.tricks
            for hook, buffers in collect([trick], built.buffers, "before_step")
        ]
        self._evaluating = Evaluating(
            self.pairs,
            self.tricks,
            self.architecture,
            self.streams,
            config.evaluation,
            self._autocast,
        )
        self.orders: list[Order] = []
        self.order_of_batches(0)
        shape = (self.steps, len(self.pairs), len(HALVES))
        self.loss_log = torch.zeros(shape, device=device)
        self.update_log = torch.zeros(shape, dtype=torch.int16)
        self._fresh: list[tuple[tuple[int, int, int], Tensor]] = []

    def compile_with(self, compiler: Compiler) -> None:
        """Have steps captured and computed by what ``compiler`` makes of their graphs.

        A step that cannot be captured runs eagerly; ``execution`` says which it was, and why.
        """
        amp = self.config.execution.amp
        self.compiled = [
            CompiledSteps(pair_step, amp, compiler, self._schedule, self.steps)
            for pair_step in self._steps
        ]

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
        if self.diverged_at is not None:
            return
        start, end = self.step, min(self.step + count, self.steps)
        for pair_step, taken in zip(self._steps, self.update_log[:start].sum(0), strict=True):
            pair_step.begun = {half for half, n in zip(HALVES, taken, strict=True) if n}
        began, compiling = time.perf_counter(), self._compiling_seconds()
        try:
            with self.streams.layers():
                for step in range(start, end):
                    self._train_step(step)
                    self._warm = self._warm or not is_traced()
                self._log_losses()
        except Exception as error:
            blamed = blame(error, (*self.tricks, self.architecture, self.objective))
            if blamed is not None and blamed is not error:
                raise blamed from error
            raise
        finite = torch.isfinite(self.loss_log[start:end]).flatten(1).all(1).cpu()
        self.seconds += time.perf_counter() - began
        self.seconds -= self._compiling_seconds() - compiling
        self.step = end
        if not finite.all():
            self.step = self.diverged_at = start + int(finite.long().argmin()) + 1
        elif end == self.steps and not self._weights_are_finite():
            self.diverged_at = end

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
        totals = self.loss_log[since : self.step].sum(0).tolist()
        counts = self.update_log[since : self.step].sum(0).tolist()
        return {
            figure_name(built.pair.name, half): total / count
            for built, row, taken in zip(self.pairs, totals, counts, strict=True)
            for half, total, count in zip(HALVES, row, taken, strict=True)
            if count
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
    def execution(self) -> dict[str, str]:
        """How steps are taken: ``backend``, and ``reason`` where that is not as was wished."""
        decisions = set().union(*(steps.decisions for steps in self.compiled))
        reasons = sorted(decisions - {COMPILED})
        if not reasons:
            return {"backend": COMPILED if decisions else "eager"}
        backend = "partly compiled" if COMPILED in decisions else "eager"
        return {"backend": backend, "reason": "; ".join(reasons)}

    def _compiling_seconds(self) -> float:
        return sum(steps.seconds for steps in self.compiled)

    def parameter_counts(self) -> dict[str, int]:
        """Return the number of trained parameters of each pair and role."""
        return {
            figure_name(built.pair.name, role): sum(p.numel() for p in built.parameters(role))
            for built in self.pairs
            for role in built.halves
        }

    def _train_step(self, step: int) -> None:
        self._schedule(step)
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
            compile_it = self.compiled and not is_traced()
            runner = self.compiled[index] if compile_it else pair_step
            real = [batches[repeat] for _, repeat in plan]
            for (half, _), loss in zip(plan, runner.run(step, plan, real, latents), strict=True):
                self._fresh.append(((step, index, HALVES.index(half)), loss))
        if len(self._fresh) >= FRESH_LOSSES:
            self._log_losses()

    def _schedule(self, step: int) -> None:
        for trick, hook, buffers in self._schedules:
            hook(step, buffers)
            if not self._warm:
                note(trick.name, "before_step", (step,), None)

    def _log_losses(self) -> None:
        """Put the losses since the last call in their places: in one go, without a wait."""
        if self._fresh:
            places, losses = zip(*self._fresh, strict=True)
            at = torch.tensor(places).T
            ones = torch.ones(len(places), dtype=self.update_log.dtype)
            self.update_log.index_put_(tuple(at), ones, accumulate=True)
            where = tuple(at.to(self.device, non_blocking=True))
            values = torch.stack(losses).to(self.loss_log.dtype)
            self.loss_log.index_put_(where, values, accumulate=True)
            self._fresh.clear()

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

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.config.execution.amp == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()


def trial_parts(trial: Trial) -> Mapping[str, Any]:
    """Return the stateful objects of a trial by name, for its checkpoint."""
    return {
        "generators": [built.pair.generator for built in trial.pairs],
        "discriminators": [built.pair.discriminator for built in trial.pairs],
        "modules": [part for built in trial.pairs for part in built.modules.values()],
        "optimizers": [part for made in trial.optimizers for part in made.values()],
        "tricks": list(trial.tricks),
    }
