"""Spectral normalisation: divide each layer's weight by its largest singular value.

How to use
    ``spectral_norm: on``, or ``{networks: both}``. Best without BatchNorm in D:
    ``batch_norm: {placement: generator}``.
Suggested hyperparameters
    On D alone, one power iteration, ``objective: hinge``, one to five updates of D for each
    of G (Miyato et al.). On both networks as in SAGAN.
Technical details and trade-offs
    Each Linear, Conv2d and ConvTranspose2d computes with W / σ(W), so its matrix (outputs by
    everything else) has spectral norm 1, and with activations of slope at most 1 D's
    Lipschitz constant is bounded whatever its weights. A convolution's own norm is not its
    matrix's: the source normalises the matrix, and so does this. σ is estimated by power
    iteration, whose vectors are kept from pass to pass, start from 15 iterations, and take
    ``power_iterations`` more at every pass in training mode: D is passed three times a step.
    What is trained is the W behind it, whose initial value is the one it has without the
    trick; so D's logits start at another scale. BatchNorm rescales what was normalised, and
    biases, BatchNorm's scale and the tensors of other layers (minibatch discrimination's) are
    not bounded. Layers that tricks put into the networks are normalised too; a layer that is
    normalised already is left as it is.
Attribution
    T. Miyato et al., *Spectral Normalization for Generative Adversarial Networks*, ICLR 2018,
    section 2.1 and algorithm 1; H. Zhang et al., *Self-Attention Generative Adversarial
    Networks*, ICML 2019, section 4.1, on both networks.
"""

from typing import Literal

from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm, spectral_norm
from torch.nn.utils.spectral_norm import SpectralNorm as LegacySpectralNorm

from ganbench.plugin import (
    Annotated,
    BuildContext,
    Field,
    Search,
    Stage,
    Trick,
    TrickParameters,
    keep_weights,
)

Weighted = nn.Linear | nn.Conv2d | nn.ConvTranspose2d


def is_normalised(layer: nn.Module) -> bool:
    """Say whether a layer's weight is spectrally normalised, by either way of PyTorch's."""
    hooks = layer._forward_pre_hooks.values()
    if any(isinstance(hook, LegacySpectralNorm) for hook in hooks):
        return True
    # PyTorch keeps the steps by which it computes a weight below ``layer.parametrizations``.
    steps = dict(layer.named_modules()).get("parametrizations.weight", nn.ModuleList())
    return any(isinstance(step, _SpectralNorm) for step in steps.children())


def open_layers(net: nn.Module) -> list[nn.Module]:
    """Return the weighted layers of ``net`` that are not yet normalised, input first."""
    return [m for m in net.modules() if isinstance(m, Weighted) and not is_normalised(m)]


def normalise_layers(net: nn.Module, power_iterations: int) -> None:
    """Normalise every weighted layer of ``net`` that is not yet, in place.

    Parameters
    ----------
    net : Module
    power_iterations : int, at least 1
        At each pass in training mode.
    """
    for layer in open_layers(net):
        # The weight behind the normalised one is the drawn one: it must not be drawn again.
        keep_weights(spectral_norm(layer, n_power_iterations=power_iterations))


class SpectralNorm(Trick):
    """Bound what each layer of D can stretch its input by."""

    name = "spectral_norm"
    stage = Stage.LAST  # behind whatever replaces or adds layers
    after = (
        "batch_norm",
        "minibatch_discrimination",
        "minibatch_stddev",
        "packing",
        "virtual_batch_norm",
    )

    class Parameters(TrickParameters):
        networks: Literal["discriminator", "both", "none"] = "discriminator"
        """Whose layers are normalised."""
        power_iterations: Annotated[int, Field(ge=1, le=100), Search(1, 5)] = 1
        """Power iterations at each pass."""

    neutral = Parameters(networks="none")

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        if self.parameters.networks == "none":
            return False, ""
        net = ctx.discriminator
        reason = f"the discriminator of {ctx.architecture} has no layer that is not normalised yet"
        return net is not None and not open_layers(net), reason

    def transform_generator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        if self.parameters.networks == "both":
            normalise_layers(net, self.parameters.power_iterations)
        return net

    def transform_discriminator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        if self.parameters.networks != "none":
            normalise_layers(net, self.parameters.power_iterations)
        return net
