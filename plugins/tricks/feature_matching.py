"""Feature matching (Salimans et al., 2016, section 3.1).

How to use
    ``feature_matching: on``, or ``{layer: down1, weight: 0.5}``.
Suggested hyperparameters
    ``weight`` 1, D's last block.
Technical details and trade-offs
    G no longer tries to be taken for real: it makes the mean of an intermediate feature map
    of D over its fakes equal that over real images, in squared distance. That asks for
    matching statistics and not for convincing samples; the paper found it better for
    semi-supervised learning, and left it out of its model with the best samples. With
    ``weight`` below 1 the two losses are mixed. The squared norm is summed over features,
    as in the paper, so its size depends on the layer.
Attribution
    T. Salimans et al., *Improved Techniques for Training GANs*, NeurIPS 2016, section 3.1.
"""

from torch import Tensor

from ganbench.plugin import (
    Annotated,
    Buffers,
    BuildContext,
    Discriminator,
    Field,
    GeneratorStep,
    Search,
    Trick,
    TrickParameters,
)


def feature_distance(real: Tensor, fake: Tensor) -> Tensor:
    """Return the squared distance between mean features, 0-d.

    Parameters
    ----------
    real, fake : Tensor, shape (batch, ...)
    """
    return (real.mean(0) - fake.mean(0)).square().sum()


class FeatureMatching(Trick):
    """Train G to match the mean of D's features instead of D's verdict."""

    name = "feature_matching"

    class Parameters(TrickParameters):
        weight: Annotated[float, Field(ge=0, le=1), Search(0.1, 1.0)] = 1.0
        """Share of feature matching in G's loss; the rest is the objective's."""
        layer: str | None = None
        """Name of D's block whose output is matched; the last one if not given."""

    neutral = Parameters(weight=0.0)

    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        net = ctx.discriminator
        if not isinstance(net, Discriminator):
            return True, f"the discriminator of {ctx.architecture} does not show its features"
        blocks = [name for name, _ in net.blocks.named_children()]
        layer = self.parameters.layer
        if layer is not None and layer not in blocks:
            return True, f"D has no block {layer!r}; its blocks are {', '.join(blocks)}"
        return False, ""

    def generator_objective(self, step: GeneratorStep, buf: Buffers) -> Tensor:
        weight: float = self.parameters.weight
        if weight == 0:
            return step.adversarial_loss()
        _, real = step.discriminate(step.real, True)
        _, fake = step.discriminate(step.fake, False)
        layer = self.parameters.layer or list(fake)[-1]
        matching = feature_distance(real[layer].detach(), fake[layer])
        if weight == 1:
            return matching
        return weight * matching + (1 - weight) * step.adversarial_loss()
