"""The contract of an architecture."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganbench.plugin import Architecture
from ganbench.testing.bitwise import repeats_exactly, resumes_exactly
from ganbench.testing.case import PluginCase
from ganbench.testing.result import Check, ContractError, hold
from ganbench.testing.shared_checks import is_described, ranges_are_valid, trains
from ganbench.testing.tiny import small_sizes, tiny_config, tiny_data
from ganbench.training import HookError, NotApplicableError, Trial
from ganbench.training.networks import BuiltPair

COUNT = 4
"""Images that the networks are tried with."""
SHAPES = (
    *((channels, size, size) for size in (8, 9, 16, 28, 32, 64) for channels in (1, 3)),
    (2,),
)


class ArchitectureCase(PluginCase):
    """An architecture, and tiny trials of each shape of data that it supports."""

    architecture: ClassVar[type[Architecture]]
    """The class under test."""
    parameters: ClassVar[Mapping[str, Any]] = {}
    """Parameters that make it small; ``width`` and ``hidden`` are small without being named."""
    plugins: ClassVar[Sequence[type[Any]]] = ()
    """Other plugin classes that are not installed."""
    shapes: ClassVar[Sequence[tuple[int, ...]]] = SHAPES
    """What it is asked to make: images of 8 to 64 pixels, and points."""
    steps: ClassVar[int] = 2
    """Networks may be large, whatever their parameters."""

    @property
    def cls(self) -> type[Any]:
        """The class under test."""
        return self.architecture

    def make(self, parameters: Mapping[str, Any] | None, seed: int = 3) -> Trial:
        """Build a tiny trial of the first shape that it supports.

        Raises
        ------
        NotApplicableError
            If it supports none of them.
        """
        for shape in self.shapes:
            try:
                return self.make_of(shape, parameters, seed)
            except NotApplicableError as error:
                reason = error
        raise reason

    def make_of(
        self, shape: tuple[int, ...], parameters: Mapping[str, Any] | None = None, seed: int = 3
    ) -> Trial:
        """Build a tiny trial of one shape."""
        given = {**small_sizes(self.architecture.Parameters), **(parameters or self.parameters)}
        config = tiny_config({}, self.architecture.name, given, steps=self.steps)
        return Trial(config, seed, tiny_data(shape), self.make_host(), torch.device("cpu"))

    def plugin_in(self, trial: Trial) -> object:
        """Return the architecture's instance in a trial."""
        return trial.architecture


def networks_fit(case: ArchitectureCase) -> None:
    """Build for every shape, and look at what G and D return."""
    refused = []
    for shape in case.shapes:
        what = f"for data of shape {shape}"
        try:
            trial = case.make_of(shape)
        except NotApplicableError as error:
            if not str(error).removeprefix(f"{case.architecture.name}:").strip():
                raise ContractError(
                    f"{what}, `supports` gives no reason",
                    "Return `(False, 'needs images')`: the report prints it.",
                ) from None
            refused.append(str(error))
            continue
        except HookError as error:
            raise ContractError(
                f"{what}: {error}",
                "Build for it, or say no, with a reason, in `supports`.",
            ) from error
        for built in trial.pairs:
            _pair_fits(built, what, alone=len(trial.pairs) == 1)
    if len(refused) == len(case.shapes):
        raise ContractError(
            f"it supports none of {len(refused)} shapes: {refused[0]}",
            "Name one that it supports: `--shape 3x96x96`, or `shapes` of its contract.",
        )


def _pair_fits(built: BuiltPair, what: str, alone: bool) -> None:
    spec, pair = built.context.spec, built.pair
    real, condition = built.context.real_batch(torch.arange(COUNT))
    z = torch.randn(COUNT, spec.latent.dimension, generator=torch.Generator().manual_seed(0))
    asked = () if condition is None else (condition,)
    with torch.no_grad():
        fake = _called(pair.generator, (z, *asked), f"{what}, G")
        if fake.shape != real.shape:
            raise ContractError(
                f"{what}, G returns shape {tuple(fake.shape)}, expected {tuple(real.shape)}",
                "G must make what D is shown as real: `spec.shape` says its shape.",
            )
        if alone and spec.is_image and fake.abs().max() > 1:
            raise ContractError(
                f"{what}, G's output reaches {fake.abs().max().item():.3g}",
                "Images are in [-1, 1]: end in `nn.Tanh()`.",
            )
        logits = _called(pair.discriminator, (real, *asked), f"{what}, D")
        if logits.shape != (COUNT, 1):
            raise ContractError(
                f"{what}, D returns shape {tuple(logits.shape)}, expected {(COUNT, 1)}",
                "D returns one logit for each image, without a sigmoid.",
            )
        _shows_features(pair.discriminator, (real, *asked), what)


