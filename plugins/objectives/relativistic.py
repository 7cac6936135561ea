"""Relativistic: are real images more real than fakes? (Jolicoeur-Martineau, 2018).

How to use
    ``objective: relativistic`` (RaSGAN), or ``{name: relativistic, average: false}`` (RSGAN).
Suggested hyperparameters
    ``average`` on; the paper found it the more stable of the two. One update of D for each
    of G, Adam, and a gradient penalty or spectral norm for hard data.
Technical details and trade-offs
    D's output means nothing by itself: the loss is a cross-entropy on differences, between a
    real image and a fake (RSGAN) or between an image and the mean of the other kind
    (RaSGAN). G therefore gains by making fakes more convincing and real images less so, and
    needs D's verdict on real images, one more pass through D in G's half of the step. With
    RSGAN the real and fake images of a batch are paired in the order they come. The source's
    listing halves both RaSGAN losses and its formulas do not; these are the formulas'. There
    are no labels in [0, 1], so tricks that change them do not apply.
Attribution
    A. Jolicoeur-Martineau, *The relativistic discriminator: a key element missing from
    standard GAN*, ICLR 2019, section 4.
"""

from torch import Tensor
from torch.nn.functional import softplus

from ganbench.plugin import Objective, ObjectiveParameters

from ._precision import at_least_single


def paired_loss(winners: Tensor, losers: Tensor) -> Tensor:
    """Return -E log sigmoid(winner - loser) over pairs, 0-d (RSGAN).

    Parameters
    ----------
    winners, losers : Tensor, shape (batch, 1)
        D's outputs; the loss is low where the first are above the second.

    Raises
    ------
    ValueError
        If there are not as many of the one as of the other.
    """
    if winners.shape != losers.shape:
        raise ValueError(
            "relativistic with average: false pairs real and fake outputs of D, and these have "
            f"shapes {tuple(winners.shape)} and {tuple(losers.shape)}; set average: true"
        )
    return softplus(losers - winners).mean()


def averaged_loss(winners: Tensor, losers: Tensor) -> Tensor:
    """Return the loss of each side against the other's mean, 0-d (RaSGAN).

    -E log sigmoid(winner - E loser) - E log(1 - sigmoid(loser - E winner)).

    Parameters
    ----------
    winners, losers : Tensor, shape (batch, 1)
    """
    above = softplus(losers.mean() - winners).mean()
    below = softplus(losers - winners.mean()).mean()
    return above + below


class Relativistic(Objective):
    """D tells how much more real one image is than another; G turns that round."""

    name = "relativistic"
    uses_targets = False
    generator_needs_real = True

    class Parameters(ObjectiveParameters):
        average: bool = True
        """Compare with the mean of the other kind (RaSGAN) instead of with one image (RSGAN)."""

    def discriminator_loss(
        self, real_logits: Tensor, fake_logits: Tensor, real_targets: Tensor, fake_targets: Tensor
    ) -> Tensor:
        return self._loss(real_logits, fake_logits)

    def generator_loss(
        self, fake_logits: Tensor, targets: Tensor, real_logits: Tensor | None
    ) -> Tensor:
        if real_logits is None:
            raise ValueError("relativistic needs D's outputs for real images in G's loss, got None")
        return self._loss(fake_logits, real_logits)

    def _loss(self, winners: Tensor, losers: Tensor) -> Tensor:
        loss = averaged_loss if self.parameters.average else paired_loss
        return loss(at_least_single(winners), at_least_single(losers))
