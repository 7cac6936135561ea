"""The base class of tricks: the hot plane of hooks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.optim import Optimizer

from ganbench.plugin.latent import LatentSpec
from ganbench.plugin.objective import Objective
from ganbench.plugin.parameters import Parameters
from ganbench.plugin.picture import Picture, Sampler
from ganbench.plugin.spec import Buffers, BuildContext, Half, Role, TrainingSpec
from ganbench.plugin.step import DiscriminatorStep, GeneratorStep, Judge


class TrickParameters(Parameters):
    """Base of a trick's parameters."""


class Stage(IntEnum):
    """Where a trick stands in a chain, unless ``before`` or ``after`` say more."""

    FIRST = 0
    NORMAL = 50
    LAST = 100


@dataclass(frozen=True)
class TrickModule:
    """A module that a trick brings, and the optimizer role that trains it.

    Attributes
    ----------
    module : Module
    role : str or None
        ``"generator"`` or ``"discriminator"`` for that network's optimizer; a name of the
        trick's own, its name or one that begins with the name and a dot, for an optimizer:
        ``spec.optimizers[role]`` if ``configure`` put one there, or else one like the
        half's. With None nothing trains it; it is saved and restored all the same.
    half : {"generator", "discriminator"} or None
        Of a role of its own: along whose loss, and after whose forward passes.
    """

    module: nn.Module
    role: Role | None
    half: Half | None = None


