"""The score of Salimans et al. (2016), from anybody's logits."""

import numpy as np
import torch
from torch import Tensor

from ._features import in_double

SEED = 2020
"""torch-fidelity's ``rng_seed``."""


def split_scores(logits: Tensor, splits: int) -> Tensor:
    """Return exp(E KL(p(y|x) || p(y))) of each part of the samples.

    Salimans et al., 2016, section 4. The samples are shuffled, then cut, as torch-fidelity
    does it, which gives the same parts.

    Parameters
    ----------
    logits : Tensor, shape (items, classes)
    splits : int
        At most the number of items.

    Returns
    -------
    Tensor, shape (splits,), float64
        Each from 1 to the number of classes.
    """
    count = len(logits)
    order = torch.from_numpy(np.random.RandomState(SEED).permutation(count))
    logs = in_double(logits)[order.to(logits.device)].log_softmax(dim=1)
    scores = []
    for index in range(splits):
        part = logs[index * count // splits : (index + 1) * count // splits]
        marginal = part.exp().mean(dim=0).log()
        # Where a probability is 0 in float64, so is its part of the sum.
        divergence = torch.where(part.exp() > 0, part.exp() * (part - marginal), 0).sum(dim=1)
        scores.append(divergence.mean().exp())
    return torch.stack(scores)
