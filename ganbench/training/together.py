"""Trials of one arm that are trained at once: their steps as one, where that can be.

The captured steps of the trials are the same graph over other tensors. Stacked, they are one
graph over tensors with a dimension more, which takes little longer than that of one trial where
networks are tiny. Each trial keeps its own streams, data order and draws, and its own tensors,
which then are rows of the stacks: whoever holds on to a weight holds on to it still.
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from ganbench.training.capture import CaptureError, short
from ganbench.training.graph import Graph
from ganbench.training.rows import Places, Stack, Turns, check, stack
from ganbench.training.step import Plan, Turn
from ganbench.training.trial import Trial


def row_of(seed: int, rows: int) -> int:
    """Return the row of a trial among so many: its seed's, whoever else is there.

    Some operations round an element by where it lies in the whole tensor.
    """
    return seed % rows


def first_of_each_row(seeds: Sequence[int], rows: int) -> list[int]:
    """Return the seeds of trials that may be trained at once: of each row the first given."""
    firsts: dict[int, int] = {}
    for seed in seeds:
        firsts.setdefault(row_of(seed, rows), seed)
    return sorted(firsts.values())


class Together:
    """Some trials of one configuration, at one step.

    How many are there makes no difference to any: the stacks have as many rows as there may be
    trials, a trial's row is its seed's, and a row of a trial that is not there, or no longer, is
    computed for nothing. A trial that cannot be taken so takes its steps alone from then on.

    Parameters
    ----------
    trials : sequence of Trial
        Each of another row: see ``row_of``.
    rows : int
        How many trials there may be; with one, each trial takes its steps alone.

    Attributes
    ----------
    failures : dict of Trial to Exception
        What the last steps raised; these trials have not come to their end.

    Raises
    ------
    ValueError
        If two trials have one row.
    """

    def __init__(self, trials: Sequence[Trial], rows: int) -> None:
        self._rows = rows
        own = {trial: row_of(trial.seed, rows) for trial in trials if rows > 1}
        if len(set(own.values())) < len(own):
            seeds = ", ".join(str(trial.seed) for trial in trials)
            raise ValueError(f"seeds {seeds}: two of them have one of {rows} rows")
        for trial in own:
            trial.keep_company(rows)
        self._places = Places(own, rows)
        self._alone = {trial for trial in own if any(one.was_refused for one in trial.captured)}
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
        kinds = {(turn.pair, turn.plan) for turn in self._in_company(turns).values()}
        joint = self._taken_as_one(*kinds.pop(), turns) if len(kinds) == 1 else {}
        taken = dict(joint)
        for trial, turn in turns.items():
            if trial not in taken and trial not in self.failures:
                with self._failing(trial):
                    taken[trial] = trial.take(turn)
        return taken

    def _taken_as_one(
        self, pair: int, plan: Plan, turns: Turns
    ) -> Mapping[Trial, Sequence[Tensor]]:
        """Take a pair's updates of the trials whose updates can be one."""
        if (pair, plan) not in self._ready:
            self._prepare(pair, plan, self._in_company(turns))
        as_one, own = self._ready.get((pair, plan)), self._in_company(turns)
        if as_one is None or not own:
            return {}
        try:
            return as_one(own)
        except Exception as error:  # and who knows which of them have been changed
            for trial in own:
                with self._failing(trial):
                    raise error
            return {}

    def _in_company(self, turns: Turns) -> dict[Trial, Turn]:
        return {trial: turns[trial] for trial in self._alive(turns) if trial not in self._alone}

    def _prepare(self, pair: int, plan: Plan, turns: Turns) -> None:
        """Make one graph of a pair's updates, and see who can take them so."""
        own = {trial: trial.captured[pair] for trial in turns}
        if not own or not all(one.can_capture(plan) for one in own.values()):
            return
        began = time.perf_counter()
        made, refusals = self._stack(turns)
        self._ready[pair, plan] = made
        seconds = (time.perf_counter() - began) / len(own)
        for trial in self._alive(own):
            own[trial].decide(plan, refusals.get(trial), seconds)
            if trial in refusals:
                self._alone.add(trial)
                self._places.release(trial)

    def _stack(self, turns: Turns) -> tuple[Stack | None, dict[Trial, str]]:
        """Return what takes the updates as one, if anything does, and why some trials cannot."""
        refusals: dict[Trial, str] = {}
        graphs: dict[Trial, Graph] = {}
        for trial, turn in turns.items():
            steps = trial.captured[turn.pair]
            with self._failing(trial):
                try:
                    steps.backend.refuse(trial.device)
                    inputs = [*turn.batches, *turn.latents]
                    fused = steps.backend.keeps_fused
                    graphs[trial] = steps.captured(turn.step, turn.plan, inputs, fused)
                except CaptureError as error:
                    refusals[trial] = str(error)
        if not graphs:
            return None, refusals
        try:
            joint = {trial: turns[trial] for trial in graphs}
            made = stack(graphs, joint, self._places)
            return made, refusals | check(made, joint)
        except (CaptureError, torch.OutOfMemoryError) as error:
            why = str(error) if isinstance(error, CaptureError) else short(error)
            return None, refusals | dict.fromkeys(graphs, why)

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
