"""The objectives of the original GAN (Goodfellow et al., 2014).

How to use
    ``objective: non-saturating`` (the default), or ``objective: saturating``.
Suggested hyperparameters
    None: both are parameter-free.
Technical details and trade-offs
    D minimises cross-entropy on logits, the real batch's mean plus the fake batch's mean.
    The saturating G minimises log(1 - D(G(z))), the game of equation 1; its gradient
    vanishes while D wins. The non-saturating G maximises log D(G(z)) instead, which has
    the same fixed point and a strong gradient early on (section 3 of the paper).
Attribution
    I. Goodfellow et al., *Generative Adversarial Nets*, NeurIPS 2014, equation 1 and
    section 3.
"""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from ganbench.plugin import Objective


class NonSaturating(Objective):
    """G maximises log D(G(z)): the loss that nearly every GAN is trained with."""

    name = "non-saturating"

    def discriminator_loss(
        self, real_logits: Tensor, fake_logits: Tensor, real_targets: Tensor, fake_targets: Tensor
    ) -> Tensor:
        return cross_entropy(real_logits, real_targets) + cross_entropy(fake_logits, fake_targets)

    def generator_loss(
        self, fake_logits: Tensor, targets: Tensor, real_logits: Tensor | None
    ) -> Tensor:
        return cross_entropy(fake_logits, targets)


class Saturating(NonSaturating):
    """G minimises log(1 - D(G(z))): the minimax game itself, which saturates."""

    name = "saturating"
    generator_target = 0.0

    def generator_loss(
        self, fake_logits: Tensor, targets: Tensor, real_logits: Tensor | None
    ) -> Tensor:
        return -cross_entropy(fake_logits, targets)
