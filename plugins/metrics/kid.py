"""Kernel distance between samples and data, in the features of the study's extractor.

How to use: ``metrics: [fid, kid]``; ``extractor`` says in which features. For a few samples,
where FID's bias is large.

Parameters: ``subsets`` and ``subset_size``, as torch-fidelity's ``kid_subsets`` and
``kid_subset_size``, with its defaults, 100 of 1,000.

Details and trade-offs: the squared maximum mean discrepancy under the kernel
(x·y / width + 1)³, its unbiased estimate averaged over random subsets, of the samples and of
as many data items; the same value as torch-fidelity's, which draws the same subsets. Unbiased:
its expectation is the same at any number of samples, and of a perfect generator it is 0, so
that it also comes out below 0. Verdicts compare logarithms, so it cannot be a study's primary
figure. ``kid_std`` is the spread of the subsets: it shrinks as they grow, and says nothing of
another set of samples, which shares less. Cost: kernels of all pairs; at 2,000 samples a
fraction of a second, at 10,000 with 2,048 features more than half a minute on a core.

Attribution: Bińkowski et al., 2018, section 4 (the kernel: section 4, "KID"); the unbiased
estimate is equation 3 of Gretton et al., 2012, with all pairs of a sample and a data item.
"""

import numpy as np
import torch
from torch import Tensor

from ganbench.plugin import Annotated, Field, Metric, MetricContext, MetricParameters

from ._features import blocks, in_double

SEED = 2020
"""torch-fidelity's ``rng_seed``."""


def subset_distances(samples: Tensor, data: Tensor, subsets: int, size: int) -> Tensor:
    """Return the unbiased squared MMD of each of a number of random subsets.

    The kernels of all pairs are computed once, by blocks of rows, and summed over each subset.

    Parameters
    ----------
    samples, data : Tensor, shapes (n, width) and (m, width)
    subsets : int
    size : int
        Items of a subset of either: 2 to the smaller of n and m.

    Returns
    -------
    Tensor, shape (subsets,), float64
    """
    first, second = in_double(samples), in_double(data)
    draws = np.random.RandomState(SEED)
    mine, theirs = (torch.zeros(len(x), subsets).to(x) for x in (first, second))
    for index in range(subsets):
        for member in (mine, theirs):
            chosen = draws.choice(len(member), size, replace=False)
            member[torch.from_numpy(chosen).to(member.device), index] = 1
    alike = sum(
        _kernel_sums(x, x, member, member) - member.T @ _kernel(x.square().sum(dim=1), x.shape[1])
        for x, member in ((first, mine), (second, theirs))
    )
    across = _kernel_sums(first, second, mine, theirs)
    return alike / (size * (size - 1)) - 2 * across / size**2


def _kernel(products: Tensor, width: int) -> Tensor:
    return (products / width + 1) ** 3


def _kernel_sums(first: Tensor, second: Tensor, mine: Tensor, theirs: Tensor) -> Tensor:
    sums = torch.zeros(mine.shape[1]).to(mine)
    for rows in blocks(len(first), len(second)):
        kernel = _kernel(first[rows] @ second.T, first.shape[1])
        sums += (mine[rows] * (kernel @ theirs)).sum(dim=0)
    return sums


class KernelInceptionDistance(Metric):
    """Unbiased squared MMD with a cubic kernel; lower is better, 0 or a little below is best."""

    name = "kid"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "kid": "kernel distance (unbiased squared MMD, cubic kernel) between the features of "
        "samples and data, the mean over random subsets; lower is better, and a perfect "
        "generator's scatters around 0, so below 0 too; depends on the extractor",
        "kid_std": "standard deviation of kid over the subsets, which depends on their size; not "
        "over seeds",
    }

    class Parameters(MetricParameters):
        """Parameters of `KernelInceptionDistance`."""

        subsets: Annotated[int, Field(ge=2, le=1000)] = 100
        """Subsets that are averaged over."""
        subset_size: Annotated[int, Field(ge=2)] = 1000
        """Samples, and data items, of a subset; half of them where there are fewer than that."""

    def least_samples(self, width: int) -> int:
        """Need two items in each half."""
        return 4

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return mean and standard deviation over the subsets."""
        data = ctx.reference_features()
        fewest, size = min(len(ctx.features), len(data)), self.parameters.subset_size
        size = size if size <= fewest else fewest // 2
        found = subset_distances(ctx.features, data, self.parameters.subsets, size)
        return {"kid": float(found.mean()), "kid_std": float(found.std(correction=0))}
