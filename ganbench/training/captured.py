"""A pair's steps as captured graphs, computed by a back end: decided, checked and kept."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ganbench.training.capture import Captured, CaptureError, capture, short
from ganbench.training.checking import TOLERANCES, Results, expect_close
from ganbench.training.graph import Function, Graph
from ganbench.training.state import held, plain, undisturbed
from ganbench.training.step import PairStep, Plan
from ganbench.training.trail import Trail

MENDING = "; `ganbench check` of its tricks says what to mend"
"""Ends the reason why a step with tricks is no fixed graph."""


class Backend(Protocol):
    """Computes captured steps."""

    name: str
    """What a study file calls it, and a report the steps that it computes."""
    keeps_fused: bool
    """Whether it wants a fused optimizer as it is, and not in plain operations."""

    def refuse(self, device: torch.device) -> None:
        """Refuse a trial by its device, before anything is captured.

        Raises
        ------
        CaptureError
        """

    def prepare(self, captured: Captured, arguments: Sequence[Tensor]) -> Function:
        """Return what computes a graph from now on, given its arguments, of which these are some.

        It may run the graph: what that changes is put back.

        Raises
        ------
        CaptureError
            If the graph cannot be computed.
        """


class CapturedSteps:
    """Takes a pair's steps: by a back end where that gives what the eager step gives, else eagerly.

    The first update of each half is taken eagerly, since optimizers make their states then;
    and what is decided for a plan of updates is kept with the trial's checkpoint. So a resumed
    trial equals an uninterrupted one bit for bit, and no trial depends on what others in its
    process did.

    Parameters
    ----------
    step : PairStep
    precision : {"off", "tf32", "bf16"}
        In which the eager step computes, and so how close to it to expect this one.
    backend : Backend
    schedule : callable (step) -> None
        What the tricks do before a step, of this pair.
    steps : int
        Of the trial: what is scheduled may differ between the first and the last.

    Attributes
    ----------
    step : PairStep
    backend : Backend
    name : str
        What is said of steps that are not taken eagerly: the back end's name, unless changed.
    seconds : float
        Spent on tracing, preparing and checking.
    """

    def __init__(
        self,
        step: PairStep,
        precision: str,
        backend: Backend,
        schedule: Callable[[int], None],
        steps: int,
    ) -> None:
        self.backend, self.name = backend, backend.name
        self.step, self._tolerances = step, TOLERANCES[precision]
        self._schedule, self._last = schedule, steps - 1
        self._decided: dict[Plan, str] = {}
        self._ready: dict[Plan, Graph] = {}
        self.seconds = 0.0

    @property
    def decisions(self) -> frozenset[str]:
        """``name``, and the reasons why some plans of updates are taken eagerly."""
        return frozenset(self._decided.values())

    @property
    def was_refused(self) -> bool:
        """Whether some plan of updates is taken eagerly."""
        return bool(self.decisions - {self.name})

    def run(
        self, number: int, plan: Plan, batches: Sequence[Tensor], latents: Sequence[Tensor]
    ) -> Sequence[Tensor]:
        """Take a step and return the loss of each update: see ``PairStep.run``."""
        inputs = [*batches, *latents]
        wanted = self.refusal(plan) is None
        if wanted and plan not in self._ready and self.can_capture(plan):
            began, refusal = time.perf_counter(), None
            try:
                self._ready[plan] = self._prepare(number, plan, inputs)
            except CaptureError as error:
                refusal = str(error)
            self.decide(plan, refusal, time.perf_counter() - began)
        if plan not in self._ready:
            return self.step.run(number, plan, batches, latents)
        return self._ready[plan](number, inputs)

    def state_dict(self) -> dict[Plan, str]:
        """Return what was decided for each plan of updates."""
        return dict(self._decided)

    def load_state_dict(self, state: Mapping[Plan, str]) -> None:
        """Keep to what was decided."""
        self._decided = dict(state)

    def can_capture(self, plan: Plan) -> bool:
        """Say whether the updates of a plan can be captured yet: not each half's first."""
        return bool(plan) and all(half in self.step.begun for half, _ in plan)

    def has_decided(self, plan: Plan) -> bool:
        """Say whether it is known how a plan's updates are taken."""
        return plan in self._decided

    def refusal(self, plan: Plan) -> str | None:
        """Return why a plan's updates are taken eagerly; None if they are not, or not yet."""
        decided = self._decided.get(plan, self.name)
        return None if decided == self.name else decided

    def decide(self, plan: Plan, refusal: str | None, seconds: float) -> None:
        """Keep whether a plan's updates are taken eagerly, and why, and what it took to know."""
        self._decided[plan] = refusal or self.name
        self.seconds += seconds

    def captured(
        self, number: int, plan: Plan, inputs: list[Tensor], keep_fused: bool = False
    ) -> Graph:
        """Return a step as a graph, nothing being changed by it.

        Parameters
        ----------
        number : int
            Of the step.
        plan : Plan
        inputs : list of Tensor
            The batches of its updates, then their latents.
        keep_fused : bool
            See ``capture``.

        Raises
        ------
        CaptureError
            If it cannot be one, or is not the same one throughout the trial.
        """
        _refuse(self.step)
        try:
            return self._fixed(number, plan, inputs, keep_fused)
        except CaptureError as error:
            if not self.step.parts.tricks:
                raise
            raise CaptureError(f"{error}{MENDING}") from error

    def _fixed(self, number: int, plan: Plan, inputs: list[Tensor], keep_fused: bool) -> Graph:
        """Return a step as a graph, having seen that it is one and stays the same."""
        parts = self.step.parts
        with undisturbed(parts):
            before = plain(parts)
            # Eagerly once: what is made when it is first needed is there before the trace.
            self.step.run(number, plan, inputs[: len(plan)], inputs[len(plan) :])
            changed = [name for name, value in plain(parts).items() if value != before.get(name)]
        if changed:
            raise CaptureError(f"a step changes {changed[0]}, which is no tensor")
        captured = self._capture(number, plan, inputs, keep_fused)
        # One tensor may be two inputs, as the batch that both halves see.
        halved = {id(tensor): 0.5 * tensor for tensor in inputs}
        others = [halved[id(tensor)] for tensor in inputs]
        if self._trail(number, number, plan, inputs) != self._trail(
            number, self._last, plan, others
        ):
            raise CaptureError(
                "the last step is another one than this: something that changes is not in a buffer"
            )
        return Graph(self.step, plan, captured)

    def _prepare(self, number: int, plan: Plan, inputs: list[Tensor]) -> Graph:
        parts = self.step.parts
        self.backend.refuse(parts.streams.device)
        graph = self.captured(number, plan, inputs, self.backend.keeps_fused)
        captured = graph.captured
        with undisturbed(parts), torch.no_grad():
            graph.function = self.backend.prepare(captured, graph.arguments(number, inputs))
        if plan not in self._decided:
            self._check(graph, number, inputs)
        return graph

    def _capture(self, number: int, plan: Plan, inputs: list[Tensor], keep_fused: bool) -> Captured:
        parts = self.step.parts
        with undisturbed(parts):
            updates = [self._part(number, plan, index) for index in range(len(plan))]
            return capture(updates, inputs, held(parts), keep_fused)

    def _trail(self, number: int, at: int, plan: Plan, inputs: list[Tensor]) -> Trail:
        """Return what a step does where the tricks have scheduled what is due at step ``at``."""
        trail = Trail([*inputs, *held(self.step.parts)])
        with undisturbed(self.step.parts):
            self._schedule(at)
            with trail:
                self.step.run(number, plan, inputs[: len(plan)], inputs[len(plan) :])
            self._schedule(number)
        return trail

    def _part(self, number: int, plan: Plan, index: int) -> Callable[[Sequence[Tensor]], Tensor]:
        """Return an update of a step as a function of the step's inputs."""
        update, shared = self.step.update(*plan[index]), self.step.shares(plan, index)

        def part(inputs: Sequence[Tensor]) -> Tensor:
            self.step.seed_layers(number, plan, index)
            return update.train(inputs[index], inputs[len(plan) + index], shared)

        return part

    def _check(self, graph: Graph, number: int, inputs: list[Tensor]) -> None:
        """Compare some steps with eager ones.

        Raises
        ------
        CaptureError
            If losses, or the gradients behind them, are too far from each other.
        """
        eager = self.eagerly(number, graph.plan, inputs)
        try:
            ours = Results.of(self.step, lambda: graph(number, inputs))
        except Exception as error:
            raise CaptureError(f"the {self.name} step failed: {short(error)}") from error
        self.compare(ours, eager)

    def eagerly(self, number: int, plan: Plan, inputs: Sequence[Tensor]) -> Results:
        """Return what some eager steps give, nothing being changed by them."""
        batches, latents = inputs[: len(plan)], inputs[len(plan) :]
        return Results.of(self.step, lambda: self.step.run(number, plan, batches, latents))

    def compare(self, found: Results, eager: Results) -> None:
        """Compare what some steps gave with what the eager ones did.

        Raises
        ------
        CaptureError
            If losses, or the gradients behind them, are too far from each other.
        """
        expect_close(found, eager, *self._tolerances)


def how_taken(captured: Sequence[CapturedSteps]) -> dict[str, str]:
    """Return how steps are taken: ``backend``, and ``reason`` where that is not as was wished."""
    decisions = set().union(*(steps.decisions for steps in captured))
    names = {steps.name for steps in captured} & decisions
    backend = next(iter(names), "eager")
    reasons = sorted(decisions - names)
    if not reasons:
        return {"backend": backend}
    return {"backend": f"partly {backend}" if names else "eager", "reason": "; ".join(reasons)}


def _refuse(step: PairStep) -> None:
    """Refuse what is known to be no fixed graph.

    Raises
    ------
    CaptureError
    """
    for trick in step.parts.tricks:
        if not trick.capturable:
            raise CaptureError(f"{trick.name} says that it cannot be captured")
    for role, optimizer in step.parts.optimizers.items():
        # A rate that falls is a number of Python's: a graph would keep the first.
        if any("updates" in group for group in optimizer.param_groups):
            raise CaptureError(f"the learning rate of {role} decays")
