"""A trick in a tiny trial: what the contract of tricks looks at."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import torch
from pydantic_core import to_json
from torch import Tensor

from ganbench.plugin import Buffers, Host, Parameters, Trick, TrickParameters
from ganbench.testing.tiny import STEPS, small_sizes, tiny_config, tiny_data
from ganbench.training import Trial


class PluginCase:
    """A plugin, a setting of it, and the tiny trial around it."""

    parameters: ClassVar[Mapping[str, Any]] = {}
    plugins: ClassVar[Sequence[type[Any]]] = ()
    steps: ClassVar[int] = STEPS
    """How long a trial is that is looked at bit by bit."""

    @property
    def cls(self) -> type[Any]:
        """The class under test."""
        raise NotImplementedError

    def make(self, parameters: Mapping[str, Any] | None, seed: int = 3) -> Trial:
        """Build a tiny trial."""
        raise NotImplementedError

    def plugin_in(self, trial: Trial) -> object:
        """Return the plugin's instance in a trial."""
        raise NotImplementedError

    def make_host(self) -> Host:
        """Return a host with what is installed, the class under test and ``plugins``."""
        return _host((self.cls, *self.plugins))


class TrickCase(PluginCase):
    """A trick, a setting at which it acts, and the tiny trial around it."""

    trick: ClassVar[type[Trick]]
    """The class under test."""
    parameters: ClassVar[Mapping[str, Any]] = {}
    """A setting at which the trick does something."""
    with_tricks: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Other tricks to have on beside it; what it requires is on at its defaults anyway."""
    plugins: ClassVar[Sequence[type[Any]]] = ()
    """Other plugin classes, not installed, that ``with_tricks``, ``objective`` or so name."""
    architecture: ClassVar[str] = "dcgan-upsample"
    objective: ClassVar[str] = "non-saturating"
    shape: ClassVar[tuple[int, ...]] = (1, 8, 8)
    """Of the data: (channels, height, width) of images, or (dimensions,) of points."""

    def make(self, parameters: Mapping[str, Any] | None, seed: int = 3) -> Trial:
        """Build a tiny trial: with the trick at ``parameters``, or without it for None."""
        host = self.make_host()
        tricks = {name: dict(given) for name, given in self.with_tricks.items()}
        for name in required_tricks(self.trick, host):
            tricks.setdefault(name, {})
        if parameters is not None:
            tricks[self.trick.name] = dict(parameters)
        sizes = small_sizes(host.find("architecture", self.architecture).cls.Parameters)
        config = tiny_config(tricks, self.architecture, sizes, self.objective)
        return Trial(config, seed, tiny_data(self.shape), host, torch.device("cpu"))

    @property
    def cls(self) -> type[Any]:
        """The class under test."""
        return self.trick

    def plugin_in(self, trial: Trial) -> object:
        """Return the trick's instance in a trial."""
        return next(trick for trick in trial.tricks if isinstance(trick, self.trick))


@functools.lru_cache(maxsize=4)
def _host(classes: tuple[type[Any], ...]) -> Host:
    """Return a host, the same for the many trials of a contract: it holds nothing of theirs."""
    return Host(classes=classes)


Case = TypeVar("Case", bound=PluginCase)


def variant(case: Case, **changes: Any) -> Case:
    """Return a case that differs in some attributes; what its class overrides stays."""
    changed: type[Case] = type(type(case).__name__, (type(case),), changes)
    return changed()


def required_tricks(trick: type[Trick], host: Host) -> list[str]:
    """Return what a trick requires, and what that requires in turn."""
    found: list[str] = []
    waiting = list(trick.requires)
    while waiting:
        name = waiting.pop()
        if name in found or name == trick.name:
            continue
        waiting.extend(host.find("trick", name).cls.requires)
        found.append(name)
    return found


def validated(plugin: type[Any], parameters: Mapping[str, Any]) -> Parameters:
    """Return a plugin's parameters, taken as a study file's: a list is as good as a tuple."""
    found: Parameters = plugin.Parameters.model_validate_json(to_json(dict(parameters)))
    return found


class Witness(Trick):
    """Draws in every step, so that a trick that moves another's draws is seen to."""

    name = "contract_witness"
    neutral = TrickParameters()

    def transform_discriminator_input(self, x: Tensor, is_real: bool, buf: Buffers) -> Tensor:
        """Add noise."""
        return x + 0.01 * torch.randn(x.shape, generator=buf.generator)
