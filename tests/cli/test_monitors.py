import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ganbench.cli import plain
from ganbench.cli.live import LiveMonitor
from ganbench.cli.plain import PlainMonitor
from ganbench.study.messages import Ended
from ganbench.study.monitor import Overview, RunningTrial, State

OVERVIEW = Overview(
    name="tricks",
    question="Which trick helps?",
    arms=7,
    family=6,
    seeds=10,
    schedule=None,
    skipped=(("refused", "it makes no sense"),),
    done=3,
    total=70,
    steps=600,
    primary="fid",
    alpha=0.05,
    device="cpu",
    workers=2,
    report=Path("reports/tricks"),
    quick=False,
)
RUNNING = [
    RunningTrial(
        number, "batch_norm placement=discriminator", 9, "k", 0, 599, 600, 67.8, "training",
        21.4, "partial collapse",
    )
    for number in (1, 2)
]  # fmt: skip
STATE = State(RUNNING, done=34, total=70, diverged=1, share=0.5, elapsed=60, remaining=251.0)
DIVERGED = Ended(7, "instance_noise", 3, "k", "diverged", 412, None, 9.0, "not finite at step 412")


@pytest.fixture
def screen():
    file = io.StringIO()
    return Console(file=file, force_terminal=True, width=80, height=24, highlight=False), file


def lines_of(file):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).replace("\r", "\n").split("\n")


def test_the_live_view_fits_into_80_columns(screen):
    console, file = screen
    monitor = LiveMonitor(console)
    monitor.preparing("training the classifier", 3, 10)
    monitor.begin(OVERVIEW)
    monitor.tick(STATE)
    monitor.ended(DIVERGED, STATE)
    monitor.close()
    lines = lines_of(file)
    assert max(map(len, lines)) <= 80
    row = next(line for line in lines if line.startswith("batch_norm"))
    assert all(part in row for part in (" 9 ", "599/600", "67.8", "21.4", "partial collapse"))
    total = next(line for line in lines if line.startswith("34 of 70 trials, 1 diverged"))
    assert "about 4 min left" in total
    assert len(total.rstrip()) <= 76  # a terminal echoes ^C behind it
    assert any("instance_noise, seed 3: diverged: not finite at step 412" in line for line in lines)


def test_of_more_trials_than_a_screen_has_lines_some_are_counted(screen):
    console, file = screen
    monitor = LiveMonitor(console)
    running = [replace(RUNNING[0], number=number, seed=number) for number in range(32)]
    monitor.tick(replace(STATE, running=running))
    monitor.close()
    lines = lines_of(file)
    drawn = lines[: next(n for n, line in enumerate(lines) if line.startswith("34 of 70")) + 1]
    assert len(drawn) < console.height
    assert sum(line.startswith("batch_norm") for line in drawn) == 20
    assert any(line.startswith("and 12 more") for line in drawn)


def test_a_trial_with_early_warnings_is_marked(screen):
    console, file = screen
    monitor = LiveMonitor(console)
    marked = [replace(RUNNING[0], arm="warned", warned=True), replace(RUNNING[1], arm="fine")]
    monitor.tick(replace(STATE, running=marked))
    monitor.close()
    lines = lines_of(file)
    assert "partial collapse !" in next(line for line in lines if line.startswith("warned"))
    assert "!" not in next(line for line in lines if line.startswith("fine"))
    assert max(map(len, lines)) <= 80


def test_the_live_view_gives_the_cursor_back_however_often_it_is_closed(screen):
    console, file = screen
    monitor = LiveMonitor(console)
    monitor.tick(STATE)
    monitor.close()
    monitor.close()
    text = file.getvalue()
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1


def test_the_preamble_says_what_the_seeds_can_show_and_what_is_left_out(capsys):
    PlainMonitor().begin(OVERVIEW)
    said = capsys.readouterr().out
    assert "tricks: 7 arms × 10 seeds, 600 steps each; cpu, 2 workers" in said
    assert "smallest possible p is 0.002" in said  # 2 / 2**10
    assert "n/a: refused: it makes no sense" in said
    assert "3 of 70 trials were done before" in said


def test_plain_lines_give_a_sign_of_life_only_when_nothing_else_was_said(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(plain.time, "monotonic", lambda: now[0])
    monitor = PlainMonitor()
    monitor.begin(OVERVIEW)
    capsys.readouterr()
    for now[0] in (1.0, 14.0):
        monitor.tick(STATE)
    assert capsys.readouterr().out == ""
    now[0] = 15.0
    monitor.tick(STATE)
    assert capsys.readouterr().out == ("34 of 70 trials, 1 diverged, 2 running, about 4 min left\n")
    monitor.ended(DIVERGED, STATE)
    now[0] = 29.0
    monitor.tick(STATE)
    assert capsys.readouterr().out == (
        "[34/70] instance_noise, seed 3: diverged: not finite at step 412 (about 4 min left)\n"
    )