def _shows_features(net: nn.Module, inputs: tuple[Tensor, ...], what: str) -> None:
    method = getattr(net, "forward_with_features", None)
    mend = "Build D as a `ganbench.plugin.Discriminator`, which does it, or give it the method."
    if method is None:
        raise ContractError(f"{what}, D has no forward_with_features", mend)
    net.eval()
    (logits, features), plain = method(*inputs), net(*inputs)
    net.train()
    if not torch.equal(logits, plain):
        raise ContractError(f"{what}, forward_with_features gives other logits than D", mend)
    wrong = [name for name, value in features.items() if len(value) != COUNT]
    if not features or wrong:
        raise ContractError(f"{what}, D shows no features of each image: {list(features)}", mend)


def _called(net: nn.Module, inputs: tuple[Tensor, ...], who: str) -> Tensor:
    try:
        result = net(*inputs)
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise ContractError(
            f"{who} raised {text}", "Build for it, or say no, with a reason, in `supports`."
        ) from error
    if not isinstance(result, Tensor):
        raise ContractError(f"{who} returns a {type(result).__name__}", "Return a tensor.")
    return result


def all_weights_are_used(case: ArchitectureCase) -> None:
    """Look for weights that no step changes."""
    trial = case.make(case.parameters)
    before = {name: p.clone() for name, p in _parameters(trial)}
    trial.advance(case.steps)
    still = [name for name, p in _parameters(trial) if torch.equal(p, before[name])]
    if still:
        raise ContractError(
            f"weights that no step changes: {', '.join(still[:3])}",
            "Are they used in `forward`? Set `requires_grad_(False)` on what is meant to stay.",
        )


def _parameters(trial: Trial) -> list[tuple[str, Tensor]]:
    return [
        (f"{built.pair.name}.{role}.{name}", parameter.detach())
        for built in trial.pairs
        for role, net in (("G", built.pair.generator), ("D", built.pair.discriminator))
        for name, parameter in net.named_parameters()
        if parameter.requires_grad
    ]


ARCHITECTURE_CHECKS: tuple[Check[ArchitectureCase], ...] = (
    Check("described", "there is a method card, and a text for each parameter", is_described),
    Check("fits", "shapes, range, logits, features: right, or refused", networks_fit, True),
    Check("trains", "two steps, samples: no exception, all finite", trains, True),
    Check("all used", "every weight that is to be trained is", all_weights_are_used),
    Check("repeats", "the same seed gives the same bits", repeats_exactly),
    Check("resumes", "stopped and resumed, it ends with the same bits", resumes_exactly),
    Check("search", "both ends of each Search range are valid", ranges_are_valid),
)


class ArchitectureContract(ArchitectureCase):
    """Subclass it in a test module, and set ``architecture``."""

    def test_card_and_parameters_are_documented(self) -> None:
        """The module has a docstring, and every parameter a description."""
        hold(is_described, self)

    def test_networks_fit_every_shape_that_is_supported(self) -> None:
        """G makes what D is shown, D gives a logit for each image and named features."""
        hold(networks_fit, self)

    def test_trains_and_stays_finite(self) -> None:
        """It trains and samples without an exception, NaN or infinity."""
        hold(trains, self)

    def test_every_weight_is_used(self) -> None:
        """A few steps change every parameter that requires a gradient."""
        hold(all_weights_are_used, self)

    def test_repeats_exactly(self) -> None:
        """Two trials of one seed end with the same bits."""
        hold(repeats_exactly, self)

    def test_resume_is_exact(self) -> None:
        """Saved in mid-trial and loaded into a new one, it ends with the same bits."""
        hold(resumes_exactly, self)

    def test_search_ranges_are_valid(self) -> None:
        """Both ends of each ``Search`` range are valid parameters."""
        hold(ranges_are_valid, self)
