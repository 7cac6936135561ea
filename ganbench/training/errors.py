"""How a trial can end before its last step, other than by diverging."""

import traceback
from pathlib import Path

from ganbench.plugin import GanbenchError


class NotApplicableError(GanbenchError):
    """The arm makes no sense as declared by a plugin; it is reported as n/a, with this."""


class NonFiniteError(ArithmeticError):
    """Samples that hold NaN or infinity: the trial has diverged."""


class CheckpointError(GanbenchError):
    """A checkpoint that cannot be read, or belongs to another trial."""


class OutputError(ValueError):
    """A network's output of a shape that the step cannot use.

    Attributes
    ----------
    network : {"generator", "discriminator"}
    """

    def __init__(self, network: str, problem: str) -> None:
        self.network = network
        super().__init__(problem)


class HookError(Exception):
    """An exception inside a plugin's hook, or a result that the step cannot use.

    Attributes
    ----------
    plugin, hook : str
        Whose code failed, and in which method.
    """

    def __init__(self, plugin: str, hook: str, error: BaseException, before: str = "") -> None:
        self.plugin, self.hook = plugin, hook
        super().__init__(
            f"{plugin}.{hook} raised {type(error).__name__}: {error}{_place(error, hook)}{before}"
        )


class HookResultError(HookError):
    """A hook that returned something that the step cannot use."""

    def __init__(self, plugin: str, hook: str, problem: str) -> None:
        self.plugin, self.hook = plugin, hook
        Exception.__init__(self, f"{plugin}.{hook} returned {problem}")


def _place(error: BaseException, hook: str) -> str:
    """Return file and line, in the hook, at which an exception came up."""
    # The innermost of that name: the trainer's own methods are named after the hooks.
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.name == hook:
            return f" ({Path(frame.filename).name}:{frame.lineno})"
    return ""
