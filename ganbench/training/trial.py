"""A trial: one arm at one seed, trained, sampled, saved and resumed."""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganbench.config.model import TrialConfig
from ganbench.data.images import quantise
from ganbench.data.resident import Order, Resident
from ganbench.plugin import (
    ROLES,
    Buffers,
    BuildContext,
    Data,
    Host,
    LatentSpec,
    Objective,
    OptimizerSpec,
    Role,
    TrainingSpec,
    Trick,
)
from ganbench.training import sampling
from ganbench.training.errors import HookResultError, NonFiniteError, NotApplicableError
from ganbench.training.hooks import (
    blame,
    call_plugin,
    create_tricks,
    overrides,
    resolved_order,
)
from ganbench.training.networks import BuiltPair, build_pairs
from ganbench.training.optimizers import make_optimizer, optimizer_spec
from ganbench.training.step import PairStep, collect
from ganbench.training.streams import Streams


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
        Training time so far, over all sessions.
    diverged_at : int or None
        The first step, counted from 1, whose losses were not finite; the last step if then a
        weight is not.
    compiled : bool
        Whether the networks run through ``torch.compile``; then ``seconds`` leaves out the
        first step of a session, in which they are compiled.
    order : dict of str to list of str
        For each hook in use, the tricks that implement it, as they run.

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
        self.streams = Streams(seed, device)
        self.tricks = create_tricks(config.tricks, host)
        self.order = resolved_order(self.tricks)
        self.architecture = host.create(
            "architecture", config.architecture.name, config.architecture.parameters
        )
        self.objective: Objective = host.create(
            "objective", config.objective.name, config.objective.parameters
        )
        # A step that cannot be captured runs eagerly; the trial's details say which it was.
        self.compiled = config.execution.compile and all(t.capturable for t in self.tricks)
        self._resident = Resident(data, device)
        self.context = self._configure(data)
        self.pairs: tuple[BuiltPair, ...] = build_pairs(
            self.architecture, self.tricks, self.context, self.streams
        )
        self.optimizers = [self._make_optimizers(built) for built in self.pairs]
        self._steps = [
            PairStep(
                built,
                self.tricks,
                self.objective,
                optimizers,
                self.context.spec.batch_size,
                device,
                self.streams,
                self._autocast,
                self.compiled,
            )
            for built, optimizers in zip(self.pairs, self.optimizers, strict=True)
        ]
        self._schedules = [
            hook
            for built in self.pairs
            for hook in collect(self.tricks, built.buffers, "before_step")
        ]
        self.batches = Order(
            len(self._resident.items), self.context.spec.batch_size, self.streams.stream("data")
        )
        self.loss_log = torch.zeros(self.steps, len(self.pairs), len(ROLES), device=device)

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
        began = time.perf_counter()
        try:
            with self.streams.layers():
                for step in range(start, end):
                    self._train_step(step)
                    if not self._warm:
                        self._warm = True
                        for pair_step in self._steps:
                            pair_step.trust_hooks()
                        if self.compiled:
                            began = time.perf_counter()
        except Exception as error:
            blamed = blame(error, (*self.tricks, self.architecture, self.objective))
            if blamed is not None:
                raise blamed from error
            raise
        finite = torch.isfinite(self.loss_log[start:end]).flatten(1).all(1).cpu()
        self.seconds += time.perf_counter() - began
        self.step = end
        if not finite.all():
            self.step = self.diverged_at = start + int(finite.long().argmin()) + 1
        elif end == self.steps and not self._weights_are_finite():
            self.diverged_at = end

    def _weights_are_finite(self) -> bool:
        return all(
            bool(parameter.isfinite().all())
            for built in self.pairs
            for role in ROLES
            for parameter in built.parameters(role)
        )

    def losses(self, since: int) -> dict[str, float]:
        """Return the mean losses of each pair and role over the steps after ``since``."""
        means = self.loss_log[since : self.step].mean(0).tolist()
        return {
            _figure(built.pair.name, role): value
            for built, row in zip(self.pairs, means, strict=True)
            for role, value in zip(ROLES, row, strict=True)
        }

    def sample(self, count: int) -> Tensor:
        """Return samples as they would be saved: uint8 images, or float32 points.

        The latents are the same at every call, and in every arm of a seed. Training is not
        disturbed: streams, BatchNorm's statistics and modes are as before.

        Parameters
        ----------
        count : int

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
        generators = {built.pair.name: self._sampling_generator(built) for built in self.pairs}
        settings = self.config.evaluation
        # Statistics of the batch need whole batches, the last one too.
        whole = -(-count // settings.batch_size) * settings.batch_size
        drawn = whole if settings.batch_norm == "batch" else count
        with self.streams.layers(), self._autocast():
            self.streams.seed_layers("evaluation")
            images = call_plugin(
                self.architecture.name,
                sampling.sample,
                self.architecture,
                generators,
                self._evaluation_latents(drawn),
                settings.batch_size,
                settings.batch_norm,
            )[:count].float()
        if not images.isfinite().all():
            raise NonFiniteError(f"samples are not finite after step {self.step}")
        return quantise(images) if self.context.spec.is_image else images

    def extra_figures(self) -> dict[str, float]:
        """Return the figures that tricks report of their own, as ``trick.figure``."""
        figures: dict[str, float] = {}
        for trick in self.tricks:
            if not overrides(trick, "on_evaluate"):
                continue
            for built in self.pairs:
                nets = [built.pair.generator, built.pair.discriminator]
                mode = sampling.sampling_mode(nets, self.config.evaluation.batch_norm)
                with self.streams.layers(), torch.no_grad(), mode:
                    self.streams.seed_layers("evaluation", trick.name)
                    buffers = self._evaluation_buffers(built, trick)
                    own = call_plugin(trick.name, trick.on_evaluate, built.context, buffers)
                for key, value in own.items():
                    if not isinstance(value, int | float):
                        problem = f"{key}={value!r}, expected a number"
                        raise HookResultError(trick.name, "on_evaluate", problem)
                    figures[_figure(built.pair.name, f"{trick.name}.{key}")] = value
        return figures

    def parameter_counts(self) -> dict[str, int]:
        """Return the number of trained parameters of each pair and role."""
        return {
            _figure(built.pair.name, role): sum(p.numel() for p in built.parameters(role))
            for built in self.pairs
            for role in ROLES
        }

    def _train_step(self, step: int) -> None:
        for hook, buffers in self._schedules:
            hook(step, buffers)
        batch = self._resident.batch(self.batches.next())
        for index, pair_step in enumerate(self._steps):
            name = pair_step.pair.name
            for column, role, train in (
                (1, "discriminator", pair_step.train_discriminator),
                (0, "generator", pair_step.train_generator),
            ):
                self.streams.seed_layers(name, role, str(step))
                self.loss_log[step, index, column] = train(batch, self._latents(name, role))

    def _latents(self, pair: str, role: str) -> Tensor:
        stream = self.streams.stream(f"latent/{pair}/{role}")
        return sampling.draw_latents(self.context.spec, self.context.spec.batch_size, stream)

    def _evaluation_latents(self, count: int) -> Tensor:
        z = sampling.draw_latents(self.context.spec, count, self.streams.fresh("evaluation"))
        for trick in self.tricks:
            if overrides(trick, "transform_latent"):
                buffers = self._evaluation_buffers(self.pairs[0], trick)
                z = call_plugin(trick.name, trick.transform_latent, z, buffers)
        return z

    def _evaluation_buffers(self, built: BuiltPair, trick: Trick) -> Buffers:
        """Return a trick's buffers with a stream that stands at its start at every call."""
        stream = self.streams.fresh("evaluation", "trick", trick.name, built.pair.name)
        return sampling.with_stream(built.buffers[trick.name], stream)

    def _sampling_generator(self, built: BuiltPair) -> nn.Module:
        for trick in self.tricks:
            if overrides(trick, "sampling_generator"):
                replaced: nn.Module = call_plugin(
                    trick.name,
                    trick.sampling_generator,
                    built.context,
                    built.buffers[trick.name],
                )
                return replaced
        return built.pair.generator

    def _configure(self, data: Data) -> BuildContext:
        config = self.config
        spec = TrainingSpec(
            shape=data.shape,
            latent=LatentSpec(config.latent.dimension, config.latent.distribution),
            batch_size=config.batch_size,
            steps=config.steps,
            optimizers={
                "generator": optimizer_spec(config.optimizers.generator),
                "discriminator": optimizer_spec(config.optimizers.discriminator),
            },
        )
        for trick in self.tricks:
            if overrides(trick, "configure"):
                before, spec = spec, call_plugin(trick.name, trick.configure, spec)
                if not isinstance(spec, TrainingSpec):
                    problem = f"a value of type {type(spec).__name__}, expected the TrainingSpec"
                    raise HookResultError(trick.name, "configure", problem)
                if (spec.shape, spec.steps) != (before.shape, before.steps):
                    raise HookResultError(
                        trick.name,
                        "configure",
                        "another shape or number of steps, which are the study's",
                    )
        context = BuildContext(
            spec=spec,
            pair="main",
            device=self.device,
            architecture=self.architecture.name,
            objective=self.objective.name,
            uses_targets=self.objective.uses_targets,
            tricks=tuple(trick.name for trick in self.tricks),
            real_images=self._resident.items,
        )
        for trick in self.tricks:
            if overrides(trick, "make_latent"):
                latent = call_plugin(trick.name, trick.make_latent, context)
                context = replace(context, spec=context.spec.with_changes(latent=latent))
            if overrides(trick, "make_objective"):
                self.objective = call_plugin(trick.name, trick.make_objective, context)
        for trick in self.tricks:
            if trick.needs_targets and not self.objective.uses_targets:
                raise NotApplicableError(
                    f"{trick.name} changes targets, and the objective "
                    f"{self.objective.name} has none"
                )
        return replace(
            context, objective=self.objective.name, uses_targets=self.objective.uses_targets
        )

    def _make_optimizers(self, built: BuiltPair) -> dict[Role, Optimizer]:
        made: dict[Role, Optimizer] = {}
        for role in ROLES:
            params: Sequence[Tensor] = built.parameters(role)
            spec: OptimizerSpec = self.context.spec.optimizers[role]
            for trick in self.tricks:
                if overrides(trick, "make_optimizer"):
                    own = call_plugin(trick.name, trick.make_optimizer, role, params, built.context)
                    if own is not None:
                        made[role] = own
            if role not in made:
                made[role] = make_optimizer(spec, params)
        return made

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.config.execution.amp == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()


def _figure(pair: str, name: str) -> str:
    return name if pair == "main" else f"{pair}.{name}"


def trial_parts(trial: Trial) -> Mapping[str, Any]:
    """Return the stateful objects of a trial by name, for its checkpoint."""
    return {
        "generators": [built.pair.generator for built in trial.pairs],
        "discriminators": [built.pair.discriminator for built in trial.pairs],
        "modules": [built.modules[role] for built in trial.pairs for role in (*ROLES, None)],
        "optimizers": [made[role] for made in trial.optimizers for role in ROLES],
        "tricks": list(trial.tricks),
    }
