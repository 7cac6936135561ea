"""The tensors of several trials as rows of stacks, and a step over all of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, fx

from ganbench.training.capture import Captured, CaptureError, Layout, short, written
from ganbench.training.captured import CapturedSteps
from ganbench.training.checking import CHECKED_STEPS, Results, moments
from ganbench.training.graph import Function, Graph
from ganbench.training.stacked import stacked
from ganbench.training.state import undisturbed
from ganbench.training.step import Plan, Turn
from ganbench.training.trial import Trial

Turns = Mapping[Trial, Turn]
"""What some trials' updates in one step are taken with."""

_graphs: dict[tuple[str, tuple[bool, ...], int], fx.GraphModule] = {}
"""What was stacked in this process, for an arm's other seeds."""


class Places:
    """Where the trials' tensors are stacked: a row each, the same for every tensor of a trial.

    Parameters
    ----------
    trials : sequence of Trial
    count : int
        How many rows each stack has; those of no trial are filled with the first one's.

    Attributes
    ----------
    rows : dict of Trial to int
    count : int
    """

    def __init__(self, trials: Sequence[Trial], count: int) -> None:
        self.rows = {trial: row for row, trial in enumerate(trials)}
        self.count = count
        self._stacks: dict[int, Tensor] = {}
        self._kept: list[Tensor] = []  # an id is somebody else's once a tensor is gone

    def fill(self, own: Mapping[Trial, Tensor]) -> list[Tensor]:
        """Return a tensor for each row: the trials' own, and the first of them elsewhere."""
        filled = [next(iter(own.values()))] * self.count
        for trial, tensor in own.items():
            filled[self.rows[trial]] = tensor
        return filled

    def stack(self, own: Mapping[Trial, Tensor]) -> Tensor:
        """Return the stack of a tensor that each trial has, made if there is none.

        The tensors stay what they are, and lie in the stack from then on.
        """
        first = next(iter(own.values()))
        if id(first) not in self._stacks:
            dense = torch.empty_like(first, memory_format=torch.preserve_format)
            strides = (first.numel(), *dense.stride())
            made = torch.empty_strided(
                (self.count, *first.shape), strides, dtype=first.dtype, device=first.device
            )
            for row, tensor in zip(made, self.fill(own), strict=True):
                row.copy_(tensor.detach())
            for trial, tensor in own.items():
                tensor.data = made[self.rows[trial]]
                self._stacks[id(tensor)] = made
                self._kept.append(tensor)
        return self._stacks[id(first)]


class Stack:
    """A pair's updates of several trials as one graph.

    Parameters
    ----------
    graphs : mapping of Trial to Graph
        Their captured steps.
    captured : Captured
        The stacked step. Its arguments are stacks, what the trials have in common, and numbers,
        which stand for what is new in each step.
    places : Places
    """

    def __init__(self, graphs: Mapping[Trial, Graph], captured: Captured, places: Places) -> None:
        self._graphs, self._places = graphs, places
        self.captured = captured
        self._held = [a if isinstance(a, Tensor) else None for a in captured.arguments]
        self._fresh = [p for p, a in enumerate(captured.arguments) if not isinstance(a, Tensor)]
        self.function: Function = captured.graph

    def arguments(self, turns: Turns) -> list[Tensor]:
        """Return what the stacked graph takes in a step; see ``Graph.arguments``."""
        own = {
            trial: self._graphs[trial].arguments(turn.step, [*turn.batches, *turn.latents])
            for trial, turn in turns.items()
        }
        arguments: list[Any] = self._held.copy()
        for place in self._fresh:
            rows = self._places.fill({trial: given[place] for trial, given in own.items()})
            arguments[place] = torch.stack(rows)
        return arguments

    def __call__(self, turns: Turns) -> dict[Trial, Sequence[Tensor]]:
        """Take a step of all trials and return the losses of those that have a turn."""
        with torch.no_grad():
            losses = [loss.unbind() for loss in self.function(*self.arguments(turns))]
        rows = self._places.rows
        return {trial: [loss[rows[trial]] for loss in losses] for trial in turns}


