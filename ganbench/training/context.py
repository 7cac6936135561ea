"""What a trial's build hooks are told: the specification after every trick's word."""

from collections.abc import Sequence
from dataclasses import replace

from ganbench.config.model import TrialConfig
from ganbench.data.resident import Resident
from ganbench.plugin import (
    Architecture,
    BuildContext,
    LatentSpec,
    Objective,
    TrainingSpec,
    Trick,
)
from ganbench.training.calls import call_plugin
from ganbench.training.errors import HookResultError, NotApplicableError
from ganbench.training.hooks import active_names, overrides
from ganbench.training.optimizers import optimizer_spec, spec_problem


def make_context(
    config: TrialConfig,
    data: Resident,
    tricks: Sequence[Trick],
    architecture: Architecture,
    objective: Objective,
) -> tuple[BuildContext, Objective]:
    """Return the context that networks are built in, and the objective after every trick.

    Raises
    ------
    NotApplicableError
        If a trick needs targets and the objective has none.
    HookError
        If a hook raises, or returns something that cannot be built from.
    """
    context = BuildContext(
        spec=_specification(config, data, tricks),
        pair="main",
        device=data.device,
        architecture=architecture.name,
        objective=objective.name,
        uses_targets=objective.uses_targets,
        tricks=active_names(tricks),
        real_images=data.items,
        real_labels=data.labels,
        real_batch=lambda indices: (data.batch(indices), None),
    )
    for trick in tricks:
        if overrides(trick, "make_latent"):
            latent = call_plugin(trick.name, trick.make_latent, context)
            if not isinstance(latent, LatentSpec):
                problem = f"a value of type {type(latent).__name__}, expected a LatentSpec"
                raise HookResultError(trick.name, "make_latent", problem)
            context = replace(context, spec=context.spec.with_changes(latent=latent))
        if overrides(trick, "make_objective"):
            other: object = call_plugin(trick.name, trick.make_objective, context)
            if not isinstance(other, Objective):
                problem = f"a value of type {type(other).__name__}, expected an Objective"
                raise HookResultError(trick.name, "make_objective", problem)
            objective = other
    for trick in tricks:
        if trick.needs_targets and not objective.uses_targets:
            raise NotApplicableError(
                f"{trick.name} changes targets, and the objective {objective.name} has none"
            )
    changed = replace(context, objective=objective.name, uses_targets=objective.uses_targets)
    return changed, objective


def _specification(config: TrialConfig, data: Resident, tricks: Sequence[Trick]) -> TrainingSpec:
    spec = TrainingSpec(
        shape=data.data.shape,
        latent=LatentSpec(config.latent.dimension, config.latent.distribution),
        batch_size=config.batch_size,
        steps=config.steps,
        optimizers={
            "generator": optimizer_spec(config.optimizers.generator),
            "discriminator": optimizer_spec(config.optimizers.discriminator),
        },
    )
    for trick in tricks:
        if not overrides(trick, "configure"):
            continue
        changed: object = call_plugin(trick.name, trick.configure, spec)
        if not isinstance(changed, TrainingSpec):
            problem = f"a value of type {type(changed).__name__}, expected the TrainingSpec"
            raise HookResultError(trick.name, "configure", problem)
        if (changed.shape, changed.steps) != (spec.shape, spec.steps):
            problem = "another shape or number of steps, which are the study's"
            raise HookResultError(trick.name, "configure", problem)
        for role, optimizer in changed.optimizers.items():
            wrong = spec_problem(optimizer)
            if wrong is not None:
                raise HookResultError(trick.name, "configure", f"for {role!r} {wrong}")
        spec = changed
    return spec
