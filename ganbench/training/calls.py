"""Calling plugins so that what goes wrong there is said to have gone wrong there."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import record_function

from ganbench.training.errors import HookError, HookResultError, NotApplicableError
from ganbench.training.hooks import BUILD_HOOKS, HOST_HOOKS, STEP_HOOKS
from ganbench.training.tracing import note

PURE = (
    "transform_latent",
    "transform_images",
    "transform_discriminator_input",
    "transform_targets",
)
"""Hooks whose argument is not theirs alone."""


@dataclass(frozen=True)
class Reshaped:
    """A change of a tensor's shape by a hook."""

    plugin: str
    hook: str
    before: tuple[int, ...]
    after: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.plugin}.{self.hook} made shape {self.after} of {self.before}"


class CheckedHook:
    """A step hook that looks at its result: for the first update that it takes part in.

    Parameters
    ----------
    method : callable
        A bound method of a trick.
    hook : str
        The hook that it implements, whatever the function behind it is called.

    Attributes
    ----------
    reshaped : Reshaped or None
        That a tensor did not keep its shape. It is no fault by itself (packing does it), but a
        reason to look here if what follows fails.
    """

    def __init__(self, method: Callable[..., Any], hook: str) -> None:
        self._method, self._hook = method, hook
        self._plugin = str(getattr(getattr(method, "__self__", None), "name", method))
        self.reshaped: Reshaped | None = None

    def __call__(self, *arguments: Any) -> Any:
        """Call the hook.

        Raises
        ------
        HookResultError
            If it returns something that the step cannot use.
        """
        before = [a._version if isinstance(a, Tensor) else 0 for a in arguments]
        result = self._method(*arguments)
        after = [a._version if isinstance(a, Tensor) else 0 for a in arguments]
        problem = _problem(self._hook, result, arguments)
        if problem is None and before != after and self._hook in PURE:
            problem = "after changing its argument in place, which others see too; expected a copy"
        if problem is not None:
            raise HookResultError(self._plugin, self._hook, problem)
        if self._hook in PURE and result.shape != arguments[0].shape:
            shapes = tuple(arguments[0].shape), tuple(result.shape)
            self.reshaped = Reshaped(self._plugin, self._hook, *shapes)
        note(self._plugin, self._hook, arguments, result)
        return result


class NamedHook:
    """A step hook that a profiler sees by the names of its plugin and of itself.

    Parameters
    ----------
    method, hook
        As ``CheckedHook``'s.
    """

    def __init__(self, method: Callable[..., Any], hook: str) -> None:
        plugin = getattr(method, "__self__", None)
        self._method, self._name = method, f"{getattr(plugin, 'name', method)}.{hook}"

    def __call__(self, *arguments: Any) -> Any:
        """Call the hook."""
        with record_function(self._name):
            return self._method(*arguments)


def _problem(hook: str, result: Any, arguments: Sequence[Any]) -> str | None:
    """Say what is wrong with a step hook's result, None if nothing is."""
    if hook == "after_optimizer_step":
        return None
    if hook == "transform_gradients":
        return _gradients_problem(result, arguments[1])
    if hook == "judge_batches":
        fits = isinstance(result, tuple) and len(result) == 2
        if fits and all(isinstance(t, Tensor) and t.ndim == 2 and t.shape[1] == 1 for t in result):
            return None
        return f"{_kind(result)}, expected two tensors of logits of shape (batch, 1)"
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
    elif hook == "gate_update" and result.dtype != torch.bool:
        return f"a tensor of {result.dtype}, expected torch.bool"
    return None


def _gradients_problem(result: Any, given: Sequence[Tensor]) -> str | None:
    if not isinstance(result, Sequence) or len(result) != len(given):
        return f"{_kind(result)}, expected {len(given)} gradients"
    for place, (new, old) in enumerate(zip(result, given, strict=True)):
        if not isinstance(new, Tensor):
            return f"{_kind(new)} at place {place}, expected a gradient"
        if new.shape != old.shape:
            shapes = f"{tuple(new.shape)} at place {place}, expected {tuple(old.shape)}"
            return f"a gradient of shape {shapes}"
    return None


def _kind(value: Any) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def call_plugin(plugin: str, method: Callable[..., Any], *arguments: Any) -> Any:
    """Call a build-time method of a plugin; its exception comes out as a ``HookError``."""
    name = str(getattr(method, "__name__", "a hook"))
    try:
        result = method(*arguments)
    except NotApplicableError:
        raise
    except Exception as error:
        raise HookError(plugin, name, error) from error
    if not str(getattr(method, "__module__", "")).startswith("ganbench."):
        note(plugin, name, arguments, result)  # a base's own method does nothing worth noting
    return result


def mapping_of(plugin: str, hook: str, value: object) -> Mapping[str, Any]:
    """Return a hook's result, or blame it for being no mapping.

    Raises
    ------
    HookResultError
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise HookResultError(plugin, hook, f"{_kind(value)}, expected a mapping of names")
    return value


def blame(error: BaseException, plugins: Sequence[object]) -> HookError | None:
    """Find the plugin in whose code an exception was raised, if it was in one.

    Looking at the traceback afterwards keeps the loop free of wrappers. The innermost plugin
    counts: a hook may have called another's. Code of a plugin's file that is no method of it,
    such as a layer's ``forward``, is its too.
    """
    if isinstance(error, HookError):
        return error
    files = {_file(plugin): plugin for plugin in reversed(plugins)}
    owner: object | None = None
    hook = ""
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        found = _owner(trace.tb_frame, plugins, files)
        name = trace.tb_frame.f_code.co_name
        # A hook's helpers are the hook's doing.
        if found is not None and (found is not owner or name in HOOKS):
            owner, hook = found, name
        trace = trace.tb_next
    if owner is None:
        return None
    return HookError(str(getattr(owner, "name", owner)), hook, error)


HOOKS = frozenset((*BUILD_HOOKS, *STEP_HOOKS, *HOST_HOOKS))


def _owner(
    frame: FrameType, plugins: Sequence[object], files: Mapping[str | None, object]
) -> object | None:
    this = frame.f_locals.get("self")
    for plugin in plugins:
        if this is plugin:
            return plugin
    if isinstance(this, nn.Module) or this is None:
        return files.get(frame.f_code.co_filename)
    return None


def _file(plugin: object) -> str | None:
    try:
        return inspect.getsourcefile(type(plugin))
    except TypeError:  # made without a file, in a session
        return None
