"""Experience replay: part of D's fakes are old ones (Pfau and Vinyals, 2016).

How to use
    ``experience_replay: on``, or ``{share: 0.25, capacity: 1024}``.
Suggested hyperparameters
    ``share`` 0.5, as Shrivastava et al. have it; ``capacity`` several batches.
Technical details and trade-offs
    D is trained on fakes of G as it is and as it was, so that G cannot win by going back to
    what D has forgotten. A share of each batch of fakes in D's half is taken from a buffer
    that holds at most ``capacity``; then as many of the batch's new fakes go into it: into
    free places first, and then into random ones; no more than it has places. Before there
    is any old fake, D sees the new ones. G is trained against D as always. An image that is
    once in the buffer may stay for long, and D then learns to reject what G no longer makes.
    The buffer holds G's own output, before any augmentation, which each reuse then draws
    anew. With ``packing``, packs of old fakes mix steps, so that they are more varied than
    G is, which works against packing.
    Not for a conditional pair, whose old fakes belong to old conditions.
Attribution
    D. Pfau, O. Vinyals, *Connecting Generative Adversarial Networks and Actor-Critic
    Methods*, 2016, section 3; S. Chintala et al., *How to Train a GAN?*, 2016, item 8; the
    share and the rule of replacement: A. Shrivastava et al., *Learning from Simulated and
    Unsupervised Images through Adversarial Training*, CVPR 2017, section 2.3.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganbench.plugin import (
    Annotated,
    Buffers,
    BuildContext,
    Field,
    Search,
    Stage,
    Trick,
    TrickParameters,
)

from ._networks import is_conditional


def with_old_fakes(
    fakes: Tensor, old: Tensor, stored: Tensor, count: int, stream: torch.Generator
) -> Tensor:
    """Replace the last ``count`` fakes of a batch by random ones from a buffer.

    Parameters
    ----------
    fakes : Tensor, shape (batch, *shape)
    old : Tensor, shape (capacity, *shape)
        The buffer, filled from its start.
    stored : Tensor, 0-d, int64
        How many fakes it holds; as long as it holds none, nothing is replaced.
    count : int, at most batch
    stream : torch.Generator
    """
    kept, replaced = fakes[: len(fakes) - count], fakes[len(fakes) - count :]
    draws = torch.rand(count, generator=stream, device=fakes.device)
    places = (draws * stored).long().clamp(max=len(old) - 1)
    chosen = torch.where(stored > 0, old[places].to(fakes.dtype), replaced)
    return torch.cat([kept, chosen])


def store(new: Tensor, old: Tensor, stored: Tensor, stream: torch.Generator) -> None:
    """Put new fakes into free places of a buffer, or else into random ones, in place.

    Parameters
    ----------
    new : Tensor, shape (count, *shape)
        At most as many as the buffer holds. The last that find a place free may wrap round
        to the oldest.
    old : Tensor, shape (capacity, *shape)
    stored : Tensor, 0-d, int64
    stream : torch.Generator
    """
    capacity, count = len(old), len(new)
    free = (stored + torch.arange(count, device=old.device)) % capacity
    # Places that differ from one another: written twice, the winner would be undefined.
    order = torch.rand(capacity, generator=stream, device=old.device).argsort()
    old[torch.where(stored < capacity, free, order[:count])] = new.to(old.dtype)
    stored.add_(count).clamp_(max=capacity)


class ExperienceReplay(Trick):
    """Show D old fakes among the new ones."""

    name = "experience_replay"
    stage = Stage.FIRST

    class Parameters(TrickParameters):
        share: Annotated[float, Field(ge=0, le=1), Search(0.1, 0.9)] = 0.5
        """Share of D's fakes that are old; also how much of the buffer's input a batch is."""
        capacity: Annotated[int, Field(ge=1, le=100_000), Search(128, 8192, log=True)] = 512
        """Fakes in the buffer."""

    neutral = Parameters(share=0.0)

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        share: float = self.parameters.share
        if share == 0:
            return False, ""
        if is_conditional(ctx):
            return True, "old fakes belong to other conditions than the batch's"
        batch, count = ctx.spec.batch_size, self._count(ctx.spec.batch_size)
        if count == 0:
            return True, f"a share of {share} of a batch of {batch} is less than one image"
        return False, ""

    def make_buffers(self, ctx: BuildContext) -> Mapping[str, Tensor]:
        if self.parameters.share == 0:
            return {}
        return {
            "fakes": torch.zeros(self.parameters.capacity, *ctx.spec.shape, device=ctx.device),
            "stored": torch.zeros((), dtype=torch.int64, device=ctx.device),
        }

    def transform_images(self, x: Tensor, is_real: bool, buf: Buffers) -> Tensor:
        if self.parameters.share == 0 or is_real or buf.half != "discriminator" or buf.extra:
            return x
        count = self._count(len(x))
        shown = with_old_fakes(x, buf["fakes"], buf["stored"], count, buf.generator)
        new = x[: min(count, len(buf["fakes"]))]
        store(new.detach(), buf["fakes"], buf["stored"], buf.generator)
        return shown

    def _count(self, batch: int) -> int:
        share: float = self.parameters.share
        return round(share * batch)