def stack(turns: Turns, places: Places) -> Stack:
    """Return a pair's updates of several trials as one graph, checked against the eager ones.

    Parameters
    ----------
    turns : mapping of Trial to Turn
        Of one pair and one plan. Nothing is changed but where the trials' tensors lie.
    places : Places

    Raises
    ------
    CaptureError
        If they cannot be one, or their steps are not the eager ones.
    """
    graphs = {trial: _steps(trial, turn).captured(*_given(turn)) for trial, turn in turns.items()}
    first = next(iter(turns))
    steps = _steps(first, turns[first])
    steps.backend.refuse(first.device)
    made = Stack(graphs, _stacked(graphs, places), places)
    with _all_undisturbed(turns), torch.no_grad():
        made.function = steps.backend.prepare(made.captured, made.arguments(turns))
    if not all(_steps(trial, turn).has_decided(turn.plan) for trial, turn in turns.items()):
        _check(made, turns)
    return made


def _stacked(graphs: Mapping[Trial, Graph], places: Places) -> Captured:
    """Return the captured steps of several trials as one, their tensors stacked."""
    all_captured = [graph.captured for graph in graphs.values()]
    first = all_captured[0]
    if any(captured.key != first.key for captured in all_captured):
        raise CaptureError("the steps of the trials are not alike")
    _refuse_views(first)
    arguments: list[int | tuple[int, int] | Tensor] = []
    examples: list[Tensor] = []
    is_stacked: list[bool] = []
    for place, what in enumerate(first.arguments):
        if not isinstance(what, Tensor):
            arguments.append(place)
            examples.append(torch.stack([first.layouts[place].empty()] * places.count))
            is_stacked.append(True)
            continue
        own = {trial: graph.captured.arguments[place] for trial, graph in graphs.items()}
        tensors = {trial: one for trial, one in own.items() if isinstance(one, Tensor)}
        shared = len(tensors) > 1 and len({one.data_ptr() for one in tensors.values()}) == 1
        is_stacked.append(not (shared and what.numel()))
        examples.append(places.stack(tensors) if is_stacked[-1] else what)
        arguments.append(examples[-1])
    key = (first.key, tuple(is_stacked), places.count)
    if key not in _graphs:
        _graphs[key] = stacked(first.graph, examples, is_stacked)
    layouts = tuple(Layout.of(example) for example in examples)
    return Captured(_graphs[key], (), tuple(arguments), layouts)


def _refuse_views(captured: Captured) -> None:
    """Refuse a step that writes to a tensor of which it also holds another view.

    Raises
    ------
    CaptureError
    """
    places = [node for node in captured.graph.graph.nodes if node.op == "placeholder"]
    changed = {one for node in captured.graph.graph.nodes for one in written(node)}
    seen: dict[int, bool] = {}
    for node, tensor in zip(places, captured.arguments, strict=True):
        if not isinstance(tensor, Tensor) or not tensor.numel():
            continue
        where = tensor.untyped_storage().data_ptr()
        if where in seen and (seen[where] or node in changed):
            raise CaptureError("a step writes to a tensor that it also holds a view of")
        seen[where] = seen.get(where, False) or node in changed


def _check(made: Stack, turns: Turns) -> None:
    """Compare some steps of all trials with each one's eager ones.

    Raises
    ------
    CaptureError
        If losses, or the gradients behind them, are too far from each other.
    """
    eager = {trial: _steps(trial, turn).eagerly(*_given(turn)) for trial, turn in turns.items()}
    losses: dict[Trial, list[Tensor]] = {trial: [] for trial in turns}
    gathered: dict[Trial, list[Tensor]] = {}
    with _all_undisturbed(turns):
        for _ in range(CHECKED_STEPS):
            try:
                taken = made(turns)
            except Exception as error:
                raise CaptureError(f"the stacked step failed: {short(error)}") from error
            for trial, own in taken.items():
                losses[trial] += own
            if not gathered:
                gathered = {t: moments(_steps(t, turn).step) for t, turn in turns.items()}
    for trial, turn in turns.items():
        found = Results(torch.stack(losses[trial]), gathered[trial])
        _steps(trial, turn).compare(found, eager[trial])


@contextmanager
def _all_undisturbed(turns: Turns) -> Iterator[None]:
    with ExitStack() as kept:
        for trial, turn in turns.items():
            kept.enter_context(undisturbed(_steps(trial, turn).step.parts))
        yield


def _steps(trial: Trial, turn: Turn) -> CapturedSteps:
    return trial.captured[turn.pair]


def _given(turn: Turn) -> tuple[int, Plan, list[Tensor]]:
    return turn.step, turn.plan, [*turn.batches, *turn.latents]