class Trick:
    """One trick. Override the hooks that it needs; those left alone cost nothing.

    A trick is constructed once a trial with its validated ``parameters``. State that must
    survive a restart lives in buffers and modules, or goes through ``state_dict``. Step
    hooks take and return tensors of static shape and do not look at values: no ``.item()``,
    no Python branch on data. Branching on ``self.parameters`` is fine.
    """

    name: ClassVar[str]
    """The name in study files: lower case with underscores."""

    Parameters: ClassVar[type[TrickParameters]] = TrickParameters
    neutral: ClassVar[TrickParameters]
    """Parameters at which the trick is the identity, bit for bit."""

    stage: ClassVar[Stage] = Stage.NORMAL
    before: ClassVar[tuple[str, ...]] = ()
    after: ClassVar[tuple[str, ...]] = ()
    """Tricks that must come after, or before, this one in every chain."""

    conflicts: ClassVar[Mapping[str, str]] = {}
    """Tricks that cannot be on together with this one, each with the reason."""
    requires: ClassVar[Mapping[str, str]] = {}
    """Tricks that must be on for this one to make sense, each with the reason."""

    needs_targets: ClassVar[bool] = False
    """The trick changes targets in [0, 1]; n/a under an objective that has none."""
    capturable: ClassVar[bool] = True
    """The step can be captured as a graph; if not, a trial that is to be compiled runs eagerly."""

    figures: ClassVar[Mapping[str, str]] = {}
    """What each figure of ``on_evaluate`` means, with its unit and range."""

    def __init__(self, parameters: TrickParameters) -> None:
        self.parameters: Any = parameters

    # -- applicability -----------------------------------------------------------------
    def skip(self, ctx: BuildContext) -> tuple[bool, str]:
        """Say whether the trick does not apply to this trial, and why.

        Called before the trick's own ``transform_*``, with the networks as the tricks before
        it left them.
        """
        return False, ""

    # -- build -------------------------------------------------------------------------
    def configure(self, spec: TrainingSpec) -> TrainingSpec:
        """Change the trial's specification before anything is built. Chained."""
        return spec

    def transform_generator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        """Return the generator, changed in place or replaced. Chained."""
        return net

    def transform_discriminator(self, net: nn.Module, ctx: BuildContext) -> nn.Module:
        """Return the discriminator, changed in place or replaced. Chained."""
        return net

    def make_objective(self, ctx: BuildContext) -> Objective:
        """Replace the objective. At most one trick of a trial may."""
        raise NotImplementedError

    def make_optimizer(
        self, role: Role, params: Sequence[Tensor], ctx: BuildContext
    ) -> Optimizer | None:
        """Replace the optimizer of a role, or None to leave it. At most one trick may."""
        raise NotImplementedError

    def make_latent(self, ctx: BuildContext) -> LatentSpec:
        """Replace the latent prior. At most one trick of a trial may."""
        raise NotImplementedError

    def make_modules(self, ctx: BuildContext) -> Mapping[str, TrickModule]:
        """Bring modules of the trick's own; found again in ``buf.modules``."""
        return {}

    def make_buffers(self, ctx: BuildContext) -> Mapping[str, Tensor]:
        """Declare the tensors that the step hooks read, such as a schedule's 0-d value."""
        return {}

    # -- step --------------------------------------------------------------------------
    def transform_latent(self, z: Tensor, buf: Buffers) -> Tensor:
        """Change the latents, shape (batch, latent). Chained."""
        return z

    def transform_images(self, x: Tensor, is_real: bool, buf: Buffers) -> Tensor:
        """Augment real and fake images, shape (batch, *shape), in [-1, 1]. Chained.

        Not in place: other hooks, and other pairs, see the same images.
        """
        return x

    def transform_discriminator_input(self, x: Tensor, is_real: bool, buf: Buffers) -> Tensor:
        """Change what D sees, in D's and in G's half of the step. Chained, after images."""
        return x

    def transform_targets(self, t: Tensor, is_real: bool, role: Half, buf: Buffers) -> Tensor:
        """Change the targets, shape (batch, 1), in [0, 1]. Chained.

        ``role`` says whose loss they enter. ``is_real`` says which images they belong to:
        in the generator's half that is always False.
        """
        return t

    def judge_batches(
        self, judge: Judge, real: Tensor, fake: Tensor, buf: Buffers
    ) -> tuple[Tensor, Tensor]:
        """Return D's logits of the real and of the fake inputs, in D's half.

        The default asks ``judge`` for the one and then for the other, each a batch of its
        own. At most one trick of a trial may.
        """
        raise NotImplementedError

    def discriminator_penalty(self, step: DiscriminatorStep, buf: Buffers) -> Tensor:
        """Add a term, 0-d, to D's loss. Summed."""
        raise NotImplementedError

    def generator_penalty(self, step: GeneratorStep, buf: Buffers) -> Tensor:
        """Add a term, 0-d, to G's loss. Summed."""
        raise NotImplementedError

    def generator_objective(self, step: GeneratorStep, buf: Buffers) -> Tensor:
        """Replace G's loss, 0-d. At most one trick of a trial may."""
        raise NotImplementedError

    def transform_gradients(
        self, role: Role, grads: Sequence[Tensor], buf: Buffers
    ) -> Sequence[Tensor]:
        """Change a role's gradients, in the order of its parameters. Chained."""
        return grads

    def gate_update(self, half: Half, loss: Tensor, buf: Buffers) -> Tensor:
        """Say, as a 0-d bool tensor, whether an update may take effect.

        ``loss`` is the half's without tricks' penalties, 0-d. An update that any trick denies
        is undone on the device: weights, and the state of Adam, AdamW, SGD or RMSprop (with
        another optimizer the trial is n/a). What a forward pass has moved stays moved, such as
        BatchNorm's statistics; a learning rate that decays goes on decaying; and
        ``after_optimizer_step`` is called all the same.
        """
        raise NotImplementedError

    def after_optimizer_step(self, role: Role, params: Sequence[Tensor], buf: Buffers) -> None:
        """Act on a role's parameters after its step, in place, without gradients."""

    # -- host --------------------------------------------------------------------------
    def plan_updates(self, step: int, updates: Sequence[Half], buf: Buffers) -> Sequence[Half]:
        """Return what is updated in step ``step``, in order. Chained.

        It begins as ``("discriminator", "generator")``. The first update of a half gets the
        images and latents that it has in every arm; each further one gets others of its own.
        """
        return updates

    def before_step(self, step: int, buf: Buffers) -> None:
        """Fill buffers before step ``step`` (counted from 0), without reading any back."""

    def on_evaluate(self, ctx: BuildContext, buf: Buffers) -> Mapping[str, float]:
        """Report figures of the trick's own at each evaluation; they enter the ledger.

        Called without gradients, the networks in sampling mode; ``buf.generator`` stands at
        the same place each time.
        """
        return {}

    def sampling_generator(self, ctx: BuildContext, buf: Buffers) -> nn.Module:
        """Return the generator to sample from. At most one trick of a trial may.

        Both are scored: this one, and the generator as it was trained.
        """
        raise NotImplementedError

    def draw_pictures(
        self, ctx: BuildContext, sampler: Sampler, buf: Buffers
    ) -> Mapping[str, Picture]:
        """Return pictures for the report, by a name with lower-case letters, digits and -.

        Called once, at the end of a trial.
        """
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Return state beyond buffers and modules: tensors and plain Python values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state_dict`` gave."""
