"""Candidates raced against each other in interleaved rounds, each in processes of its own.

A candidate is a function that makes a function which takes steps. Each of its processes is
started once, warmed up, and then waits for its turn: no two candidates ever run at once, and
whatever the machine does besides meets all of them alike. A turn lasts as long for everybody; what
is counted is steps.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from ganbench.study.environment import THREAD_VARIABLES

HARDLY_FASTER = 1.2
PORTIONS = 20
"""Into how many a turn is cut at most; after each, a process looks at the clock."""
Runner = Callable[[int], None]
"""Takes a number of steps, and returns when they are done."""


@dataclass(frozen=True)
class Candidate:
    """Who takes part.

    Attributes
    ----------
    name : str
    make : callable (*arguments) -> Runner
        Of a module: it is called in another process.
    arguments : tuple
    processes : int
        How many run side by side.
    threads : int or None
        Of PyTorch, in each process; None for its own choice.
    """

    name: str
    make: Callable[..., Runner]
    arguments: tuple[Any, ...]
    processes: int = 1
    threads: int | None = 1


def race(candidates: Sequence[Candidate], seconds: float, rounds: int) -> Mapping[str, float | str]:
    """Return each candidate's steps a second: the median over rounds, all processes together.

    Parameters
    ----------
    candidates : sequence of Candidate
    seconds : float
        How long a turn lasts, about.
    rounds : int

    Returns
    -------
    mapping of name to float or str
        Why there is no figure, where a candidate failed.
    """
    with ExitStack() as stack:
        teams = [_Team(candidate, stack) for candidate in candidates]
        for team in teams:
            team.warm_up(seconds)
        rates: dict[str, list[float]] = {team.candidate.name: [] for team in teams}
        for _ in range(rounds):
            for team in teams:
                if team.failure is None:
                    rates[team.candidate.name].append(team.turn(seconds))
        return {
            team.candidate.name: team.failure or statistics.median(rates[team.candidate.name])
            for team in teams
        }


class _Team:
    """The processes of a candidate."""

    def __init__(self, candidate: Candidate, stack: ExitStack) -> None:
        self.candidate = candidate
        self.failure: str | None = None
        self._links: list[Connection] = []
        context = multiprocessing.get_context("spawn")
        for _ in range(candidate.processes):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(candidate, theirs, multiprocessing.get_start_method())
            )
            with threads(candidate.threads):
                process.start()
            theirs.close()
            stack.callback(process.join)
            stack.callback(ours.close)
            self._links.append(ours)

    def warm_up(self, seconds: float) -> None:
        """Take turns until one is hardly faster than before: compilers and caches do their work."""
        before, now = 0.0, self.turn(seconds)
        while self.failure is None and now > HARDLY_FASTER * before:
            before, now = now, self.turn(seconds)

    def turn(self, seconds: float) -> float:
        """Return steps a second, of all processes together, each for as long as all the others.

        Processes that each took a number of steps would be as fast as the slowest of them: a
        study's workers do not wait for each other.
        """
        for link in self._links:
            link.send(seconds)
        rate = 0.0
        for link in self._links:
            try:
                answer = link.recv()
            except EOFError:
                answer = "its process died"
            if isinstance(answer, str):
                self.failure = answer
            else:
                rate += answer
        return rate


@contextmanager
def threads(wanted: int | None) -> Iterator[None]:
    """Let a process started inside have so many threads, or as many as PyTorch chooses."""
    before = {name: os.environ.pop(name) for name in THREAD_VARIABLES if name in os.environ}
    if wanted is not None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(wanted)))
    try:
        yield
    finally:
        for name in THREAD_VARIABLES:
            os.environ.pop(name, None)
        os.environ.update(before)


def _serve(candidate: Candidate, link: Connection, start_method: str) -> None:
    # A DataLoader starts its workers as it would in a script of one's own.
    multiprocessing.set_start_method(start_method, force=True)
    try:
        run = candidate.make(*candidate.arguments)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"

        def run(steps: int) -> None:
            raise RuntimeError(reason)

    portion = 1
    while True:
        try:
            seconds = link.recv()
        except EOFError:
            os._exit(0)  # a DataLoader's workers would be waited for
        began = now = time.perf_counter()
        steps = 0
        try:
            while now < began + seconds:
                before = now
                run(portion)
                steps += portion
                now = time.perf_counter()
                if now - before < seconds / PORTIONS:
                    portion *= 2
        except Exception as error:
            link.send(str(error))
        else:
            link.send(steps / (now - began))
