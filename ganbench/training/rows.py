"""The tensors of several trials as rows of stacks, and a step over all of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, fx

from ganbench.training.capture import Captured, CaptureError, Layout, short
from ganbench.training.captured import CapturedSteps
from ganbench.training.checking import CHECKED_STEPS, Results, moments
from ganbench.training.graph import Function, Graph
from ganbench.training.stacked import stacked
from ganbench.training.state import undisturbed
from ganbench.training.step import Turn
from ganbench.training.trial import Trial

Turns = Mapping[Trial, Turn]
"""What some trials' updates in one step are taken with."""

_graphs: dict[tuple[str, tuple[bool, ...], int], fx.GraphModule] = {}
"""What was stacked in this process, for an arm's other seeds."""


class Places:
    """Where the trials' tensors are stacked: a row each, the same for every tensor of a trial.

    Parameters
    ----------
    rows : mapping of Trial to int
        A row for each.
    count : int
        How many rows each stack has; those of no trial are filled with the first one's.
    """

    def __init__(self, rows: Mapping[Trial, int], count: int) -> None:
        self.rows, self.count = rows, count
        self._stacks: dict[int, Tensor] = {}
        # The tensors themselves: an id is somebody else's once its tensor is gone.
        self._moved: dict[Trial, list[Tensor]] = {trial: [] for trial in rows}

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
                self._moved[trial].append(tensor)
        return self._stacks[id(first)]

    def has_moved(self, tensor: Tensor) -> bool:
        """Say whether a tensor lies in a stack."""
        return id(tensor) in self._stacks

    def release(self, trial: Trial) -> None:
        """Take a trial's tensors out of the stacks: its rows are nobody's from then on."""
        for tensor in self._moved[trial]:
            tensor.data = tensor.detach().clone()
        # Their entries stay, so that the tensors do: none of them is ever stacked again.


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
            trial: self._graphs[trial].arguments(turn.step, _inputs(turn))
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


def stack(graphs: Mapping[Trial, Graph], turns: Turns, places: Places) -> Stack:
    """Return a pair's updates of several trials as one graph.

    Parameters
    ----------
    graphs : mapping of Trial to Graph
        Their captured steps.
    turns : mapping of Trial to Turn
        Of these trials, one pair and one plan. Nothing is changed but where the trials' tensors
        lie.
    places : Places

    Raises
    ------
    CaptureError
        If they cannot be one.
    """
    first = next(iter(graphs))
    backend = _steps(first, turns[first]).backend
    with _all_undisturbed(turns), torch.no_grad():
        # Draws and all: an operation may fail on what no step would give it, such as an index.
        given = {
            trial: graph.arguments(turns[trial].step, _inputs(turns[trial]))
            for trial, graph in graphs.items()
        }
        made = Stack(graphs, _stacked(graphs, given, places), places)
        made.function = backend.prepare(made.captured, made.arguments(turns))
    return made


def _stacked(
    graphs: Mapping[Trial, Graph], given: Mapping[Trial, Sequence[Tensor]], places: Places
) -> Captured:
    """Return the captured steps of several trials as one, their tensors stacked."""
    all_captured = [graph.captured for graph in graphs.values()]
    first = all_captured[0]
    if any(captured.key != first.key for captured in all_captured):
        raise CaptureError("the steps of the trials are not alike")
    for captured in all_captured:
        _refuse_views(captured, places)
    arguments: list[int | tuple[int, int] | Tensor] = []
    examples: list[Tensor] = []
    is_stacked: list[bool] = []
    for place, what in enumerate(first.arguments):
        if not isinstance(what, Tensor):
            arguments.append(place)
            own = {trial: tensors[place] for trial, tensors in given.items()}
            examples.append(torch.stack(places.fill(own)))
            is_stacked.append(True)
            continue
        held = {trial: graph.captured.arguments[place] for trial, graph in graphs.items()}
        tensors = {trial: one for trial, one in held.items() if isinstance(one, Tensor)}
        shared = len(tensors) > 1 and len({one.data_ptr() for one in tensors.values()}) == 1
        is_stacked.append(not (shared and what.numel()))
        examples.append(places.stack(tensors) if is_stacked[-1] else what)
        arguments.append(examples[-1])
    key = (first.key, tuple(is_stacked), places.count)
    if key not in _graphs:
        _graphs[key] = stacked(first.graph, examples, is_stacked)
    layouts = tuple(Layout.of(example) for example in examples)
    return Captured(_graphs[key], (), tuple(arguments), layouts)


def _refuse_views(captured: Captured, places: Places) -> None:
    """Refuse a step that holds a view of something: once it lies in a stack it is none.

    What else is written through, by the step or by whoever schedules it, it would not see.

    Raises
    ------
    CaptureError
    """
    seen: set[int] = set()
    for tensor in captured.arguments:
        if not isinstance(tensor, Tensor) or not tensor.numel() or places.has_moved(tensor):
            continue
        storage = tensor.untyped_storage()
        if storage.data_ptr() in seen or storage.nbytes() > tensor.nbytes:
            raise CaptureError(
                f"a step holds a view of another tensor, of shape {tuple(tensor.shape)}"
            )
        seen.add(storage.data_ptr())


def check(made: Stack, turns: Turns) -> dict[Trial, str]:
    """Compare some steps of all trials with each one's eager ones, unless that was done before.

    Returns
    -------
    dict of Trial to str
        Why it is not to be taken together with others, of each trial that is not.

    Raises
    ------
    CaptureError
        If the stacked step fails.
    """
    new = {t: turn for t, turn in turns.items() if not _steps(t, turn).has_decided(turn.plan)}
    eager = {
        t: _steps(t, turn).eagerly(turn.step, turn.plan, _inputs(turn)) for t, turn in new.items()
    }
    losses: dict[Trial, list[Tensor]] = {trial: [] for trial in turns}
    gathered: dict[Trial, list[Tensor]] = {}
    with _all_undisturbed(turns):
        for _ in range(CHECKED_STEPS if new else 0):
            try:
                taken = made(turns)
            except Exception as error:
                raise CaptureError(f"the stacked step failed: {short(error)}") from error
            for trial, own in taken.items():
                losses[trial] += own
            if not gathered:
                gathered = {t: moments(_steps(t, turn).step) for t, turn in new.items()}
    refusals: dict[Trial, str] = {}
    for trial, turn in new.items():
        found = Results(torch.stack(losses[trial]), gathered[trial])
        try:
            _steps(trial, turn).compare(found, eager[trial])
        except CaptureError as error:
            refusals[trial] = str(error)
    return refusals


@contextmanager
def _all_undisturbed(turns: Turns) -> Iterator[None]:
    with ExitStack() as kept:
        for trial, turn in turns.items():
            kept.enter_context(undisturbed(_steps(trial, turn).step.parts))
        yield


def _steps(trial: Trial, turn: Turn) -> CapturedSteps:
    return trial.captured[turn.pair]


def _inputs(turn: Turn) -> list[Tensor]:
    return [*turn.batches, *turn.latents]
