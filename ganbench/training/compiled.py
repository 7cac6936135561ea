"""A pair's step as one compiled graph: D's half, G's half, every hook and every optimizer."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ganbench.training.capture import Captured, CaptureError, capture
from ganbench.training.networks import views
from ganbench.training.state import held, undisturbed
from ganbench.training.step import PairStep, Plan

CHECKED_STEPS = 5
TOLERANCE = {"off": 1e-4, "bf16": 3e-2}
"""How far, relative to the largest value, losses and images may be from the eager ones'."""

_compiled: dict[str, Callable[..., Any] | str] = {}
"""What was compiled in this process, or why it is not used: an arm's other seeds, and other
arms of the same graph, need no second compilation."""


class CompiledSteps:
    """Takes a pair's steps: compiled where that gives what the eager step gives, else eagerly.

    The first update of each half is taken eagerly, since optimizers make their states then;
    that holds for every session of a trial alike, so a resumed trial equals an uninterrupted
    one bit for bit.

    Parameters
    ----------
    step : PairStep
    amp : {"off", "bf16"}
        In which precision the eager step computes, and so how close to it to expect this one.

    Attributes
    ----------
    reason : str or None
        Why steps are taken eagerly, if they are.
    seconds : float
        Spent on tracing, compiling and checking.
    """

    def __init__(self, step: PairStep, amp: str) -> None:
        self._step, self._tolerance = step, TOLERANCE[amp]
        self._ready: dict[Plan, _Graph] = {}
        self.reason: str | None = None
        self.seconds = 0.0

    def run(
        self, number: int, plan: Plan, batches: Sequence[Tensor], latents: Sequence[Tensor]
    ) -> Sequence[Tensor]:
        """Take a step and return the loss of each update: see ``PairStep.run``."""
        if self.reason is None and plan not in self._ready and self._begun(plan):
            began = time.perf_counter()
            try:
                self._ready[plan] = self._prepare(number, plan, [*batches, *latents])
            except CaptureError as error:
                self.reason = str(error)
            self.seconds += time.perf_counter() - began
        if plan not in self._ready:
            return self._step.run(number, plan, batches, latents)
        return self._ready[plan](number, [*batches, *latents])

    def _prepare(self, number: int, plan: Plan, inputs: list[Tensor]) -> "_Graph":
        _refuse(self._step)
        with undisturbed(self._step.parts):
            parts = [self._part(number, plan, index) for index in range(len(plan))]
            graph = _Graph(self._step, plan, capture(parts, inputs, held(self._step.parts)))
        key = graph.key(inputs)
        if key not in _compiled:
            _compiled[key] = self._compile(graph, number, inputs)
        found = _compiled[key]
        if isinstance(found, str):
            raise CaptureError(found)
        graph.function = found
        return graph

    def _begun(self, plan: Plan) -> bool:
        return all(half in self._step.begun for half, _ in plan)

    def _part(self, number: int, plan: Plan, index: int) -> Callable[[Sequence[Tensor]], Tensor]:
        """Return an update of a step as a function of the step's inputs."""
        half, repeat = plan[index]
        self._step.update(half, repeat)  # makes its streams: before they are looked at

        def part(inputs: Sequence[Tensor]) -> Tensor:
            self._step.seed_layers(number, plan, index)
            batch, z = inputs[index], inputs[len(plan) + index]
            return self._step.train(half, repeat, batch, z)

        return part

    def _compile(
        self, graph: "_Graph", number: int, inputs: list[Tensor]
    ) -> Callable[..., Any] | str:
        """Return the compiled graph, or why it cannot be used."""
        step, plan = self._step, graph.plan
        batches, latents = inputs[: len(plan)], inputs[len(plan) :]
        try:
            with undisturbed(step.parts), torch.no_grad():
                arguments: list[Any] = [*graph.arguments(number, inputs)]
                graph.function = torch._inductor.compile(graph.captured.graph, arguments)
        except Exception as error:
            return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        runs: tuple[Callable[[], Sequence[Tensor]], ...] = (
            lambda: step.run(number, plan, batches, latents),
            lambda: graph(number, inputs),
        )
        results = []
        for run in runs:
            with undisturbed(step.parts):
                losses = [torch.stack(list(run())) for _ in range(CHECKED_STEPS)]
                results.append([*losses, _images(step, plan, batches[-1], latents[-1])])
        for eager, ours in zip(*results, strict=True):
            distance = (eager - ours).abs().max().item() / max(1.0, eager.abs().max().item())
            if not distance <= self._tolerance:
                return (
                    f"compiled, {CHECKED_STEPS} steps are {distance:.2g} from the eager ones, "
                    f"more than {self._tolerance:g}"
                )
        return graph.function


def _refuse(step: PairStep) -> None:
    """Refuse what a graph would get wrong without a word.

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


def _images(step: PairStep, plan: Plan, batch: Tensor, z: Tensor) -> Tensor:
    """Return what G makes of latents.

    Not D's logits: some losses, such as a relativistic one, leave their level to chance.
    """
    update = step.update(*plan[-1])
    _, condition = views(step.pair, batch)
    with torch.no_grad():
        return update.generate(update.transform_latent(z), condition).float()


class _Graph:
    """A captured step of one trial, and what computes it."""

    def __init__(self, step: PairStep, plan: Plan, captured: Captured) -> None:
        self._step, self.plan, self.captured = step, plan, captured
        self.function: Callable[..., Any] = captured.graph
        self._template = [a if isinstance(a, Tensor) else None for a in captured.arguments]
        self._inputs = [(p, a) for p, a in enumerate(captured.arguments) if isinstance(a, int)]
        places = {a: p for p, a in enumerate(captured.arguments) if isinstance(a, tuple)}
        self._draws = [
            [(draw, places.get((part, index))) for index, draw in enumerate(draws)]
            for part, draws in enumerate(captured.draws)
        ]
        self._seeded = [any(draw.is_global for draw in draws) for draws in captured.draws]

    def key(self, inputs: Sequence[Tensor]) -> str:
        """Return what graphs have in common that one compilation will do for."""
        layouts = [
            (tuple(t.shape), t.stride(), t.dtype, t.device) for t in (*inputs, *self.captured.held)
        ]
        return f"{self.captured.graph.code}{layouts}"

    def arguments(self, number: int, inputs: Sequence[Tensor]) -> list[Tensor | None]:
        """Return what the graph takes in step ``number``, its draws made."""
        arguments = self._template.copy()
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
            losses: Sequence[Tensor] = self.function(*self.arguments(number, inputs))
        return losses
