"""The plain view of a run, for logs and pipes: whole lines and no control characters."""

import time

import click

from ganbench.cli import words
from ganbench.study.messages import Ended
from ganbench.study.monitor import Overview, State

HEARTBEAT_SECONDS = 15.0


class PlainMonitor:
    """Prints a line for each trial that ends, and a sign of life now and then."""

    def __init__(self) -> None:
        self._label = ""
        self._spoke = time.monotonic()
        self._primary = ""
        self._stopping = False

    def preparing(self, label: str, done: int, total: int | None) -> None:
        """Print what is prepared, once, and again when it takes long."""
        if label != self._label:
            self._label = label
            self._print(label)
        elif self._silent() and total:
            self._print(f"{label}: {100 * done // total} %")

    def begin(self, overview: Overview) -> None:
        """Print the study."""
        self._primary = overview.primary
        for line in (words.title(overview), *words.preamble(overview)):
            self._print(line)

    def tick(self, state: State) -> None:
        """Print a sign of life if nothing else was printed for a while."""
        if state.stopping and not self._stopping:
            self._stopping = True
            self._print(words.stopping_line())
        elif self._silent():
            rest = [words.tally(state), f"{len(state.running)} running", words.time_left(state)]
            self._print(", ".join(part for part in rest if part))

    def ended(self, ended: Ended, state: State) -> None:
        """Print how a trial ended."""
        left = words.time_left(state)
        line = f"[{state.done + state.failed}/{state.total}] "
        line += words.ended_line(ended, self._primary)
        self._print(f"{line} ({left})" if left else line)

    def notice(self, text: str) -> None:
        """Print a notice."""
        self._print(f"note: {text}")

    def close(self) -> None:
        """Do nothing: there is nothing to leave behind."""

    def _silent(self) -> bool:
        return time.monotonic() - self._spoke >= HEARTBEAT_SECONDS

    def _print(self, line: str) -> None:
        self._spoke = time.monotonic()
        click.echo(line)
