"""The live view of a run, on a terminal."""

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ganbench.cli import words
from ganbench.report.words import number
from ganbench.study.messages import Ended
from ganbench.study.monitor import Overview, RunningTrial, State

HEALTH = {"healthy": "green", "partial collapse": "yellow", "total collapse": "red"}
WARNED = " !"
"""Behind the state of a trial with early warnings at its last evaluation."""
REFRESHES_PER_SECOND = 4


class LiveMonitor:
    """Redraws a few lines at the bottom: the running trials, and the whole study.

    Parameters
    ----------
    console : Console
        A terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._overview: Overview | None = None
        self._live: Live | None = None
        self._stopping = False

    def preparing(self, label: str, done: int, total: int | None) -> None:
        """Show the preparation as a bar."""
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_row(Text(label), _bar(done / total if total else None))
        self._show(grid)

    def begin(self, overview: Overview) -> None:
        """Print the study, above what is redrawn."""
        self._overview = overview
        self.close()
        self._console.print(f"[bold]{escape(words.title(overview))}[/bold]", highlight=False)
        for line in words.preamble(overview):
            self._console.print(Text(line, style="dim"))

    def tick(self, state: State) -> None:
        """Redraw."""
        if state.stopping and not self._stopping:
            self._stopping = True
            self.notice(words.stopping_line())
        self._show(Group(self._trials(state), self._total(state)))

    def ended(self, ended: Ended, state: State) -> None:
        """Leave a line for a trial that did not come to its end; redraw."""
        if ended.outcome not in ("complete", "pruned"):
            style = "red" if ended.outcome == "failed" else "yellow"
            self._console.print(Text(words.ended_line(ended, self._primary), style=style))
        self.tick(state)

    def notice(self, text: str) -> None:
        """Print a notice above what is redrawn."""
        self._console.print(Text(f"note: {text}", style="yellow"))

    def close(self) -> None:
        """Take away what is redrawn, and show the cursor again."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    @property
    def _primary(self) -> str:
        return self._overview.primary if self._overview else ""

    def _show(self, content: RenderableType) -> None:
        if self._live is None:
            self._live = Live(
                console=self._console,
                transient=True,
                refresh_per_second=REFRESHES_PER_SECOND,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        self._live.update(content)

    def _trials(self, state: State) -> Table:
        table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
        table.add_column("arm", ratio=1, no_wrap=True, overflow="ellipsis")
        table.add_column("seed", justify="right", no_wrap=True)
        table.add_column("step", justify="right", no_wrap=True)
        table.add_column("", width=10)
        table.add_column("steps/s", justify="right", no_wrap=True)
        table.add_column(self._primary, justify="right", no_wrap=True)
        table.add_column("state", no_wrap=True, width=18)
        # The heading, the whole study and the cursor want a line each, and one is for what is left.
        room = max(1, self._console.height - 4)
        fits = len(state.running) <= room + 1
        shown = state.running if fits else state.running[:room]
        for trial in shown:
            table.add_row(
                Text(trial.arm),
                str(trial.seed),
                f"{trial.step}/{trial.steps}",
                _bar(trial.step / trial.steps),
                number(trial.steps_per_second) if trial.steps_per_second else "–",
                number(trial.figure),
                _state(trial),
            )
        if not fits:
            table.add_row(Text(f"and {len(state.running) - room} more", style="dim"))
        if not state.running:
            waiting = "waiting for the workers" if state.share < 1 else "ending"
            table.add_row(Text(waiting, style="dim"))
        return table

    def _total(self, state: State) -> Padding:
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True, justify="right")
        grid.add_row(
            Text(words.tally(state), style="bold"), _bar(state.share), words.time_left(state)
        )
        # A terminal echoes Ctrl-C as two characters, which must not break the line.
        return Padding(grid, (0, 4, 0, 0))


def _bar(share: float | None) -> ProgressBar:
    return ProgressBar(total=1.0, completed=share or 0.0, pulse=share is None)


def _state(trial: RunningTrial) -> Text:
    if trial.state != "training" or trial.health is None:
        return Text(trial.state, style="dim")
    return Text(trial.health + WARNED * trial.warned, style=HEALTH.get(trial.health, ""))
