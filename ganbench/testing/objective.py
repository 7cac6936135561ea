"""The contract of an objective."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganbench.config.model import Component
from ganbench.plugin import Objective
from ganbench.testing.bitwise import repeats_exactly
from ganbench.testing.case import PluginCase
from ganbench.testing.result import Check, ContractError, hold
from ganbench.testing.shared_checks import is_described, ranges_are_valid, trains
from ganbench.testing.tiny import BATCH, STEPS, small_sizes, tiny_config, tiny_data
from ganbench.training import Trial


class ObjectiveCase(PluginCase):
    """An objective, and the tiny trial around it."""

    objective: ClassVar[type[Objective]]
    """The class under test."""
    parameters: ClassVar[Mapping[str, Any]] = {}
    """Its parameters."""
    plugins: ClassVar[Sequence[type[Any]]] = ()
    """Other plugin classes that are not installed."""
    architecture: ClassVar[str] = "dcgan-upsample"
    shape: ClassVar[tuple[int, ...]] = (1, 8, 8)

    @property
    def cls(self) -> type[Any]:
        """The class under test."""
        return self.objective

    def make(self, parameters: Mapping[str, Any] | None, seed: int = 3) -> Trial:
        """Build a tiny trial with the objective."""
        host = self.make_host()
        sizes = small_sizes(host.find("architecture", self.architecture).cls.Parameters)
        config = tiny_config({}, self.architecture, sizes).model_copy(
            update={
                "objective": Component(
                    name=self.objective.name, parameters=dict(parameters or self.parameters)
                )
            }
        )
        return Trial(config, seed, tiny_data(self.shape), host, torch.device("cpu"))

    def plugin_in(self, trial: Trial) -> object:
        """Return the objective's instance in a trial."""
        return trial.objective

    def losses(self, real: Tensor, fake: Tensor, changed: float = 0.0) -> tuple[Tensor, Tensor]:
        """Return D's and G's loss for logits, all targets moved inwards by ``changed``."""
        made: Objective = self.make_host().create("objective", self.objective.name, self.parameters)
        ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
        aim = torch.full_like(fake, made.generator_target)
        inwards = aim + (changed if made.generator_target < 0.5 else -changed)
        shown = real if made.generator_needs_real else None
        return (
            made.discriminator_loss(real, fake, ones - changed, zeros + changed),
            made.generator_loss(fake, inwards, shown),
        )


def losses_are_numbers(case: ObjectiveCase) -> None:
    """Compute both losses, for logits small and large, and their gradients."""
    for scale in (1.0, 100.0):
        real, fake = _logits(scale)
        for who, loss in zip("DG", case.losses(real, fake), strict=True):
            if not isinstance(loss, Tensor) or loss.ndim:
                shape = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
                raise ContractError(
                    f"{who}'s loss is {shape}, expected a single number, shape ()",
                    "End it in `.mean()`, so that it does not depend on the batch's size.",
                )
            grads = torch.autograd.grad(
                loss, [real, fake], allow_unused=True, materialize_grads=True, retain_graph=True
            )
            if not all(value.isfinite().all() for value in (loss, *grads)):
                raise ContractError(
                    f"{who}'s loss, or its gradient, is not finite at logits of {scale:g}",
                    "Take logarithms of sigmoids with `logsigmoid`, or cross-entropy with "
                    "`binary_cross_entropy_with_logits`.",
                )


def losses_point_the_right_way(case: ObjectiveCase) -> None:
    """Look at gradients where D does not know: D to tell apart, G to be taken for real."""
    # Losses with targets have their optima at -1, 0 or 1: D is looked at above 0, G below.
    real, fake = _constant(0.5), _constant(0.5)
    d_real, d_fake = torch.autograd.grad(case.losses(real, fake)[0], [real, fake])
    real, fake = _constant(-0.5), _constant(-0.5)
    (g_fake,) = torch.autograd.grad(case.losses(real, fake)[1], [fake])
    for found, text in (
        (-d_real.sum(), "at logits of 0.5, D's loss does not fall as those of real images rise"),
        (d_fake.sum(), "at logits of 0.5, D's loss does not fall as those of fakes fall"),
        (-g_fake.sum(), "at logits of -0.5, G's loss does not fall as those of fakes rise"),
    ):
        if not found > 0:
            raise ContractError(
                text,
                "A larger logit means more real, and both losses are minimised: look for a sign.",
            )


def targets_are_declared(case: ObjectiveCase) -> None:
    """Compare the losses with other targets: they differ just where ``uses_targets`` says so."""
    real, fake = _logits(1.0)
    plain, moved = case.losses(real, fake), case.losses(real, fake, changed=0.25)
    differ = not torch.equal(plain[0], moved[0])
    if differ != case.objective.uses_targets:
        said = case.objective.uses_targets
        does = "changes" if differ else "does not change"
        raise ContractError(
            f"uses_targets = {said}, and D's loss {does} with the targets",
            "Tricks of labels are n/a where it is False, and must do something where it is True.",
        )


def _constant(value: float) -> Tensor:
    return torch.full((BATCH, 1), value, requires_grad=True)


def _logits(scale: float) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(0)
    real, fake = (scale * torch.randn(BATCH, 1, generator=stream) for _ in range(2))
    return real.requires_grad_(), fake.requires_grad_()


OBJECTIVE_CHECKS: tuple[Check[ObjectiveCase], ...] = (
    Check("described", "there is a method card, and a text for each parameter", is_described),
    Check("numbers", "losses and gradients are finite numbers", losses_are_numbers, True),
    Check("direction", "D is to tell apart, G to be taken for real", losses_point_the_right_way),
    Check("targets", "`uses_targets` is what it does", targets_are_declared),
    Check("trains", f"{STEPS} steps, samples: no exception, all finite", trains, True),
    Check("repeats", "the same seed gives the same bits", repeats_exactly),
    Check("search", "both ends of each Search range are valid", ranges_are_valid),
)


class ObjectiveContract(ObjectiveCase):
    """Subclass it in a test module, and set ``objective``."""

    def test_card_and_parameters_are_documented(self) -> None:
        """The module has a docstring, and every parameter a description."""
        hold(is_described, self)

    def test_losses_are_finite_numbers(self) -> None:
        """Both are of shape (), and finite with their gradients, at large logits too."""
        hold(losses_are_numbers, self)

    def test_losses_point_the_right_way(self) -> None:
        """Where D is not sure, D's loss tells real from fake, and G's is to be taken for real."""
        hold(losses_point_the_right_way, self)

    def test_targets_are_declared(self) -> None:
        """D's loss changes with the targets just where ``uses_targets`` says so."""
        hold(targets_are_declared, self)

    def test_trains_and_stays_finite(self) -> None:
        """It trains and samples without an exception, NaN or infinity."""
        hold(trains, self)

    def test_repeats_exactly(self) -> None:
        """Two trials of one seed end with the same bits."""
        hold(repeats_exactly, self)

    def test_search_ranges_are_valid(self) -> None:
        """Both ends of each ``Search`` range are valid parameters."""
        hold(ranges_are_valid, self)
