"""Steps that are not taken eagerly, compared with eager ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from ganbench.training.capture import CaptureError
from ganbench.training.state import undisturbed
from ganbench.training.step import PairStep

CHECKED_STEPS = 5
TOLERANCES = {"off": (1e-4, 1e-3), "tf32": (4e-3, 4e-2), "bf16": (3e-2, 0.3)}
"""How far from the eager ones losses may be, relative to the largest, and what the optimizers
have gathered of the gradients, relative to its norm: activations that lie within rounding of a
kink move gradients by more than rounding. Of bfloat16's 7 bits, TF32 has three more."""
FLOOR = 0.05
"""What counts as the largest loss where all are smaller."""


@dataclass(frozen=True)
class Results:
    """What some steps gave.

    Attributes
    ----------
    losses : Tensor, shape (steps * updates,)
    moments : list of Tensor
        See ``moments``: after the first of the steps.
    """

    losses: Tensor
    moments: list[Tensor]

    @classmethod
    def of(cls, step: PairStep, run: Callable[[], Sequence[Tensor]]) -> "Results":
        """Return what steps of a pair give, each the losses of its updates; nothing is changed."""
        with undisturbed(step.parts):
            losses = [torch.stack(list(run()))]
            gathered = moments(step)
            losses += [torch.stack(list(run())) for _ in range(CHECKED_STEPS - 1)]
            return cls(torch.cat(losses), gathered)


def expect_close(found: Results, expected: Results, for_losses: float, for_moments: float) -> None:
    """Compare two results.

    Parameters
    ----------
    found, expected : Results
    for_losses, for_moments : float
        See ``TOLERANCES``.

    Raises
    ------
    CaptureError
        If they are too far from each other.
    """
    far = [(_distance(found.losses, expected.losses, inf, FLOOR), for_losses)]
    for ours, theirs in zip(found.moments, expected.moments, strict=True):
        far.append((_distance(ours, theirs, 2, 0.0), for_moments))
    for distance, tolerance in far:
        if not distance <= tolerance:
            raise CaptureError(
                f"its steps are {distance:.1g} from the eager ones, more than {tolerance:g}"
            )


def moments(step: PairStep) -> list[Tensor]:
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


def _distance(found: Tensor, expected: Tensor, order: float, floor: float) -> float:
    """Return a distance in a norm, relative to what was expected, or to a floor if more."""
    if torch.equal(found.nan_to_num(), expected.nan_to_num()):
        return 0.0  # NaN and infinity alike: such a trial diverges either way
    norm = torch.linalg.vector_norm
    size = norm(expected, order).clamp(min=floor)
    return float((norm(found - expected, order) / size).item())
