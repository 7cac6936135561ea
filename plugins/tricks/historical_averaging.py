"""Historical averaging: each player stays near the mean of its past (Salimans et al., 2016).

How to use
    ``historical_averaging: on``, or ``{weight: 0.1, networks: generator}``.
Suggested hyperparameters
    ``weight`` 1, on both networks: the paper names no factor.
Technical details and trade-offs
    To each player's cost comes ‖θ - (1/t) Σ θ[i]‖², where θ[1] to θ[t] are its weights
    before each of its updates so far, the current one among them; the mean is a constant
    for the gradient. The idea is fictitious play, which finds equilibria of games where
    gradient descent orbits. The mean is updated online, so the state is as large as the
    weights, and the pull back to it grows with how far training has come. The term is a
    sum over all weights: the same factor pulls harder on a larger network. An update that a
    trick denies (``adaptive_d``) counts all the same: the weights that stay are a set more.
    The paper's best model on CIFAR-10 has no historical averaging, nor feature matching. It
    stands in its table 3 only in the row "-L+HA", where it is to make up for missing labels:
    an Inception score of 6.86, against 4.36 without labels and without it. It "cannot
    prevent" the drop to 3.87 of a model without minibatch features.
Attribution
    T. Salimans et al., *Improved Techniques for Training GANs*, NeurIPS 2016, section 3.3 and
    table 3.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ganbench.plugin import (
    HALVES,
    Annotated,
    Buffers,
    BuildContext,
    DiscriminatorStep,
    Field,
    GeneratorStep,
    Half,
    Role,
    Search,
    Trick,
    TrickParameters,
)


def squared_distance(weights: Sequence[Tensor], means: Sequence[Tensor]) -> Tensor:
    """Return the squared Euclidean distance of all weights to their means, 0-d."""
    parts = [(one - mean).square().sum() for one, mean in zip(weights, means, strict=True)]
    return torch.stack(parts).sum()


def update_means(means: Sequence[Tensor], weights: Sequence[Tensor], count: Tensor) -> None:
    """Take another set of weights into their running means, in place.

    Parameters
    ----------
    means, weights : sequence of Tensor
    count : Tensor, 0-d
        How many sets the means are of; one more afterwards.
    """
    count.add_(1)
    for mean, one in zip(means, weights, strict=True):
        mean.add_((one - mean) / count)


class HistoricalAveraging(Trick):
    """Penalise each network's distance from the mean of its past weights."""

    name = "historical_averaging"

    class Parameters(TrickParameters):
        weight: Annotated[float, Field(ge=0, le=1000), Search(1e-3, 10, log=True)] = 1.0
        """Factor of the term; 0 for none."""
        networks: Literal["both", "generator", "discriminator"] = "both"
        """Whose weights are held to their past."""

    neutral = Parameters(weight=0.0)

    def make_buffers(self, ctx: BuildContext) -> Mapping[str, Tensor]:
        made: dict[str, Tensor] = {}
        for half, net in (("generator", ctx.generator), ("discriminator", ctx.discriminator)):
            if net is not None and self._applies(half):
                made[f"{half}/count"] = torch.ones((), device=ctx.device)
                for name, weight in _trained(net).items():
                    made[f"{half}/mean/{name}"] = weight.detach().clone()
        return made

    def discriminator_penalty(self, step: DiscriminatorStep, buf: Buffers) -> Tensor:
        return self._penalty("discriminator", step.discriminator, step.fake_logits, buf)

    def generator_penalty(self, step: GeneratorStep, buf: Buffers) -> Tensor:
        return self._penalty("generator", step.generator, step.fake, buf)

    def after_optimizer_step(self, role: Role, params: Sequence[Tensor], buf: Buffers) -> None:
        if role in HALVES and self._applies(role):
            means = _means(role, buf)
            # The network's weights come first; those of tricks' modules follow.
            update_means(means, params[: len(means)], buf[f"{role}/count"])

    def _applies(self, half: str) -> bool:
        return self.parameters.weight > 0 and self.parameters.networks in (half, "both")

    def _penalty(self, half: Half, net: nn.Module, like: Tensor, buf: Buffers) -> Tensor:
        if not self._applies(half):
            return like.new_zeros(())
        factor: float = self.parameters.weight
        return factor * squared_distance(list(_trained(net).values()), _means(half, buf))


def _trained(net: nn.Module) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in net.named_parameters() if weight.requires_grad}


def _means(half: str, buf: Buffers) -> list[Tensor]:
    return [mean for name, mean in buf.items() if name.startswith(f"{half}/mean/")]
