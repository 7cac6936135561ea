"""Minibatch discrimination: D sees how close an image is to the others (Salimans et al., 2016).

How to use
    ``minibatch_discrimination: on``, or ``{kernels: 50, dimensions: 5}``.
Suggested hyperparameters
    ``kernels`` 100 and ``dimensions`` 5, as in the authors' code for CIFAR-10 and SVHN.
Technical details and trade-offs
    D's last features f(x) of length A are multiplied by a learned tensor T of shape
    (A, B, C). For each of the B kernels, the similarity of two images is exp of minus the
    L1 distance between their rows of length C, and an image's feature is the sum of its
    similarities to the batch. The B sums stand beside f(x) before the head. Images that a
    collapsed G makes are all close, which D then sees. The paper found it quick to give
    visually better samples, and worse than feature matching for semi-supervised learning.
    The sum runs over the whole batch and the image itself, as the paper writes it, which
    adds 1.
    *Not as in the authors' code*, which leaves the image out and adds a bias to each sum. It
    starts from a first batch: T's columns, of norm 1, are scaled so that an image's nearest is
    2 away on average, and the biases are minus the sums' means, so that the features begin at
    0 in the mean and vary. Here the columns only begin with a norm of 1 on average, and the
    head's bias, which begins at 0, stands for the others: at first the B sums move all logits
    alike, and where f(x) is large or small they are all near 1 or near the batch size.
    Distances take batch² · B · C numbers. Real and fake batches go through D one after the
    other, as the paper asks, unless ``mixed_batches`` asks for the contrary.
Attribution
    T. Salimans et al., *Improved Techniques for Training GANs*, NeurIPS 2016, section 3.2.
"""

import torch
from torch import Tensor, nn

from ganbench.plugin import (
    Annotated,
    BuildContext,
    Discriminator,
    Field,
    Search,
    Trick,
    TrickParameters,
)

from ._networks import head_problem, with_inputs


def closeness(rows: Tensor) -> Tensor:
    """Return how close each item of a batch is to all of it, kernel by kernel.

    Parameters
    ----------
    rows : Tensor, shape (batch, kernels, dimensions)
        The M of the paper.

    Returns
    -------
    Tensor, shape (batch, kernels), in [1, batch]
        Its o(x): the sum over j of exp(-‖M_i,b - M_j,b‖₁).
    """
    distances = (rows[:, None] - rows[None]).abs().sum(3)
    return torch.exp(-distances).sum(1)


class MinibatchFeatures(nn.Module):
    """Append to each item's features its closeness to the batch.

    Parameters
    ----------
    features, kernels, dimensions : int
        A, B and C of the paper.
    """

    def __init__(self, features: int, kernels: int, dimensions: int) -> None:
        super().__init__()
        self.tensor = nn.Parameter(torch.empty(features, kernels, dimensions))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw T from a normal distribution that gives its columns a squared norm of 1."""
        nn.init.normal_(self.tensor, 0.0, self.tensor.shape[0] ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return (batch, features + kernels) for (batch, ...)."""
        x = x.flatten(1)
        rows = torch.einsum("na,abc->nbc", x, self.tensor)
        return torch.cat([x, closeness(rows).to(x.dtype)], 1)


class MinibatchDiscrimination(Trick):
    """Show D's head how close each image is to the others of its batch."""

    name = "minibatch_discrimination"

    class Parameters(TrickParameters):
        kernels: Annotated[int, Field(ge=0, le=1000), Search(10, 200, log=True)] = 100
        """Features that are added, B of the paper; 0 leaves D as it is."""
        dimensions: Annotated[int, Field(ge=1, le=100), Search(2, 16, log=True)] = 5
        """Length of the rows whose distance is taken, C of the paper."""

    neutral = Parameters(kernels=0)

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        problem = head_problem(ctx) if self.parameters.kernels else ""
        return bool(problem), problem

    def transform_discriminator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        kernels: int = self.parameters.kernels
        if kernels == 0 or not isinstance(net, Discriminator):
            return net
        features = int(net.head.in_features)  # type: ignore[arg-type]
        layer = MinibatchFeatures(features, kernels, self.parameters.dimensions)
        net.blocks.add_module(self.name, layer)
        net.head = with_inputs(net.head, features + kernels)
        return net
