"""Calling the observers of the cold plane, none of which may end the training."""

from collections.abc import Callable
from typing import Any

from ganbench.plugin import Host


class Observers:
    """Calls every plugin's observers; an exception is reported once and goes no further.

    Parameters
    ----------
    host : Host
    warn : callable
        Told of an observer that raised.
    """

    def __init__(self, host: Host, warn: Callable[[str], None]) -> None:
        self._host, self._warn = host, warn
        self._reported: set[tuple[str, str]] = set()

    def notify(self, hook: str, **arguments: Any) -> None:
        """Call one hook in every plugin that has it, each apart from the others."""
        for implementation in getattr(self._host.hook, hook).get_hookimpls():
            try:
                implementation.function(*(arguments[name] for name in implementation.argnames))
            except Exception as error:
                self._report(implementation.plugin_name, hook, error)

    def _report(self, plugin: str, hook: str, error: Exception) -> None:
        if (plugin, hook) not in self._reported:
            self._reported.add((plugin, hook))
            self._warn(
                f"{plugin}.{hook} raised {type(error).__name__}: {error} "
                "(reported once; the study goes on)"
            )
