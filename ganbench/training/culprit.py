"""Who gave a step what it could not use: for failures that come up in somebody else's code."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ganbench.plugin import BuildContext, Half, Trick
from ganbench.training.calls import CheckedHook, blame
from ganbench.training.errors import HookError, HookResultError, OutputError
from ganbench.training.hooks import overrides

SHAPE_ERRORS = (RuntimeError, ValueError, IndexError)
"""What operations raise for shapes that do not fit."""
MEMORY_ERRORS = (torch.OutOfMemoryError,)


def expect_shape(network: Half, output: object, shape: tuple[int, ...]) -> None:
    """Look at what a network returned.

    Raises
    ------
    OutputError
        If it is not a tensor of ``shape``.
    """
    found = tuple(output.shape) if isinstance(output, Tensor) else None
    if found != shape:
        seen = f"a value of type {type(output).__name__}" if found is None else f"shape {found}"
        raise OutputError(network, f"the {network} returned {seen}, expected shape {shape}")


def explained(
    error: Exception,
    hooks: Sequence[CheckedHook],
    tricks: Sequence[Trick],
    context: BuildContext,
) -> Exception:
    """Return an exception that names the plugin behind ``error``, or ``error`` itself.

    A tensor of another shape is seldom refused by whoever meets it first: it fails in a layer
    of the architecture, or in the objective. So the hooks that changed a shape in this update
    are suspected before those.

    Parameters
    ----------
    error : Exception
        Of an update whose hooks were looked at.
    hooks : sequence of CheckedHook
        All of the update's.
    tricks : sequence of Trick
        In their resolved order.
    context : BuildContext
    """
    if isinstance(error, HookError):
        return error
    changes = list(dict.fromkeys(hook.reshaped for hook in hooks if hook.reshaped is not None))
    blamed = blame(error, tricks)
    if blamed is not None:
        others = [str(change) for change in changes if change.plugin != blamed.plugin]
        before = f"; before it, {' and '.join(others)}" if others else ""
        return HookError(blamed.plugin, blamed.hook, error, before)
    if changes and isinstance(error, SHAPE_ERRORS) and not isinstance(error, MEMORY_ERRORS):
        *earlier, last = changes
        failure = f"the step then failed with {type(error).__name__}: {error}"
        also = f" (before it, {' and '.join(map(str, earlier))})" if earlier else ""
        problem = f"shape {last.after} for {last.before}; {failure}{also}"
        return HookResultError(last.plugin, last.hook, problem)
    if isinstance(error, OutputError):
        hook = f"transform_{error.network}"
        names = [trick.name for trick in tricks if overrides(trick, hook)]
        plugin, hook = (names[-1], hook) if names else (context.architecture, "build_pairs")
        return HookResultError(plugin, hook, f"an unusable network: {error}")
    return error
