"""Least squares: D regresses to one number for real images and to another for fakes (Mao, 2017).

How to use
    ``objective: least-squares``, or ``{name: least-squares, a: -1, b: 1, c: 0}``.
Suggested hyperparameters
    ``a`` 0, ``b`` 1, ``c`` 1 (equation 9), with which the paper trained; ``a`` -1, ``b`` 1,
    ``c`` 0 (equation 8), for which G minimises a Pearson divergence, did about as well there.
Technical details and trade-offs
    D's output is taken as it is, without a sigmoid. A fake on the right side of the boundary
    and far from it costs nothing in cross-entropy; here it is pulled back, so G's gradient
    does not vanish there. It grows with the distance instead, so an unbounded D can be
    thrown off by a few far samples. ``a``, ``b`` and ``c`` are levels of a regression and no
    labels in [0, 1]: tricks that change labels do not apply.
Attribution
    X. Mao et al., *Least Squares Generative Adversarial Networks*, ICCV 2017, equation 2
    and section 3.3.
"""

from typing import Self

from pydantic import model_validator
from torch import Tensor

from ganbench.plugin import Annotated, Field, Objective, ObjectiveParameters

from ._precision import at_least_single


def half_squared_error(outputs: Tensor, level: float) -> Tensor:
    """Return half the mean squared distance of D's outputs to a level, 0-d.

    Parameters
    ----------
    outputs : Tensor, shape (batch, 1)
    level : float
    """
    return (at_least_single(outputs) - level).square().mean() / 2


class LeastSquares(Objective):
    """D regresses to ``b`` for real images and ``a`` for fakes; G wants ``c``."""

    name = "least-squares"
    uses_targets = False

    class Parameters(ObjectiveParameters):
        a: Annotated[float, Field(ge=-100, le=100)] = 0.0
        """What D should say of fakes."""
        b: Annotated[float, Field(ge=-100, le=100)] = 1.0
        """What D should say of real images; not ``a``."""
        c: Annotated[float, Field(ge=-100, le=100)] = 1.0
        """What G wants D to say of fakes; not ``a``."""

        @model_validator(mode="after")
        def _levels_differ(self) -> Self:
            if self.a in (self.b, self.c):
                raise ValueError(
                    f"a={self.a} must differ from b={self.b} and from c={self.c}, "
                    "or there is no game"
                )
            return self

    def discriminator_loss(
        self, real_logits: Tensor, fake_logits: Tensor, real_targets: Tensor, fake_targets: Tensor
    ) -> Tensor:
        levels = self.parameters
        return half_squared_error(real_logits, levels.b) + half_squared_error(fake_logits, levels.a)

    def generator_loss(
        self, fake_logits: Tensor, targets: Tensor, real_logits: Tensor | None
    ) -> Tensor:
        return half_squared_error(fake_logits, self.parameters.c)
