"""How a trial can end before its last step, other than by diverging."""

from ganbench.plugin import GanbenchError


class NotApplicableError(GanbenchError):
    """The arm makes no sense as declared by a plugin; it is reported as n/a, with this."""


class CheckpointError(GanbenchError):
    """A checkpoint that cannot be read, or belongs to another trial."""


class HookError(Exception):
    """An exception inside a plugin's hook.

    Attributes
    ----------
    plugin, hook : str
        Whose code failed, and in which method.
    """

    def __init__(self, plugin: str, hook: str, error: BaseException) -> None:
        self.plugin, self.hook = plugin, hook
        super().__init__(f"{plugin}.{hook} raised {type(error).__name__}: {error}")
