"""A pair's steps as captured graphs, computed by a back end: decided, checked and kept."""

import time
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Protocol

import torch
from torch import Tensor

from ganbench.training.capture import Captured, CaptureError, capture, short
from ganbench.training.graph import Function, Graph
from ganbench.training.state import held, plain, undisturbed
from ganbench.training.step import PairStep, Plan
from ganbench.training.trail import Trail

CHECKED_STEPS = 5
TOLERANCES = {"off": (1e-4, 1e-3), "tf32": (4e-3, 4e-2), "bf16": (3e-2, 0.3)}
"""How far from the eager ones losses may be, relative to the largest, and what the optimizers
have gathered of the gradients, relative to its norm: activations that lie within rounding of a
kink move gradients by more than rounding. Of bfloat16's 7 bits, TF32 has three more."""
FLOOR = 0.05
"""What counts as the largest loss where all are smaller."""


class Backend(Protocol):
    """Computes captured steps."""

    name: str
    """What a study file calls it, and a report the steps that it computes."""

    def refuse(self, device: torch.device) -> None:
        """Refuse a trial by its device, before anything is captured.

        Raises
        ------
        CaptureError
        """

    def prepare(self, graph: Graph, arguments: Sequence[Tensor]) -> Function:
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
        What the tricks do before a step.
    steps : int
        Of the trial: what is scheduled may differ between the first and the last.

    Attributes
    ----------
    backend : Backend
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
        self.backend = backend
        self._step, self._tolerances = step, TOLERANCES[precision]
        self._schedule, self._last = schedule, steps - 1
        self._decided: dict[Plan, str] = {}
        self._ready: dict[Plan, Graph] = {}
        self.seconds = 0.0

    @property
    def decisions(self) -> frozenset[str]:
        """The back end's name, and the reasons why some plans of updates are not computed by it."""
        return frozenset(self._decided.values())

    def run(
        self, number: int, plan: Plan, batches: Sequence[Tensor], latents: Sequence[Tensor]
    ) -> Sequence[Tensor]:
        """Take a step and return the loss of each update: see ``PairStep.run``."""
        inputs = [*batches, *latents]
        wanted = self._decided.get(plan, self.backend.name) == self.backend.name
        if plan and wanted and plan not in self._ready and self._begun(plan):
            began = time.perf_counter()
            try:
                self._ready[plan] = self._prepare(number, plan, inputs)
                self._decided[plan] = self.backend.name
            except CaptureError as error:
                self._decided[plan] = str(error)
            self.seconds += time.perf_counter() - began
        if plan not in self._ready:
            return self._step.run(number, plan, batches, latents)
        return self._ready[plan](number, inputs)

    def state_dict(self) -> dict[Plan, str]:
        """Return what was decided for each plan of updates."""
        return dict(self._decided)

    def load_state_dict(self, state: Mapping[Plan, str]) -> None:
        """Keep to what was decided."""
        self._decided = dict(state)

    def _begun(self, plan: Plan) -> bool:
        return all(half in self._step.begun for half, _ in plan)

    def captured(self, number: int, plan: Plan, inputs: list[Tensor]) -> Graph:
        """Return a step as a graph, nothing being changed by it.

        Parameters
        ----------
        number : int
            Of the step.
        plan : Plan
        inputs : list of Tensor
            The batches of its updates, then their latents.

        Raises
        ------
        CaptureError
            If it cannot be one, or is not the same one throughout the trial.
        """
        parts = self._step.parts
        _refuse(self._step)
        with undisturbed(parts):
            before = plain(parts)
            # Eagerly once: what is made when it is first needed is there before the trace.
            self._step.run(number, plan, inputs[: len(plan)], inputs[len(plan) :])
            changed = [name for name, value in plain(parts).items() if value != before.get(name)]
        if changed:
            raise CaptureError(f"a step changes {changed[0]}, which is no tensor")
        captured = self._capture(number, plan, inputs)
        # One tensor may be two inputs, as the batch that both halves see.
        halved = {id(tensor): 0.5 * tensor for tensor in inputs}
        others = [halved[id(tensor)] for tensor in inputs]
        if self._trail(number, number, plan, inputs) != self._trail(
            number, self._last, plan, others
        ):
            raise CaptureError(
                "the last step is another one than this: something that changes is not in a buffer"
            )
        return Graph(self._step, plan, captured)

    def _prepare(self, number: int, plan: Plan, inputs: list[Tensor]) -> Graph:
        parts = self._step.parts
        self.backend.refuse(parts.streams.device)
        graph = self.captured(number, plan, inputs)
        with undisturbed(parts), torch.no_grad():
            graph.function = self.backend.prepare(graph, graph.arguments(number, inputs))
        if plan not in self._decided:
            self._check(graph, number, inputs)
        return graph

    def _capture(self, number: int, plan: Plan, inputs: list[Tensor]) -> Captured:
        parts = self._step.parts
        with undisturbed(parts):
            updates = [self._part(number, plan, index) for index in range(len(plan))]
            return capture(updates, inputs, held(parts))

    def _trail(self, number: int, at: int, plan: Plan, inputs: list[Tensor]) -> Trail:
        """Return what a step does where the tricks have scheduled what is due at step ``at``."""
        trail = Trail([*inputs, *held(self._step.parts)])
        with undisturbed(self._step.parts):
            self._schedule(at)
            with trail:
                self._step.run(number, plan, inputs[: len(plan)], inputs[len(plan) :])
            self._schedule(number)
        return trail

    def _part(self, number: int, plan: Plan, index: int) -> Callable[[Sequence[Tensor]], Tensor]:
        """Return an update of a step as a function of the step's inputs."""
        update = self._step.update(*plan[index])

        def part(inputs: Sequence[Tensor]) -> Tensor:
            self._step.seed_layers(number, plan, index)
            return update.train(inputs[index], inputs[len(plan) + index])

        return part

    def _check(self, graph: Graph, number: int, inputs: list[Tensor]) -> None:
        """Compare some steps with eager ones.

        Raises
        ------
        CaptureError
            If losses, or the gradients behind them, are too far from each other.
        """
        step, plan = self._step, graph.plan
        batches, latents = inputs[: len(plan)], inputs[len(plan) :]

        def results(run: Callable[[], Sequence[Tensor]]) -> tuple[Tensor, list[Tensor]]:
            with undisturbed(step.parts):
                losses = [torch.stack(list(run()))]
                moments = _moments(step)
                losses += [torch.stack(list(run())) for _ in range(CHECKED_STEPS - 1)]
                return torch.cat(losses), moments

        eager = results(lambda: step.run(number, plan, batches, latents))
        try:
            ours = results(lambda: graph(number, inputs))
        except Exception as error:
            raise CaptureError(f"the {self.backend.name} step failed: {short(error)}") from error
        for_losses, for_moments = self._tolerances
        far = [(_distance(ours[0], eager[0], inf, FLOOR), for_losses)]
        for found, expected in zip(ours[1], eager[1], strict=True):
            far.append((_distance(found, expected, 2, 0.0), for_moments))
        for distance, tolerance in far:
            if not distance <= tolerance:
                raise CaptureError(
                    f"its steps are {distance:.1g} from the eager ones, more than {tolerance:g}"
                )


