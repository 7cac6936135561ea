"""One sentence: which losses (Author et al., year, equation).

How to use
    ``objective: my-objective``.
Suggested hyperparameters
    None. Or name them, and say where the numbers come from.
Technical details and trade-offs
    What these losses reward, and what that costs. As it stands: squared distances from the
    targets, 1 for real images and 0 for fakes, on the logits themselves.
Attribution
    A. Author, B. Author, *Title*, venue and year, equation.
"""

from torch import Tensor

from ganbench.plugin import Objective


class MyObjective(Objective):
    """One line, as `ganbench plugins` shows it."""

    name = "my-objective"
    uses_targets = True
    """Whether the losses read the targets; if not, tricks of labels are n/a."""

    def discriminator_loss(
        self, real_logits: Tensor, fake_logits: Tensor, real_targets: Tensor, fake_targets: Tensor
    ) -> Tensor:
        """Return what D minimises, 0-d, from logits and targets of shape (batch, 1)."""
        real = (real_logits - real_targets).square().mean()
        return real + (fake_logits - fake_targets).square().mean()

    def generator_loss(
        self, fake_logits: Tensor, targets: Tensor, real_logits: Tensor | None
    ) -> Tensor:
        """Return what G minimises, 0-d; its targets are 1, to be taken for real."""
        return (fake_logits - targets).square().mean()
