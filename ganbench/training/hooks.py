"""The hot plane: which trick's methods are overridden, and in which order they run."""

import heapq
from collections.abc import Mapping, Sequence
from typing import Any

from ganbench.plugin import Host, Trick
from ganbench.training.errors import NotApplicableError

STEP_HOOKS = (
    "transform_latent",
    "transform_images",
    "transform_discriminator_input",
    "transform_targets",
    "judge_batches",
    "discriminator_penalty",
    "generator_penalty",
    "generator_objective",
    "transform_gradients",
    "gate_update",
    "after_optimizer_step",
    "before_step",
    "plan_updates",
)
BUILD_HOOKS = (
    "configure",
    "transform_generator",
    "transform_discriminator",
    "make_objective",
    "make_optimizer",
    "make_latent",
    "make_modules",
    "make_buffers",
)
HOST_HOOKS = ("on_evaluate", "sampling_generator", "draw_pictures")
EXCLUSIVE = (
    "make_objective",
    "make_optimizer",
    "make_latent",
    "judge_batches",
    "generator_objective",
    "sampling_generator",
)


def overrides(trick: Trick, hook: str) -> bool:
    """Say whether a trick implements a hook rather than inheriting the empty one."""
    return getattr(type(trick), hook) is not getattr(Trick, hook)


def order(tricks: Sequence[Trick]) -> tuple[Trick, ...]:
    """Sort tricks by their declared ``before`` and ``after``, then stage, then name.

    The order in which a study file lists them never matters.

    Raises
    ------
    NotApplicableError
        If the declarations form a cycle.
    """
    by_name = {trick.name: trick for trick in tricks}
    followers: dict[str, set[str]] = {name: set() for name in by_name}
    for name, trick in by_name.items():
        followers[name].update(other for other in trick.before if other in by_name)
        for other in trick.after:
            if other in by_name:
                followers[other].add(name)
    waiting = dict.fromkeys(by_name, 0)
    for names in followers.values():
        for name in names:
            waiting[name] += 1
    ready = [(int(by_name[name].stage), name) for name, count in waiting.items() if count == 0]
    heapq.heapify(ready)
    result: list[Trick] = []
    while ready:
        _, name = heapq.heappop(ready)
        result.append(by_name[name])
        for follower in followers[name]:
            waiting[follower] -= 1
            if waiting[follower] == 0:
                heapq.heappush(ready, (int(by_name[follower].stage), follower))
    if len(result) < len(by_name):
        cycle = sorted(set(by_name) - {trick.name for trick in result})
        raise NotApplicableError(
            "these tricks each declare that they come before another: " + ", ".join(cycle)
        )
    return tuple(result)


def create_tricks(settings: Mapping[str, Mapping[str, Any]], host: Host) -> tuple[Trick, ...]:
    """Return the tricks of a trial, constructed and in order.

    A trick at its neutral setting, which changes nothing, conflicts with nobody.

    Raises
    ------
    NotApplicableError
        If two tricks conflict, one lacks another that it requires, or two claim a hook
        that only one may have.
    """
    tricks = order([host.create("trick", name, given) for name, given in settings.items()])
    names = {trick.name for trick in tricks}
    active = active_names(tricks)
    for trick in tricks:
        for other, reason in trick.conflicts.items():
            if other in active and trick.name in active:
                raise NotApplicableError(f"{trick.name} conflicts with {other}: {reason}")
        for other, reason in trick.requires.items():
            if other not in names:
                raise NotApplicableError(f"{trick.name} requires {other}: {reason}")
    for hook in EXCLUSIVE:
        claimants = [trick.name for trick in tricks if overrides(trick, hook)]
        if len(claimants) > 1:
            raise NotApplicableError(
                f"{' and '.join(claimants)} both provide {hook}, of which a trial has one"
            )
    return tricks


def active_names(tricks: Sequence[Trick]) -> tuple[str, ...]:
    """Return the names of the tricks that are not at their neutral setting, in order.

    One without parameters is on wherever it is named.
    """
    return tuple(
        trick.name
        for trick in tricks
        if not type(trick).Parameters.model_fields or trick.parameters != type(trick).neutral
    )


def resolved_order(tricks: Sequence[Trick]) -> dict[str, list[str]]:
    """Return, for each hook in use, the tricks that implement it in the order they run."""
    found = {
        hook: [trick.name for trick in tricks if overrides(trick, hook)]
        for hook in (*BUILD_HOOKS, *STEP_HOOKS, *HOST_HOOKS)
    }
    return {hook: names for hook, names in found.items() if names}
