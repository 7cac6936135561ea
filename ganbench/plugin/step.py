"""What penalties and objectives of a trick see of the step they take part in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

Features = Mapping[str, Tensor]
Discriminate = Callable[[Tensor, bool], tuple[Tensor, Features]]


@dataclass(frozen=True)
class DiscriminatorStep:
    """The discriminator's half of a step, after both forward passes.

    Attributes
    ----------
    generator, discriminator : Module
    latent : Tensor, shape (batch, latent)
    condition : Tensor or None
        What both networks of a conditional pair are shown besides.
    real, fake : Tensor, shape (batch, *shape)
        D's inputs as D saw them, after every transform; ``fake`` carries no gradient to G.
    real_logits, fake_logits : Tensor, shape (batch, 1)
    discriminate : callable (images, is_real) -> (logits, features)
        D behind the trial's chain of input transforms, for raw images in [-1, 1].
    """

    generator: nn.Module
    discriminator: nn.Module
    latent: Tensor
    condition: Tensor | None
    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    discriminate: Discriminate


@dataclass(frozen=True)
class GeneratorStep:
    """The generator's half of a step, before D has seen the fakes.

    Attributes
    ----------
    generator, discriminator : Module
    latent : Tensor, shape (batch, latent)
    condition : Tensor or None
    fake : Tensor, shape (batch, *shape)
        G's output, with its gradient.
    real : Tensor, shape (batch, *shape)
        The batch of real images of this step, in [-1, 1], before any transform.
    discriminate : callable (images, is_real) -> (logits, features)
        D behind the trial's chain of input transforms. ``features`` maps the name of each
        of D's blocks to its output.
    adversarial_loss : callable () -> Tensor
        The loss that the trial's objective gives; evaluated when called, with the same
        draws, and in the same order, as a trial without this hook.
    """

    generator: nn.Module
    discriminator: nn.Module
    latent: Tensor
    condition: Tensor | None
    fake: Tensor
    real: Tensor
    discriminate: Discriminate
    adversarial_loss: Callable[[], Tensor]
