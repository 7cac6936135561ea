"""Arithmetic on latents: whether a direction in latent space means a class.

How to use: on by default where the study's data have classes.

Parameters: ``samples``, out of how many latents the classes are gathered.

Technical details and trade-offs: the study's classifier labels the samples of the first latents of
every evaluation. Of every second one of them, the latents whose samples it takes for class A are
averaged to mean A; likewise B. Then, for latents *a* of class A among the others, which are in no
mean, G is given ``a − mean A + mean B``. If what makes an A or a B is a direction, and the rest
(slant, stroke, colour) lies along others, the result is a B in a's manner. The caption counts how
often it is a B to the classifier, and what part of all samples is one anyway. The paper averaged
three latents of a concept, chosen by eye, and added and subtracted the averages; here classes stand
for concepts, since they can be checked, and *a* is a single latent, so that what is kept can be
seen. Categories of a code are brought back to one, and uniform noise into its cube. Classes are
taken in pairs, in their order: 0 and 1, 2 and 3. Left out where fewer than two classes have latents
enough, which is a collapse in itself.

Attribution: Radford, Metz and Chintala, 2016, section 6.3.2.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganbench.plugin import (
    Annotated,
    Data,
    Field,
    Inspection,
    InspectionContext,
    InspectionParameters,
    NothingToShowError,
    Picture,
    can_classify,
)

from ._latents import as_drawn, images_of

SHOWN = 3
"""Latents of class A that are shown, and the fewest that there must be."""
PAIRS = 5
"""Pairs of classes at most."""

Latents = dict[str, Tensor]


class Arithmetic(Inspection):
    """Latents of one class moved by the difference of two classes' means."""

    name = "arithmetic"
    title = "Arithmetic on latents"
    order = 20
    note = (
        "Ā and B̄ are what G makes of the mean latent of class A, and of class B. Each *a* is a "
        "sample of A, and the image to the right of it is made of *a* − Ā + B̄. If G keeps what "
        "makes a class apart from everything else, that is a B in the manner of *a*: with its "
        "slant, its weight, its colours. A generator in whose latent space the classes lie "
        "scattered gives anything at all. What is an A or a B, the study's classifier says."
    )

    class Parameters(InspectionParameters):
        """Parameters of `Arithmetic`."""

        samples: Annotated[int, Field(ge=100, le=20_000)] = 1000
        """Latents out of which those of each class are gathered."""

    def applies(self, data: Data) -> tuple[bool, str]:
        return can_classify(data)

    def draw(self, ctx: InspectionContext) -> Mapping[str, Picture]:
        count, classes = self.parameters.samples, ctx.data.classes
        drawn = dict(ctx.sampler.latents(count))
        labels = _labels(ctx, drawn)
        means, held = {}, {}
        for label in range(len(classes)):
            own = (labels == label).nonzero().flatten().to(next(iter(drawn.values())).device)
            averaged, kept = own[own % 2 == 0], own[own % 2 == 1]
            if min(len(averaged), len(kept)) >= SHOWN:
                means[label] = {pair: z[averaged].mean(0) for pair, z in drawn.items()}
                held[label] = kept
        found = sorted(means)
        pairs = list(zip(found[::2], found[1::2], strict=False))[:PAIRS]
        if not pairs:
            raise NothingToShowError(
                f"of {count} samples, fewer than two classes have {2 * SHOWN} or more"
            )
        rows, hits, tried, anyway = [], 0, 0, 0.0
        for first, last in pairs:
            moved = {
                pair: as_drawn(
                    z[held[first]] - means[first][pair] + means[last][pair], ctx.latents[pair]
                )
                for pair, z in drawn.items()
            }
            hits += int((_labels(ctx, moved) == last).sum())
            tried += len(held[first])
            anyway += len(held[first]) * float((labels == last).float().mean())
            shown = [
                *({pair: z[None] for pair, z in means[each].items()} for each in (first, last)),
                *(
                    {pair: part[index : index + 1] for pair, part in source.items()}
                    for index in range(SHOWN)
                    for source in ({p: z[held[first]] for p, z in drawn.items()}, moved)
                ),
            ]
            joined = {
                pair: as_drawn(torch.cat([each[pair] for each in shown]), ctx.latents[pair])
                for pair in drawn
            }
            rows.append(images_of(ctx.sampler, joined))
        caption = (
            f"Of {tried} latents of a class A that were moved, {hits / tried:.0%} became class B; "
            f"of latents that nobody moved, {anyway / tried:.0%} are."
        )
        picture = Picture(
            torch.stack(rows),
            caption,
            row_labels=tuple(f"{classes[a]} → {classes[b]}" for a, b in pairs),
            column_labels=("Ā", "B̄", *("a", "→ B") * SHOWN),
        )
        return {"moved": picture}


def _labels(ctx: InspectionContext, latents: Latents) -> Tensor:
    labels = ctx.classify(images_of(ctx.sampler, latents))
    if labels is None:
        raise NothingToShowError("there is no classifier of these data")
    return labels
