"""Trials that take a fraction of a second, and what to compare of two of them."""

import contextlib
import functools
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from ganbench.config.model import (
    Component,
    Evaluation,
    Execution,
    Latent,
    Optimizers,
    TrialConfig,
)
from ganbench.plugin import Data, Host, Parameters, UnknownPluginError
from ganbench.training import Trial

STEPS = 6
BATCH = 8
SIZES = {"width": 4, "hidden": 8}
"""What architectures call the size of their layers, and a small one."""


def tiny_data(shape: tuple[int, ...] = (1, 8, 8), items: int = 40) -> Data:
    """Return random data for a test: uint8 images, or points for a shape of one number."""
    stream = torch.Generator().manual_seed(1)
    if len(shape) == 1:
        return Data("tiny", torch.randn((items, *shape), generator=stream))
    images = torch.randint(0, 256, (items, *shape), generator=stream, dtype=torch.uint8)
    return Data("tiny", images)


def tiny_config(
    tricks: Mapping[str, Mapping[str, Any]] | None = None,
    architecture: str = "dcgan-upsample",
    architecture_parameters: Mapping[str, Any] | None = None,
    objective: str = "non-saturating",
    steps: int = STEPS,
    **changes: Any,
) -> TrialConfig:
    """Return the configuration of a trial that takes a fraction of a second."""
    small = dict(architecture_parameters or _small_installed(architecture))
    return TrialConfig(
        dataset=Component(name="tiny"),
        architecture=Component(name=architecture, parameters=small),
        objective=Component(name=objective),
        latent=Latent(dimension=4),
        optimizers=Optimizers(),
        batch_size=BATCH,
        steps=steps,
        tricks={name: dict(given) for name, given in (tricks or {}).items()},
        execution=Execution(),
        evaluation=Evaluation(samples=16, batch_size=8, every=2),
    ).model_copy(update=changes)


def small_sizes(parameters: type[Parameters]) -> dict[str, Any]:
    """Return small values for those sizes that an architecture's parameters have."""
    found = {}
    for name, value in SIZES.items():
        if name in parameters.model_fields:
            with contextlib.suppress(ValidationError):  # it cannot be as small: its default
                parameters.model_validate({name: value})
                found[name] = value
    return found


@functools.cache
def _small_installed(architecture: str) -> dict[str, Any]:
    try:
        return small_sizes(Host().find("architecture", architecture).cls.Parameters)
    except UnknownPluginError:
        return {}


def weights(trial: Trial) -> dict[str, Tensor]:
    """Return a copy of all that a trial's networks and tricks hold in tensors, by name."""
    found: dict[str, Tensor] = {}
    for built in trial.pairs:
        nets = {
            "generator": built.pair.generator,
            "discriminator": built.pair.discriminator,
            **{f"modules.{role}": modules for role, modules in built.modules.items()},
        }
        for part, net in nets.items():
            for name, value in net.state_dict().items():
                found[f"{built.pair.name}.{part}.{name}"] = value.clone()
        for trick, buffers in built.buffers.items():
            for name, value in buffers.items():
                found[f"{built.pair.name}.{trick}.{name}"] = value.clone()
    return found


def differing(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """Return the names that the two share and that are not equal bit for bit."""
    return [name for name in one if name in other and not torch.equal(one[name], other[name])]
