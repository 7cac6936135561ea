"""Trials of one arm that are trained at once: their steps as one, where that can be.

The captured steps of the trials are the same graph over other tensors. Stacked, they are one
graph over tensors with a dimension more, which takes little longer than that of one trial where
networks are tiny. Each trial keeps its own streams, data order and draws, and its own tensors,
which then are rows of the stacks: whoever holds on to a weight holds on to it still.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from torch import Tensor

from ganbench.training.capture import CaptureError
from ganbench.training.rows import Places, Stack, Turns, stack
from ganbench.training.step import Plan, Turn
from ganbench.training.trial import Trial


class Together:
    """Some trials of one configuration, at one step.

    How many are there makes no difference to any: the stacks have as many rows as there may be
    trials, and a row of a trial that is not there, or no longer, is computed for nothing.

    Parameters
    ----------
    trials : sequence of Trial
    rows : int
        How many trials there may be; with one, each trial takes its steps alone.

    Attributes
    ----------
    failures : dict of Trial to Exception
        What the last steps raised; these trials have not come to their end.
    """

    def __init__(self, trials: Sequence[Trial], rows: int) -> None:
        self._rows = rows
        for trial in trials if rows > 1 else ():
            trial.keep_company(rows)
        self._places = Places(trials, rows)
        self._ready: dict[tuple[int, Plan], Stack | None] = {}
        self.failures: dict[Trial, Exception] = {}

    def advance(self, trials: Sequence[Trial], count: int) -> None:
        """Train some of the trials for ``count`` steps, as ``Trial.advance`` does.

        What one of them raises ends that one.
        """
        self.failures = {}
        if self._rows == 1:
            for trial in trials:
                with self._failing(trial):
                    trial.advance(count)
            return
        began, preparing = time.perf_counter(), _preparing(trials)
        steps = {trial: trial.begin(count) for trial in trials}
        with ExitStack() as contexts:
            for trial in trials:
                contexts.enter_context(trial.in_training())
            for step in max(steps.values(), key=len, default=range(0)):
                self._step(step, [one for one in trials if step in steps[one]])
            for trial in self._alive(trials):
                with self._failing(trial):
                    trial.end(steps[trial])
        seconds = time.perf_counter() - began - (_preparing(trials) - preparing)
        for trial in trials:
            trial.seconds += seconds / len(trials)

    def _step(self, step: int, trials: Sequence[Trial]) -> None:
        """Take a step of some trials, pair by pair."""
        turns = {trial: trial.turns(step) for trial in trials}
        ahead = True
        while ahead:
            now: dict[Trial, Turn] = {}
            for trial in self._alive(trials):
                with self._failing(trial):
                    turn = next(turns[trial], None)
                    if turn is not None:
                        now[trial] = turn
            for trial, losses in self._taken(now).items():
                trial.keep(now[trial], losses)
            ahead = bool(now)

    def _taken(self, turns: Turns) -> dict[Trial, Sequence[Tensor]]:
        """Take a pair's updates in a step and return the losses."""
        kinds = {(turn.pair, turn.plan) for turn in turns.values()}
        as_one = self._stack(*kinds.pop(), turns) if len(kinds) == 1 else None
        if as_one is not None:
            return as_one(turns)
        taken: dict[Trial, Sequence[Tensor]] = {}
        for trial, turn in turns.items():
            with self._failing(trial):
                taken[trial] = trial.take(turn)
        return taken

    def _stack(self, pair: int, plan: Plan, turns: Turns) -> "Stack | None":
        """Return what takes a pair's updates of all trials as one; None where nothing does."""
        own = [trial.captured[pair] for trial in turns]
        if (pair, plan) not in self._ready and all(one.can_capture(plan) for one in own):
            began = time.perf_counter()
            refusal = next(filter(None, (one.refusal(plan) for one in own)), None)
            self._ready[pair, plan] = None
            if refusal is None:
                try:
                    self._ready[pair, plan] = stack(turns, self._places)
                except CaptureError as error:
                    refusal = str(error)
            seconds = (time.perf_counter() - began) / len(own)
            for one in own:
                one.decide(plan, refusal, seconds)
        return self._ready.get((pair, plan))

    def _alive(self, trials: Iterable[Trial]) -> list[Trial]:
        return [trial for trial in trials if trial not in self.failures]

    @contextmanager
    def _failing(self, trial: Trial) -> Iterator[None]:
        """Let what is raised inside end a trial, and no other."""
        try:
            yield
        except Exception as error:
            blamed = trial.blamed(error)
            if blamed is not error:
                blamed.__cause__ = error
            self.failures[trial] = blamed


class Company:
    """Trials that are led by one hand: what one of them raises is raised.

    Parameters
    ----------
    trials : sequence of Trial
    rows : int
        See ``Together``.
    """

    def __init__(self, trials: Sequence[Trial], rows: int) -> None:
        self.trials = trials
        self._group = Together(trials, rows)

    def advance(self, count: int) -> None:
        """Train each trial for ``count`` steps, or to its end."""
        self._group.advance(self.trials, count)
        for failure in self._group.failures.values():
            raise failure


def _preparing(trials: Iterable[Trial]) -> float:
    return sum(own.seconds for trial in trials for own in trial.captured)
