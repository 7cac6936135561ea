"""What penalties and objectives of a trick see of the step they take part in."""

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from ganbench.plugin.spec import Role

Features = Mapping[str, Tensor]
Judge = Callable[[Tensor], Tensor]
"""D alone, from its inputs to logits of shape (batch, 1).

It knows nothing of the input transforms, and has the pair's condition: row i of its input is
judged with the condition of row i of the batch, counted round where there are several batches.
"""


class Discriminate(Protocol):
    """D behind the trial's chain of input transforms."""

    def __call__(
        self, images: Tensor, is_real: bool, parameters: Mapping[str, Tensor] | None = None
    ) -> tuple[Tensor, Features]:
        """Return logits (batch, 1), and the output of each of D's blocks by its name.

        Parameters
        ----------
        images : Tensor, shape (batch, *shape)
            Raw images in [-1, 1].
        is_real : bool
        parameters : mapping of str to Tensor, optional
            Stand-ins for D's parameters, by their names in ``named_parameters``; gradients
            flow to them, and D's own parameters and buffers are left alone.
        """
        ...


class DiscriminatorStep:
    """The discriminator's half of a step, after both forward passes.

    Attributes
    ----------
    generator, discriminator : Module
    latent : Tensor, shape (batch, latent)
    condition : Tensor or None
        What both networks of a conditional pair are shown besides.
    real_images, fake_images : Tensor, shape (batch, *shape)
        What the pair takes as real, and G's output, before any transform; no gradient to G.
    real, fake : Tensor, shape (batch, *shape)
        D's inputs as D saw them, after every transform; ``fake`` carries no gradient to G.
    real_logits, fake_logits : Tensor, shape (batch, 1)
    discriminate : Discriminate
        For raw images in [-1, 1].
    judge : Judge
        For inputs like ``real`` and ``fake``.
    """

    generator: nn.Module
    discriminator: nn.Module
    latent: Tensor
    condition: Tensor | None
    real_images: Tensor
    fake_images: Tensor
    real: Tensor
    fake: Tensor
    real_logits: Tensor
    fake_logits: Tensor
    discriminate: Discriminate
    judge: Judge


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
    discriminate : Discriminate
        For raw images in [-1, 1].
    adversarial_loss : callable (parameters=None) -> Tensor
        The loss that the trial's objective gives; evaluated when called, the first time with
        the draws of a trial without this hook, and then with others. With ``parameters`` of a
        D as in `Discriminate`, G's loss against that D.
    discriminator_loss : callable (parameters=None) -> Tensor
        D's loss on this step's real and fake images, less the penalties of tricks;
        differentiable with respect to G too.
    judge : Judge
        For images that have been through the transforms.
    optimizers : mapping of role to Optimizer
        To be read, such as the moments of D's Adam; only the trainer steps them.
    """

    generator: nn.Module
    discriminator: nn.Module
    latent: Tensor
    condition: Tensor | None
    fake: Tensor
    real: Tensor
    discriminate: Discriminate
    adversarial_loss: Callable[..., Tensor]
    discriminator_loss: Callable[..., Tensor]
    judge: Judge
    optimizers: Mapping[Role, Optimizer]
