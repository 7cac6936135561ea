"""The base class of architectures, and the discriminator that shows its features."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from ganbench.plugin.latent import LatentSpec
from ganbench.plugin.parameters import Parameters
from ganbench.plugin.picture import Picture, Sampler
from ganbench.plugin.spec import TrainingSpec


class ArchitectureParameters(Parameters):
    """Base of an architecture's parameters."""


class Discriminator(nn.Module):
    """Named blocks, then a linear head: logits of shape (batch, 1).

    Parameters
    ----------
    blocks : Sequential
        Named children; each one's output is a feature map under its name.
    head : Module
        From the last block's output, flattened, to one logit.
    """

    def __init__(self, blocks: nn.Sequential, head: nn.Module) -> None:
        super().__init__()
        self.blocks = blocks
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        """Return logits of shape (batch, 1) for images of shape (batch, *shape)."""
        logits: Tensor = self.head(self.blocks(x).flatten(1))
        return logits

    def forward_with_features(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits and each block's output, from one forward pass."""
        features: dict[str, Tensor] = {}
        for name, block in self.blocks.named_children():
            x = block(x)
            features[name] = x
        return self.head(x.flatten(1)), features


@dataclass(frozen=True)
class Pair:
    """An adversarial pair: the trainer's unit. A plain GAN is one.

    Attributes
    ----------
    name : str
    generator : Module
        From latents (batch, latent) to images; with ``condition``, called as
        ``generator(z, condition)``.
    discriminator : Module
        Logits (batch, 1), and ``forward_with_features``; with ``condition``, called as
        ``discriminator(x, condition)``.
    real_view : callable or None
        From a batch of real images in [-1, 1] to what this pair takes as real.
    condition : callable or None
        From the same batch to what both networks are conditioned on.
    latent : LatentSpec or None
        The prior of this pair's generator, if not the trial's.
    shape : tuple of int or None
        Shape of what this pair generates, if not the data's.
    """

    name: str
    generator: nn.Module
    discriminator: nn.Module
    real_view: Callable[[Tensor], Tensor] | None = None
    condition: Callable[[Tensor], Tensor] | None = None
    latent: LatentSpec | None = None
    shape: tuple[int, ...] | None = None


class Architecture:
    """Builds plain modules of standard layers, so that a trick can find and replace one.

    G maps latents ``(batch, latent)`` to images in [-1, 1] (points: unbounded). Name the
    layers: initial weights are drawn from a stream of the layer's own name, which is what
    makes two arms start alike.
    """

    name: ClassVar[str]
    Parameters: ClassVar[type[ArchitectureParameters]] = ArchitectureParameters

    def __init__(self, parameters: ArchitectureParameters) -> None:
        self.parameters: Any = parameters

    def supports(self, spec: TrainingSpec) -> tuple[bool, str]:
        """Say whether the architecture can make this shape of data, and if not, why."""
        return True, ""

    def build_generator(self, spec: TrainingSpec) -> nn.Module:
        """Return G for ``spec.latent`` and ``spec.shape``."""
        raise NotImplementedError

    def build_discriminator(self, spec: TrainingSpec) -> nn.Module:
        """Return D for ``spec.shape``, with ``forward_with_features``: a `Discriminator`."""
        raise NotImplementedError

    def build_pairs(self, spec: TrainingSpec) -> Sequence[Pair]:
        """Return the adversarial pairs; override for more than one."""
        return (Pair("main", self.build_generator(spec), self.build_discriminator(spec)),)

    def sample(self, generators: Mapping[str, nn.Module], latents: Mapping[str, Tensor]) -> Tensor:
        """Return images, shape (batch, *spec.shape), from all pairs' generators.

        Parameters
        ----------
        generators : mapping of pair name to Module
        latents : mapping of pair name to Tensor, shape (batch, latent)
        """
        images: Tensor = generators["main"](latents["main"])
        return images

    def draw_pictures(self, sampler: Sampler) -> Mapping[str, Picture]:
        """Return pictures for the report, by a name with lower-case letters, digits and -.

        Called once, at the end of a trial.
        """
        return {}

    def initialise(self, module: nn.Module) -> None:
        """Draw one leaf module's weights, from torch's global stream (seeded for it).

        The default keeps PyTorch's own initialisation.
        """
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
