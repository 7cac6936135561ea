"""A captured step of one trial: what its graph takes in each step, and what computes it."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ganbench.training.capture import Captured
from ganbench.training.step import PairStep, Plan

Function = Callable[..., Sequence[Tensor]]
"""Takes a graph's arguments and returns the losses."""


class Graph:
    """A captured step of one trial, and what computes it.

    Attributes
    ----------
    plan : Plan
        The updates of the step.
    captured : Captured
    function : callable
        Takes the graph's arguments and returns the losses; the graph itself at first.
    """

    def __init__(self, step: PairStep, plan: Plan, captured: Captured) -> None:
        self._step, self.plan, self.captured = step, plan, captured
        self.function: Function = captured.graph
        self._template = [a if isinstance(a, Tensor) else None for a in captured.arguments]
        self._inputs = [(p, a) for p, a in enumerate(captured.arguments) if isinstance(a, int)]
        places = {a: p for p, a in enumerate(captured.arguments) if isinstance(a, tuple)}
        self._draws = [
            [(draw, places.get((part, index))) for index, draw in enumerate(draws)]
            for part, draws in enumerate(captured.draws)
        ]
        self._seeded = [any(draw.is_global for draw in draws) for draws in captured.draws]

    def arguments(self, number: int, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return what the graph takes in step ``number``, its draws made."""
        arguments: list[Any] = self._template.copy()
        for place, index in self._inputs:
            arguments[place] = inputs[index]
        for index, draws in enumerate(self._draws):
            if self._seeded[index]:
                self._step.seed_layers(number, self.plan, index)
            for draw, taken in draws:
                drawn = draw()
                if taken is not None:
                    arguments[taken] = drawn
        return arguments

    def __call__(self, number: int, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """Take step ``number`` and return the losses of its updates."""
        with torch.no_grad():
            return self.function(*self.arguments(number, inputs))
