"""Virtual batch normalisation: by a reference batch and the example itself (Salimans, 2016).

How to use
    ``virtual_batch_norm: on``, or ``{networks: both}``, ``{reference: 128}``.
Suggested hyperparameters
    On G alone and with a reference batch as large as the batch, as in the paper and its code.
Technical details and trade-offs
    BatchNorm makes an example's output depend on the others of its batch. Here each of a
    network's BatchNorm layers is replaced: an example is normalised by the moments of a
    reference batch, which are weighted n / (n + 1), and by its own, over its map, weighted
    1 / (n + 1). The reference batch is drawn once (latents for G, images of the data for D)
    and goes through the network beside every batch, with the weights of the moment, normalised
    by its own moments; gradients go through it too. Scale and shift are BatchNorm's and begin
    as they would there. Samples are normalised like training batches, so running statistics,
    and ``evaluation.batch_norm``, play no part for the network.
    It costs a second batch through the network, which is why the paper uses it in G alone.
    A reference batch of images cannot be larger than the data: D's then is all of them. G's
    latents have no such limit; where a pair has conditions, G's are the data's over again.
    The reference of D has no augmentation and no noise. In D it does not go together with
    layers that look across the batch, which would see the reference, nor with ``packing``.
    ``batch_norm`` says beforehand where the layers are.
Attribution
    T. Salimans et al., *Improved Techniques for Training GANs*, NeurIPS 2016, section 3.5, and
    the weights of the two kinds of moments from the authors' code for ImageNet.
"""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.nn.modules.batchnorm import _BatchNorm

from ganbench.plugin import (
    Annotated,
    BuildContext,
    Categorical,
    Features,
    Field,
    LatentSpec,
    Trick,
    TrickParameters,
    keep_weights,
)

from ._networks import replace_layer

ACROSS_THE_BATCH = ("minibatch_discrimination", "minibatch_stddev")
"""Tricks whose layers in D compare the items of a batch."""


def normalise_virtually(x: Tensor, reference: int, eps: float) -> Tensor:
    """Normalise the first items of a batch by themselves, and each other one by them and itself.

    Parameters
    ----------
    x : Tensor, shape (reference + batch, channels, ...)
    reference : int
        Items of the reference batch, n.
    eps : float
        Added to variances.
    """
    rows = x.flatten(2) if x.ndim > 2 else x.unsqueeze(2)
    rows = rows.to(torch.promote_types(x.dtype, torch.float32))
    first, others = rows[:reference], rows[reference:]
    variance, mean = torch.var_mean(first, (0, 2), correction=0, keepdim=True)
    own_mean = others.mean(2, keepdim=True)
    own_variance = (others - own_mean).square().mean(2, keepdim=True)
    share = 1 / (reference + 1)
    mixed_mean = share * own_mean + (1 - share) * mean
    # The variance of a mixture: equal to its mean square less its squared mean, but not
    # the difference of two large numbers.
    mixed_variance = share * (own_variance + (own_mean - mixed_mean).square())
    mixed_variance = mixed_variance + (1 - share) * (variance + (mean - mixed_mean).square())
    parts = (
        (first - mean) * (variance + eps).rsqrt(),
        (others - mixed_mean) * (mixed_variance + eps).rsqrt(),
    )
    return torch.cat(parts).reshape(x.shape).to(x.dtype)


