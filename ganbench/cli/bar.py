"""What takes long, on the terminal: a bar; nothing in a pipe."""

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Rich

from ganbench.plugin import Progress


class Bar:
    """A bar for whatever is under way, gone when all is done.

    Parameters
    ----------
    quiet : bool
        Show nothing.
    """

    def __init__(self, quiet: bool) -> None:
        console = Console(stderr=True)
        self._shown = console.is_terminal and not quiet
        columns = (TextColumn("{task.description}"), BarColumn())
        self._bar = Rich(*columns, console=console, transient=True)
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Progress:
        if self._shown:
            self._bar.start()
        return self._tell

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._bar.stop()

    def _tell(self, label: str, done: int, total: int | None) -> None:
        if not self._shown:
            return
        if label not in self._tasks:
            for task in self._tasks.values():
                self._bar.update(task, visible=False)
            self._tasks[label] = self._bar.add_task(label)
        self._bar.update(self._tasks[label], completed=done, total=total, visible=True)
