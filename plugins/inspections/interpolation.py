"""Walks from one latent to another: whether there is something between two samples.

How to use: on by default; ``inspections: [interpolation]`` draws it alone.

Parameters: ``walks``, how many pairs of latents, and ``steps``, how many images a walk has.

Technical details and trade-offs: the latents are the first of every evaluation, two to a walk,
so that the arms of a seed walk between the same. Each walk is taken twice, along the straight
line (lerp) and along the great arc (slerp). A Gaussian latent of many dimensions is nearly
always as long as the root of their number; the straight line passes nearer to the origin, where
G was hardly ever trained: half-way its latents are about 0.71 times as long. The great arc stays
in the shell. A uniform latent fills a cube, and the straight line stays within it, so that line
comes first there. Continuous codes go along the straight line; a category stays that of the
start, since a mixture of two was never trained. With several pairs of networks all their latents
walk at once.

Attribution: Radford, Metz and Chintala, 2016, section 6.1 (straight lines); White, 2016,
*Sampling Generative Networks*, section 2 (great arcs).
"""

from collections.abc import Mapping

import torch

from ganbench.plugin import (
    Annotated,
    Field,
    Inspection,
    InspectionContext,
    InspectionParameters,
    Picture,
)

from ._latents import images_of, walk


class Interpolation(Inspection):
    """Walks between latents, along straight lines and along great arcs."""

    name = "interpolation"
    title = "Walks between latents"
    order = 10
    note = (
        "Each walk leads in equal steps from one latent on the left to another on the right, once "
        "along the straight line (lerp) and once along the great arc (slerp). In a generator that "
        "has learned the data, the images change little by little, and every one on the way could "
        "be one of the data. A generator that has learned images by heart jumps from one to the "
        "next instead. Faint or muddled images in the middle of a straight line, but not of the "
        "arc, tell of the Gaussian prior and not of the generator: the line leaves the shell in "
        "which all latents lie."
    )

    class Parameters(InspectionParameters):
        """Parameters of `Interpolation`."""

        walks: Annotated[int, Field(ge=1, le=8)] = 4
        """Pairs of latents."""
        steps: Annotated[int, Field(ge=3, le=17)] = 9
        """Images of a walk, both ends among them."""

    def draw(self, ctx: InspectionContext) -> Mapping[str, Picture]:
        count, steps = self.parameters.walks, self.parameters.steps
        shares = torch.linspace(0, 1, steps)
        drawn = ctx.sampler.latents(2 * count)
        uniform = all(latent.distribution == "uniform" for latent in ctx.latents.values())
        kinds = ("lerp", "slerp") if uniform else ("slerp", "lerp")
        rows, middles = [], []
        for kind in kinds:
            ways = {
                pair: walk(z[::2], z[1::2], shares.to(z), ctx.latents[pair], kind)
                for pair, z in drawn.items()
            }
            flat = {pair: way.flatten(0, 1) for pair, way in ways.items()}
            made = images_of(ctx.sampler, flat)
            rows.append(made.reshape(count, steps, *made.shape[1:]))
            middles.append(f"{_middle(ways, ctx):.2f} along the {_NAMES[kind]}")
        coded = any(latent.codes for latent in ctx.latents.values())
        what = "the latents' noise, without codes," if coded else "the latents"
        caption = (
            f"Length of {what} half-way, as a share of that at the ends: {', '.join(middles)} "
            "(means over the walks)."
        )
        labels = tuple(f"{index + 1} {kind}" for index in range(count) for kind in kinds)
        images = torch.stack(rows, 1).flatten(0, 1)
        return {"walks": Picture(images, caption, row_labels=labels)}


_NAMES = {"lerp": "line", "slerp": "arc"}


def _middle(ways: Mapping[str, torch.Tensor], ctx: InspectionContext) -> float:
    """Return how long the noise is half-way, relative to its ends."""
    found = []
    for pair, way in ways.items():
        length = way[:, :, : ctx.latents[pair].noise].norm(dim=2)
        # An even number of steps has two in the middle.
        steps = length.shape[1]
        middle = length[:, (steps - 1) // 2 : steps // 2 + 1].mean(1)
        found.append((middle / length[:, [0, -1]].mean(1)).mean())
    return float(torch.stack(found).mean())
