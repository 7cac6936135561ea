"""Update ratio: several updates of D for each of G, or the reverse (Goodfellow et al., 2014).

How to use
    ``update_ratio: on``, which is five updates of D for each of G, or
    ``{discriminator: 1, generator: 2}``.
Suggested hyperparameters
    ``discriminator`` 1 (Goodfellow et al.), 5 with ``objective: wasserstein`` (Arjovsky et
    al.). ``generator`` 2 is what PacGAN's and many other DCGAN codes do, to keep D from
    winning.
Technical details and trade-offs
    A step is then k updates of D and after them m of G. Every update has real images and
    latents of its own; the first of each half has those that it has without the trick. A
    step of a trial means more work, and D sees more images: the report's costs and its
    curves over wall time belong to the comparison. DCGAN codes that update G twice give the
    second update the first one's latents.
    Both halves' optimizers count their own updates, so a learning rate that decays does so
    sooner in the half that is updated more often.
Attribution
    I. Goodfellow et al., *Generative Adversarial Nets*, NeurIPS 2014, algorithm 1 (k);
    M. Arjovsky, S. Chintala, L. Bottou, *Wasserstein Generative Adversarial Networks*, ICML
    2017, algorithm 1 (n_critic); Z. Lin et al., *PacGAN*, NeurIPS 2018, in the code.
"""

from collections.abc import Sequence

from ganbench.plugin import (
    Annotated,
    Buffers,
    Field,
    Half,
    Search,
    Trick,
    TrickParameters,
)


def repeat_updates(updates: Sequence[Half], discriminator: int, generator: int) -> tuple[Half, ...]:
    """Put each update of D, and each of G, several times in a row.

    Parameters
    ----------
    updates : sequence of {"discriminator", "generator"}
    discriminator, generator : int
        How many times.
    """
    times = {"discriminator": discriminator, "generator": generator}
    return tuple(half for half in updates for _ in range(times[half]))


class UpdateRatio(Trick):
    """Update D, or G, several times a step."""

    name = "update_ratio"

    class Parameters(TrickParameters):
        discriminator: Annotated[int, Field(ge=1, le=100), Search(1, 5)] = 5
        """Updates of D in a step."""
        generator: Annotated[int, Field(ge=1, le=100), Search(1, 5)] = 1
        """Updates of G in a step, after those of D."""

    neutral = Parameters(discriminator=1, generator=1)

    def plan_updates(self, step: int, updates: Sequence[Half], buf: Buffers) -> Sequence[Half]:
        return repeat_updates(updates, self.parameters.discriminator, self.parameters.generator)
