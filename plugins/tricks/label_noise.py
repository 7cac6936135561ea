"""Noisy labels for D: shifted, softened or flipped at random (Chollet, 2017; ganhacks, 2016).

How to use
    ``label_noise: on`` is Chollet's; ganhacks' soft labels are ``{real_low: -0.3,
    real_high: 0.2, fake_low: 0, fake_high: 0.3}``, its flips ``{flip: 0.05, real_low: 0,
    fake_low: 0}``.
Suggested hyperparameters
    The shifts above; ``flip`` 0.05, which the source leaves open ("occasionally").
Technical details and trade-offs
    Each of D's targets, 1 for a real image and 0 for a fake, is shifted by a number of its own
    from U(low, high), and then flipped, t to 1 - t, with the probability ``flip``. G's targets
    are left alone. Chollet labels generated images 1 and real ones 0 and adds 0.05 · U(0, 1)
    to both; the D that he trains says how surely an image is *generated*, so in terms of the
    D here, which says how surely it is *real*, a label y is the target 1 - y: both targets are
    lowered by 0.05 · U(0, 1), and those of fakes lie below 0. Cross-entropy takes that: it
    pulls a logit that is sure of a fake still further down, and never lets go. Noise on fakes'
    targets upward (soft labels, flips) holds on to fakes where there are no data, which is
    why Salimans et al. smooth real labels only (``label_smoothing``, which takes the labels as
    the noise leaves them).
Attribution
    F. Chollet, *Deep Learning with Python*, Manning 2017, section 8.5; S. Chintala et al., *How
    to Train a GAN? Tips and tricks to make GANs work*, 2016, item 6.
"""

import torch
from pydantic import model_validator
from torch import Tensor

from ganbench.plugin import Annotated, Buffers, Field, Half, Search, Trick, TrickParameters


def shift_targets(targets: Tensor, low: float, high: float, stream: torch.Generator) -> Tensor:
    """Add to each target its own number from U(low, high).

    Parameters
    ----------
    targets : Tensor, shape (batch, 1)
    low, high : float
    stream : torch.Generator
    """
    return targets + low + (high - low) * _uniform(targets, stream)


def flip_targets(targets: Tensor, probability: float, stream: torch.Generator) -> Tensor:
    """Turn each target t into 1 - t with a probability of its own draw.

    Parameters
    ----------
    targets : Tensor, shape (batch, 1)
    probability : float, in [0, 1]
    stream : torch.Generator
    """
    return torch.where(_uniform(targets, stream) < probability, 1 - targets, targets)


def _uniform(like: Tensor, stream: torch.Generator) -> Tensor:
    return torch.rand(like.shape, generator=stream, device=like.device, dtype=like.dtype)


class LabelNoise(Trick):
    """Shift each of D's targets at random, and flip some."""

    name = "label_noise"
    needs_targets = True

    class Parameters(TrickParameters):
        real_low: Annotated[float, Field(ge=-1, le=1), Search(-0.3, -0.01)] = -0.05
        """Least that is added to a real image's target, 1."""
        real_high: Annotated[float, Field(ge=-1, le=1)] = 0.0
        """Most that is added to a real image's target."""
        fake_low: Annotated[float, Field(ge=-1, le=1)] = -0.05
        """Least that is added to a fake's target, 0."""
        fake_high: Annotated[float, Field(ge=-1, le=1)] = 0.0
        """Most that is added to a fake's target."""
        flip: Annotated[float, Field(ge=0, le=0.5), Search(0.0, 0.2)] = 0.0
        """Probability that a target t becomes 1 - t."""

        @model_validator(mode="after")
        def _ordered(self) -> "LabelNoise.Parameters":
            for name in ("real", "fake"):
                low, high = getattr(self, f"{name}_low"), getattr(self, f"{name}_high")
                if low > high:
                    raise ValueError(f"{name}_low {low} is above {name}_high {high}")
            return self

    neutral = Parameters(real_low=0.0, fake_low=0.0)

    def transform_targets(self, t: Tensor, is_real: bool, role: Half, buf: Buffers) -> Tensor:
        if role != "discriminator":
            return t
        p = self.parameters
        low, high = (p.real_low, p.real_high) if is_real else (p.fake_low, p.fake_high)
        if low != 0 or high != 0:
            t = shift_targets(t, low, high, buf.generator)
        return flip_targets(t, p.flip, buf.generator) if p.flip > 0 else t
