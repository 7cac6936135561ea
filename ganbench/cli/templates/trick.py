"""One sentence: what changes (Author et al., year, section).

How to use
    ``my_trick: on``, or ``{share: 0.1}``.
Suggested hyperparameters
    ``share`` 0.2. Say where the number comes from.
Technical details and trade-offs
    What it does to the step, why that may help, and what it costs. As it stands: D sees every
    image, real and fake alike, with a random share of its values set to 0.
Attribution
    A. Author, B. Author, *Title*, venue and year, section or equation.
"""

import torch
from torch import Tensor

from ganbench.plugin import Annotated, Buffers, Field, Search, Trick, TrickParameters


def hide_values(x: Tensor, share: float, stream: torch.Generator) -> Tensor:
    """Set a random share of the values to 0.

    Parameters
    ----------
    x : Tensor, shape (batch, *shape)
    share : float, in [0, 1)
    stream : torch.Generator
        Where the draws come from: a trick draws from its own stream and from no other.
    """
    draws = torch.rand(x.shape, generator=stream, device=x.device)
    return torch.where(draws < share, torch.zeros_like(x), x)


class MyTrick(Trick):
    """One line, as `ganbench plugins` shows it."""

    name = "my_trick"

    class Parameters(TrickParameters):
        """One declaration: type, range, the range worth searching, default, meaning."""

        share: Annotated[float, Field(ge=0, lt=1), Search(0.05, 0.5)] = 0.2
        """Share of the values that D does not see."""

    neutral = Parameters(share=0.0)
    """The setting at which the trick changes nothing, bit for bit."""

    # Keep the hooks that you need. The most used ones:
    #   transform_images(x, is_real, buf)               augment what D sees, real and fake
    #   transform_discriminator_input(x, is_real, buf)  the same, after all augmentation
    #   transform_targets(t, is_real, role, buf)        labels (then set needs_targets = True)
    #   discriminator_penalty(step, buf)                a term of D's loss
    #   generator_penalty(step, buf)                    a term of G's loss
    #   transform_generator(net, ctx)                   another layer, or a wrapped network
    #   make_buffers(ctx), before_step(step, buf)       a schedule, or other state
    #   skip(ctx)                                       where the trick makes no sense, and why
    # All of them, with what they are given: docs/plugin-api.md, or `help(Trick)` in Python.
    def transform_discriminator_input(self, x: Tensor, is_real: bool, buf: Buffers) -> Tensor:
        """Hide values."""
        return hide_values(x, self.parameters.share, buf.generator)
