"""Hinge: D is a maximum-margin classifier (Lim and Ye, 2017; Miyato et al., 2018).

How to use
    ``objective: hinge``.
Suggested hyperparameters
    None: it is parameter-free. Published with ``spectral_norm`` on D, and 1 to 5 updates of D
    for each of G.
Technical details and trade-offs
    D is trained by the samples within the margin, and by those on the wrong side; real images
    above 1 and fakes below -1 give no gradient, so a D that has won stops growing. G follows
    D's output itself, whose scale nothing bounds but the margin and what constrains D. There
    are no labels in [0, 1], so tricks that change them do not apply.
Attribution
    J. H. Lim, J. C. Ye, *Geometric GAN*, 2017, section 3; T. Miyato et al., *Spectral
    Normalization for Generative Adversarial Networks*, ICLR 2018, equations 16 and 17.
"""

from torch import Tensor
from torch.nn.functional import relu

from ganbench.plugin import Objective

from ._precision import at_least_single


def margin_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return D's hinge loss, 0-d: how far outputs are from the right side of the margin.

    Parameters
    ----------
    real, fake : Tensor, shape (batch, 1)
    """
    return relu(1 - real).mean() + relu(1 + fake).mean()


class Hinge(Objective):
    """D wants a margin of 1 on each side of 0; G wants D's output high."""

    name = "hinge"
    uses_targets = False

    def discriminator_loss(
        self, real_logits: Tensor, fake_logits: Tensor, real_targets: Tensor, fake_targets: Tensor
    ) -> Tensor:
        return margin_loss(at_least_single(real_logits), at_least_single(fake_logits))

    def generator_loss(
        self, fake_logits: Tensor, targets: Tensor, real_logits: Tensor | None
    ) -> Tensor:
        return -at_least_single(fake_logits).mean()
