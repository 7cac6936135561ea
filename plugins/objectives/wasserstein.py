"""Wasserstein: D is a critic with clipped weights (Arjovsky et al., 2017).

How to use
    ``objective: wasserstein``; ``{name: wasserstein, clip: null}`` without clipping, together
    with the trick ``gradient_penalty`` (WGAN-GP) or ``spectral_norm``.
Suggested hyperparameters
    ``clip`` 0.01, RMSprop with learning rate 5e-5, five updates of D for each of G, and no
    BatchNorm in D where a gradient penalty replaces the clipping.
Technical details and trade-offs
    D's loss is minus an estimate of the Wasserstein-1 distance, up to D's Lipschitz constant,
    and it keeps a gradient where the two distributions do not meet. Something must bound D:
    without clipping, a penalty or a normalisation its loss falls without end. Clipping every
    parameter of D to [-clip, clip] after each of its updates is the crudest way, and
    the paper says so: D is pushed towards simple functions, and gradients vanish or explode
    with its depth. All parameters of the role are clipped, BatchNorm's scale among
    them, as the authors' code does. Under ``spectral_norm`` the weights behind the
    normalised ones are clipped, which hardly changes what D computes. There are no labels in
    [0, 1], so tricks that change them do not apply.
Attribution
    M. Arjovsky, S. Chintala, L. Bottou, *Wasserstein Generative Adversarial Networks*, ICML
    2017, algorithm 1.
"""

from collections.abc import Sequence

from torch import Tensor

from ganbench.plugin import Annotated, Field, Objective, ObjectiveParameters, Role, Search

from ._precision import at_least_single


def clip_parameters(params: Sequence[Tensor], limit: float) -> None:
    """Bring every element of ``params`` into [-limit, limit], in place.

    Parameters
    ----------
    params : sequence of Tensor
        Without gradients recorded.
    limit : float, above 0
    """
    for parameter in params:
        parameter.clamp_(-limit, limit)


class Wasserstein(Objective):
    """D estimates how far the fakes are from the data; G lowers it."""

    name = "wasserstein"
    uses_targets = False

    class Parameters(ObjectiveParameters):
        clip: Annotated[float | None, Field(gt=0, le=100), Search(0.001, 0.1, log=True)] = 0.01
        """Bound on the size of D's parameters; null for no clipping."""

    def discriminator_loss(
        self, real_logits: Tensor, fake_logits: Tensor, real_targets: Tensor, fake_targets: Tensor
    ) -> Tensor:
        return at_least_single(fake_logits).mean() - at_least_single(real_logits).mean()

    def generator_loss(
        self, fake_logits: Tensor, targets: Tensor, real_logits: Tensor | None
    ) -> Tensor:
        return -at_least_single(fake_logits).mean()

    def after_optimizer_step(self, role: Role, params: Sequence[Tensor]) -> None:
        if role == "discriminator" and self.parameters.clip is not None:
            clip_parameters(params, self.parameters.clip)