class VirtualNorm(nn.Module):
    """Virtual batch normalisation in the place of a BatchNorm layer, whose weights it takes over.

    Parameters
    ----------
    norm : BatchNorm layer
    reference : int
        How many of a batch's first items are the reference batch.
    """

    weight: nn.Parameter | None
    bias: nn.Parameter | None

    def __init__(self, norm: _BatchNorm, reference: int) -> None:
        super().__init__()
        self.reference, self.eps = reference, norm.eps
        self.register_parameter("weight", norm.weight)
        self.register_parameter("bias", norm.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor like ``x``, shape (reference + batch, channels, ...)."""
        x = normalise_virtually(x, self.reference, self.eps)
        if self.weight is None or self.bias is None:
            return x
        shape = (-1, *[1] * (x.ndim - 2))
        return x * self.weight.reshape(shape) + self.bias.reshape(shape)

    def extra_repr(self) -> str:
        """Say what PyTorch prints between the brackets."""
        return f"reference={self.reference}, eps={self.eps}"


class WithReference(nn.Module):
    """Mixed into a network's class: a reference batch goes in front of every input.

    It is taken off again from all that comes out. The network keeps its layers and their
    names, so that other tricks find what they look for.
    """

    virtual_inputs: Tensor
    virtual_condition: Tensor | None

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return what the network makes of its inputs."""
        network: Any = super()
        made: Tensor = network.forward(*self._behind_reference(inputs))
        return made[len(self.virtual_inputs) :]

    def forward_with_features(self, *inputs: Tensor) -> tuple[Tensor, Features]:
        """Return D's logits and each block's output."""
        network: Any = super()
        logits, features = network.forward_with_features(*self._behind_reference(inputs))
        rows = len(self.virtual_inputs)
        return logits[rows:], {name: feature[rows:] for name, feature in features.items()}

    def _behind_reference(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        references = (self.virtual_inputs, self.virtual_condition)
        return [
            x if reference is None else torch.cat([reference.to(x.dtype), x])
            for reference, x in zip(references, inputs, strict=False)
        ]


def class_with_reference(cls: type[nn.Module]) -> type[nn.Module]:
    """Return a network's class with ``WithReference`` mixed in."""
    return type(f"{cls.__name__}WithReference", (WithReference, cls), {})


def normalise_network(net: nn.Module, inputs: Tensor, condition: Tensor | None) -> nn.Module:
    """Replace a network's BatchNorm layers, and give it its reference batch, in place.

    Parameters
    ----------
    net : Module
    inputs : Tensor, shape (reference, ...)
        What the network takes first.
    condition : Tensor or None, shape (reference, ...)
        What it takes besides.
    """
    norms = [(name, layer) for name, layer in net.named_modules() if isinstance(layer, _BatchNorm)]
    for name, layer in norms:
        replace_layer(net, name, keep_weights(VirtualNorm(layer, len(inputs))))
    net.register_buffer("virtual_inputs", inputs)
    net.register_buffer("virtual_condition", condition)
    changing: Any = net
    changing.__class__ = class_with_reference(type(net))
    return net


def draw_latents(latent: LatentSpec, count: int) -> Tensor:
    """Return latents of shape (count, latent), drawn from PyTorch's global stream.

    Parameters
    ----------
    latent : LatentSpec
    count : int
    """
    shape = (count, latent.noise)
    uniform = latent.distribution == "uniform"
    parts = [2 * torch.rand(shape) - 1 if uniform else torch.randn(shape)]
    for code in latent.codes:
        if isinstance(code, Categorical):
            drawn = torch.randint(code.classes, (count,))
            parts.append(one_hot(drawn, code.classes).float())
        else:
            parts.append(2 * torch.rand(count, code.dimension) - 1)
    return torch.cat(parts, 1)


class VirtualBatchNorm(Trick):
    """Normalise by a reference batch that is fixed for the trial, in place of the batch."""

    name = "virtual_batch_norm"
    after = ("batch_norm",)

    class Parameters(TrickParameters):
        networks: Literal["generator", "discriminator", "both", "none"] = "generator"
        """Whose BatchNorm layers are replaced."""
        reference: Annotated[int, Field(ge=2, le=4096)] | None = None
        """Size of the reference batch; null for the trial's batch size."""

    neutral = Parameters(networks="none")

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        chosen = {"generator": ctx.generator, "discriminator": ctx.discriminator}
        nets = {role: net for role, net in chosen.items() if self._applies(role) and net}
        if nets and not any(_has_batch_norm(net) for net in nets.values()):
            where = " and ".join(nets)
            return True, f"the {where} of {ctx.architecture} has no BatchNorm to replace"
        if "discriminator" in nets:
            for trick in (*ACROSS_THE_BATCH, "packing"):
                if trick in ctx.tricks:
                    return True, f"in D, {trick} would see the reference batch as part of the batch"
        return False, ""

    def transform_generator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        if not self._applies("generator") or not _has_batch_norm(net):
            return net
        count = self._count(ctx)
        _, condition = self._reference(count, ctx)
        return normalise_network(net, draw_latents(ctx.spec.latent, count), condition)

    def transform_discriminator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        if not self._applies("discriminator") or not _has_batch_norm(net):
            return net
        count = min(self._count(ctx), len(ctx.real_images))
        return normalise_network(net, *self._reference(count, ctx))

    def _applies(self, role: str) -> bool:
        return self.parameters.networks in (role, "both")

    def _count(self, ctx: BuildContext) -> int:
        count: int = self.parameters.reference or ctx.spec.batch_size
        return count

    def _reference(self, count: int, ctx: BuildContext) -> tuple[Tensor, Tensor | None]:
        """Return real images that are drawn for the trial, and their condition.

        If there are fewer, they come over again.
        """
        order = torch.randperm(len(ctx.real_images))
        indices = order[torch.arange(count) % len(order)]
        images, condition = ctx.real_batch(indices.to(ctx.device))
        return images, condition


def _has_batch_norm(net: nn.Module) -> bool:
    return any(isinstance(layer, _BatchNorm) for layer in net.modules())
