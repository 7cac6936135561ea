"""One-sided label smoothing (Salimans et al., 2016, section 3.4).

How to use
    ``label_smoothing: {real: 0.9}``.
Suggested hyperparameters
    ``real`` 0.9, as in the paper.
Technical details and trade-offs
    D's target for real images is lowered, so its optimal logit is bounded and it stops
    pushing confident examples further. The target of fakes stays at 0: with a positive one
    the optimal D would hold on to fakes where there are no data. G's loss is unchanged.
    ``label_noise`` comes first, whatever it flips: a real image that it labels as a fake has
    the target 0 and keeps it. The other way round it would have 0.1, a positive target where
    D is to say no, which one-sided smoothing is there to avoid.
Attribution
    T. Salimans et al., *Improved Techniques for Training GANs*, NeurIPS 2016, section 3.4.
"""

from torch import Tensor

from ganbench.plugin import Annotated, Buffers, Field, Role, Search, Trick, TrickParameters


def smooth_real_targets(targets: Tensor, real: float) -> Tensor:
    """Scale the targets of real images from 1 to ``real``.

    Parameters
    ----------
    targets : Tensor, shape (batch, 1), in [0, 1]
    real : float, in (0.5, 1]
    """
    return targets * real


class LabelSmoothing(Trick):
    """Train the discriminator towards ``real`` instead of 1; fakes stay at 0."""

    name = "label_smoothing"
    needs_targets = True
    after = ("label_noise",)

    class Parameters(TrickParameters):
        real: Annotated[float, Field(gt=0.5, le=1), Search(0.7, 1.0)] = 0.9
        """D's target for real images."""

    neutral = Parameters(real=1.0)

    def transform_targets(self, targets: Tensor, is_real: bool, role: Role, buf: Buffers) -> Tensor:
        if role == "discriminator" and is_real:
            return smooth_real_targets(targets, self.parameters.real)
        return targets
