"""What InfoGAN computes with codes: bounds, the head that tells them, their match to classes."""

import math

import numpy as np
import scipy
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench.plugin import Categorical, LatentSpec


def categorical_bound(codes: Tensor, logits: Tensor) -> Tensor:
    """Return L_I of a category, 0-d, in nats: at most ln K.

    Parameters
    ----------
    codes : Tensor, shape (batch, K)
        One-hot.
    logits : Tensor, shape (batch, K)
        Of Q.
    """
    told = (codes * F.log_softmax(logits, 1)).sum(1).mean()
    return told + math.log(codes.shape[1])


def continuous_bound(codes: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return L_I of codes from U(-1, 1), summed over coordinates, 0-d, in nats.

    Parameters
    ----------
    codes, mean : Tensor, shape (batch, C)
    log_variance : Tensor, broadcast to (batch, C)
    """
    squares = (codes - mean).square() * torch.exp(-log_variance)
    told = -0.5 * (squares + log_variance + math.log(2 * math.pi))
    return told.sum(1).mean() + codes.shape[1] * math.log(2)


def matching_errors(codes: Tensor, labels: Tensor, categories: int) -> tuple[float, float]:
    """Return the error of categories as classes: by majority, and with one category a class.

    Parameters
    ----------
    codes, labels : Tensor, shape (items,), int64
        Categories in [0, categories), and classes from 0.
    categories : int

    Returns
    -------
    majority, one_to_one : float, in [0, 1]
    """
    classes = int(labels.max()) + 1
    pairs = (codes * classes + labels).cpu().numpy()
    table = np.bincount(pairs, minlength=categories * classes).reshape(categories, classes)
    rows, columns = scipy.optimize.linear_sum_assignment(table, maximize=True)
    right = int(table.max(1).sum()), int(table[rows, columns].sum())
    return 1 - right[0] / len(labels), 1 - right[1] / len(labels)


class RecognitionHead(nn.Module):
    """Q without its trunk: from D's features to what it tells of the codes.

    Parameters
    ----------
    features, hidden, outputs : int
    """

    def __init__(self, features: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, hidden)
        self.norm = nn.BatchNorm1d(hidden)
        self.activation = nn.LeakyReLU(0.1)
        self.output = nn.Linear(hidden, outputs)
        for layer in (self.linear, self.output):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.norm.weight, 1.0, 0.02)

    def forward(self, features: Tensor) -> Tensor:
        """Return (batch, outputs) for (batch, ...)."""
        hidden = self.activation(self.norm(self.linear(features.flatten(1))))
        told: Tensor = self.output(hidden)
        return told


def draw_latents(latent: LatentSpec, count: int, stream: torch.Generator) -> Tensor:
    """Return latents of shape (count, latent) from their prior, all from one stream."""
    device = stream.device
    shape = (count, latent.noise)
    if latent.distribution == "uniform":
        parts = [torch.rand(shape, generator=stream, device=device) * 2 - 1]
    else:
        parts = [torch.randn(shape, generator=stream, device=device)]
    for code in latent.codes:
        if isinstance(code, Categorical):
            drawn = torch.randint(code.classes, (count,), generator=stream, device=device)
            parts.append(F.one_hot(drawn, code.classes).float())
        else:
            size = (count, code.dimension)
            parts.append(torch.rand(size, generator=stream, device=device) * 2 - 1)
    return torch.cat(parts, 1)
