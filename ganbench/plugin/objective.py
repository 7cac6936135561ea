"""The base class of objectives: what D and G minimise."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from ganbench.plugin.parameters import Parameters
from ganbench.plugin.spec import Role


class ObjectiveParameters(Parameters):
    """Base of an objective's parameters."""


class Objective:
    """Two losses from D's logits, both minimised."""

    name: ClassVar[str]
    Parameters: ClassVar[type[ObjectiveParameters]] = ObjectiveParameters

    uses_targets: ClassVar[bool] = True
    """Whether the losses read the targets, so that label tricks apply."""
    generator_target: ClassVar[float] = 1.0
    """The target of fake images in G's loss, before any trick: 1 to be taken for real."""
    generator_needs_real: ClassVar[bool] = False
    """Whether G's loss compares with D's logits of real images (relativistic losses)."""

    def __init__(self, parameters: ObjectiveParameters) -> None:
        self.parameters: Any = parameters

    def discriminator_loss(
        self, real_logits: Tensor, fake_logits: Tensor, real_targets: Tensor, fake_targets: Tensor
    ) -> Tensor:
        """Return D's loss, 0-d, from logits and targets of shape (batch, 1)."""
        raise NotImplementedError

    def generator_loss(
        self, fake_logits: Tensor, targets: Tensor, real_logits: Tensor | None
    ) -> Tensor:
        """Return G's loss, 0-d; ``real_logits`` only where ``generator_needs_real``."""
        raise NotImplementedError

    def after_optimizer_step(self, role: Role, params: Sequence[Tensor]) -> None:
        """Act on a role's parameters after its step, in place, without gradients.

        Called before the tricks' hooks of that name.
        """