def how_taken(captured: Sequence[CapturedSteps]) -> dict[str, str]:
    """Return how steps are taken: ``backend``, and ``reason`` where that is not as was wished."""
    decisions = set().union(*(steps.decisions for steps in captured))
    names = {steps.backend.name for steps in captured} & decisions
    backend = next(iter(names), "eager")
    reasons = sorted(decisions - names)
    if not reasons:
        return {"backend": backend}
    return {"backend": f"partly {backend}" if names else "eager", "reason": "; ".join(reasons)}


def _distance(found: Tensor, expected: Tensor, order: float, floor: float) -> float:
    """Return a distance in a norm, relative to what was expected, or to a floor if more."""
    if torch.equal(found.nan_to_num(), expected.nan_to_num()):
        return 0.0  # NaN and infinity alike: such a trial diverges either way
    norm = torch.linalg.vector_norm
    size = norm(expected, order).clamp(min=floor)
    return float((norm(found - expected, order) / size).item())


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


def _moments(step: PairStep) -> list[Tensor]:
    """Return what each role's optimizer has gathered of its gradients, as one vector.

    Not the weights: those without a gradient, such as biases before a BatchNorm, follow the
    rounding, which Adam divides by its own size; their moments stay as small as they are.
    """
    found = []
    for optimizer in step.parts.optimizers.values():
        states = optimizer.state.values()
        tensors = [value for state in states for value in state.values()]
        gathered = [t.detach().flatten().double() for t in tensors if isinstance(t, Tensor)]
        found.append(torch.cat([t for t in gathered if t.numel() > 1] or [torch.zeros(1)]))
    return found
