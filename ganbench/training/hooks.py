"""The hot plane: which trick's methods are overridden, and in which order they run."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

from torch import Tensor

from ganbench.plugin import Host, Trick
from ganbench.training.errors import HookError, HookResultError, NotApplicableError
from ganbench.training.tracing import note

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

    Raises
    ------
    NotApplicableError
        If two tricks conflict, one lacks another that it requires, or two claim a hook
        that only one may have.
    """
    tricks = order([host.create("trick", name, given) for name, given in settings.items()])
    names = {trick.name for trick in tricks}
    for trick in tricks:
        for other, reason in trick.conflicts.items():
            if other in names:
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


def resolved_order(tricks: Sequence[Trick]) -> dict[str, list[str]]:
    """Return, for each hook in use, the tricks that implement it in the order they run."""
    found = {
        hook: [trick.name for trick in tricks if overrides(trick, hook)]
        for hook in (*BUILD_HOOKS, *STEP_HOOKS, *HOST_HOOKS)
    }
    return {hook: names for hook, names in found.items() if names}


class CheckedHook:
    """A step hook that looks at its result: for a trial's first step.

    Parameters
    ----------
    method : callable
        A bound method of a trick.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self._hook = method.__name__
        self._plugin = str(getattr(getattr(method, "__self__", None), "name", method))

    def __call__(self, *arguments: Any) -> Any:
        """Call the hook.

        Raises
        ------
        HookResultError
            If it returns something that the step cannot use.
        """
        result = self._method(*arguments)
        problem = _problem(self._hook, result, arguments)
        if problem is not None:
            raise HookResultError(self._plugin, self._hook, problem)
        note(self._plugin, self._hook, arguments, result)
        return result


def _problem(hook: str, result: Any, arguments: Sequence[Any]) -> str | None:
    if hook == "after_optimizer_step":
        return None
    if hook == "transform_gradients":
        wanted = len(arguments[1])
        if isinstance(result, Sequence) and len(result) == wanted:
            return None
        return f"{_kind(result)}, expected {wanted} gradients"
    if hook == "judge_batches":
        if isinstance(result, tuple) and len(result) == 2:
            return None
        return f"{_kind(result)}, expected two tensors of logits"
    if not isinstance(result, Tensor):
        return f"{_kind(result)}, expected a tensor"
    if hook == "transform_targets":
        # The batch may change, as packing does; the rest of the shape may not.
        columns = arguments[0].shape[1]
        if result.ndim != 2 or result.shape[1] != columns:
            return f"a tensor of shape {tuple(result.shape)}, expected (batch, {columns})"
    elif hook == "transform_latent" and result.ndim != 2:
        return f"a tensor of shape {tuple(result.shape)}, expected (batch, latent)"
    elif hook.endswith(("_penalty", "_objective", "gate_update")) and result.ndim:
        return f"a tensor of shape {tuple(result.shape)}, expected a single number, shape ()"
    return None


def _kind(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def call_plugin(plugin: str, method: Callable[..., Any], *arguments: Any) -> Any:
    """Call a build-time method of a plugin; its exception comes out as a ``HookError``."""
    try:
        result = method(*arguments)
    except NotApplicableError:
        raise
    except Exception as error:
        raise HookError(plugin, method.__name__, error) from error
    if not method.__module__.startswith("ganbench."):  # a base's method does nothing
        note(plugin, method.__name__, arguments, result)
    return result


def blame(error: BaseException, plugins: Sequence[object]) -> HookError | None:
    """Find the plugin in whose method an exception was raised, if it was in one.

    Looking at the traceback afterwards keeps the loop free of wrappers.
    """
    if isinstance(error, HookError):
        return error
    found: HookError | None = None
    trace: TracebackType | None = error.__traceback__
    while trace is not None:  # the innermost counts: a hook may have called another's
        frame = trace.tb_frame
        for plugin in plugins:
            if frame.f_locals.get("self") is plugin:
                name = str(getattr(plugin, "name", plugin))
                found = HookError(name, frame.f_code.co_name, error)
        trace = trace.tb_next
    return found
