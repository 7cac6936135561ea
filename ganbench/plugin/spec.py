"""What a network, a trick or an objective is told about the trial it is built for."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ganbench.plugin.latent import LatentSpec

Half = Literal["generator", "discriminator"]
"""Whose half of a step: in which D, or G, is updated."""
Role = str
"""What an optimizer trains: a `Half`'s network, or a trick's modules under their own name."""
HALVES: tuple[Half, Half] = ("generator", "discriminator")


@dataclass(frozen=True)
class OptimizerSpec:
    """An optimizer by its name in ``torch.optim`` and its keyword arguments.

    Attributes
    ----------
    name : {"adam", "adamw", "sgd", "rmsprop"}
    arguments : mapping of str to Any
        As ``torch.optim`` takes them.
    decay : float, at least 0
        How fast the learning rate falls from update to update.
    decay_law : {"inverse-time", "exponential"}
        ``lr / (1 + decay · update)``, or ``lr / (1 + decay)^update``.
    """

    name: Literal["adam", "adamw", "sgd", "rmsprop"]
    arguments: Mapping[str, Any]
    decay: float = 0.0
    decay_law: Literal["inverse-time", "exponential"] = "inverse-time"


@dataclass(frozen=True)
class TrainingSpec:
    """The trial as the builder sees it; ``Trick.configure`` may return a changed copy.

    Attributes
    ----------
    shape : tuple of int
        ``(channels, height, width)`` of an image, or ``(dimensions,)`` of a point; where a
        pair has its own shape and latent, its context says so.
    latent : LatentSpec
    batch_size : int
        Real images, and fake images, in each update.
    steps : int
        Steps of the whole trial.
    optimizers : mapping of role to OptimizerSpec
        A trick's own role is trained like the half that it belongs to, unless named here.
    """

    shape: tuple[int, ...]
    latent: LatentSpec
    batch_size: int
    steps: int
    optimizers: Mapping[Role, OptimizerSpec]

    @property
    def is_image(self) -> bool:
        """Whether the data are images: in [-1, 1], so G ends in tanh."""
        return len(self.shape) == 3

    @property
    def channels(self) -> int:
        """Channels of an image, or dimensions of a point."""
        return self.shape[0]

    def with_changes(self, **changes: Any) -> "TrainingSpec":
        """Return a copy with some fields replaced."""
        return replace(self, **changes)


@dataclass(frozen=True)
class BuildContext:
    """What build-time hooks may look at.

    Attributes
    ----------
    spec : TrainingSpec
    pair : str
        Name of the adversarial pair being built; ``"main"`` for a plain GAN.
    device : torch.device
    architecture, objective : str
        Names of the plugins in use.
    uses_targets : bool
        Whether the objective has targets in [0, 1] that label tricks can change.
    tricks : tuple of str
        Names of the trial's tricks that are on, in their resolved order: one at its neutral
        setting changes nothing and is not among them.
    real_images : Tensor, shape (items, *shape)
        The whole training set on the device: uint8 for images, float32 for points.
    real_labels : Tensor or None
        int64, shape (items,), on the device; None for data without labels.
    real_batch : callable (indices) -> (Tensor, Tensor or None)
        What the pair takes as real, shape (batch, *spec.shape), in [-1, 1], and its
        condition if it has one, of the training set's items ``indices`` (int64).
    generator, discriminator : Module or None
        The networks of the pair as far as they are built.
    """

    spec: TrainingSpec
    pair: str
    device: torch.device
    architecture: str
    objective: str
    uses_targets: bool
    tricks: tuple[str, ...]
    real_images: Tensor
    real_labels: Tensor | None
    real_batch: Callable[[Tensor], tuple[Tensor, Tensor | None]]
    generator: nn.Module | None = None
    discriminator: nn.Module | None = None


def keep_weights(module: nn.Module) -> nn.Module:
    """Mark a module, and all in it, as initialised: the builder leaves its weights alone.

    Layers that a trick adds get initial weights from the architecture, drawn from a stream
    of the layer's name. A trick that chose the weights itself (zeros, say) says so with this.
    """
    for layer in module.modules():
        object.__setattr__(layer, "_ganbench_keep_weights", True)
    return module


def keeps_weights(module: nn.Module) -> bool:
    """Say whether a layer was marked by ``keep_weights``."""
    return getattr(module, "_ganbench_keep_weights", False) is True


@dataclass
class Buffers(MutableMapping[str, Tensor]):
    """A trick's own tensors and its own random stream, for one adversarial pair.

    Tensors are declared once by ``Trick.make_buffers`` and from then on only *filled*
    (``buf["sigma"].fill_(0.1)``), so that a step compiled or captured around them stays
    valid. They are saved and restored with the trial. Assigning to a declared one copies
    into it; assigning to another is a ``KeyError``.

    Attributes
    ----------
    generator : torch.Generator
        The trick's random stream. Nobody else draws from it; draw from no other. D's half
        of a step, G's half, calls through ``discriminate`` and evaluations each have their
        own, so that a trick that asks D once more moves nobody's draws.
    half : {"discriminator", "generator"} or None
        Whose half of the step the hook is called in; None outside of both.
    extra : bool
        Whether the call serves what a trick asks D besides, through ``discriminate`` or
        another callable of the step, and not the step's own forward passes.
    modules : dict of str to Module
        What ``Trick.make_modules`` built for this pair.
    """

    generator: torch.Generator
    half: Half | None = None
    extra: bool = False
    modules: dict[str, nn.Module] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Tensor:
        return self.tensors[key]

    def __setitem__(self, key: str, value: Tensor) -> None:
        if key not in self.tensors:
            raise KeyError(f"no buffer {key!r} was declared by make_buffers, so it would be lost")
        self.tensors[key].copy_(value)

    def __delitem__(self, key: str) -> None:
        raise TypeError("a declared buffer lasts as long as the trial")

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)
