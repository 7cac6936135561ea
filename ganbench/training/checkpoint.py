"""Checkpoints: all of a trial's state as one string of bytes, read back bit for bit."""

import io
from collections.abc import Mapping
from typing import Any

import torch

from ganbench.training.errors import CheckpointError
from ganbench.training.state import compact
from ganbench.training.trial import Trial

VERSION = 3


def dump(trial: Trial, extra: Mapping[str, Any] | None = None) -> bytes:
    """Return a checkpoint.

    Parameters
    ----------
    trial : Trial
    extra : mapping
        Plain values of the caller's, given back by ``load``.
    """
    state = {
        "version": VERSION,
        "key": trial.config.key(),
        "seed": trial.seed,
        "step": trial.step,
        "seconds": trial.seconds,
        "diverged_at": trial.diverged_at,
        "parts": {
            name: [part.state_dict() for part in parts] for name, parts in _parts(trial).items()
        },
        "buffers": [
            {name: dict(own.tensors) for name, own in built.buffers.items()}
            for built in trial.pairs
        ],
        "streams": trial.streams.state_dict(),
        "orders": [order.state_dict() for order in trial.orders],
        "compiled": [steps.state_dict() for steps in trial.captured],
        "preparing": [steps.seconds for steps in trial.captured],
        "losses": trial.loss_log[: trial.step].clone(),
        "updates": trial.update_log[: trial.step].clone(),
        "extra": dict(extra or {}),
    }
    buffer = io.BytesIO()
    torch.save(compact(state), buffer)
    return buffer.getvalue()


def load(trial: Trial, content: bytes) -> dict[str, Any]:
    """Bring a newly built trial to where a checkpoint left it, and return the extra values.

    Raises
    ------
    CheckpointError
        If the content cannot be read, or is of another version, configuration or seed.
    """
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"not a readable checkpoint ({error})") from error
    wanted = {"version": VERSION, "key": trial.config.key(), "seed": trial.seed}
    for name, value in wanted.items():
        if state.get(name) != value:
            raise CheckpointError(f"has {name} {state.get(name)!r}, and this trial {value!r}")
    for name, parts in _parts(trial).items():
        for part, saved in zip(parts, state["parts"][name], strict=True):
            part.load_state_dict(saved)
    for built, saved in zip(trial.pairs, state["buffers"], strict=True):
        for name, own in built.buffers.items():
            for key, tensor in own.tensors.items():
                tensor.copy_(saved[name][key])
    trial.streams.load_state_dict(state["streams"])
    for repeat, saved in enumerate(state["orders"]):
        trial.order_of_batches(repeat).load_state_dict(saved)
    for steps, saved in zip(trial.captured, state["compiled"], strict=True):
        steps.load_state_dict(saved)
    # Not in checkpoints of before it was kept.
    for steps, seconds in zip(trial.captured, state.get("preparing", ()), strict=False):
        steps.seconds = seconds
    trial.step, trial.seconds = state["step"], state["seconds"]
    trial.diverged_at = state["diverged_at"]
    trial.loss_log[: trial.step] = state["losses"].to(trial.device)
    trial.update_log[: trial.step] = state["updates"]
    extra: dict[str, Any] = state["extra"]
    return extra


def _parts(trial: Trial) -> Mapping[str, Any]:
    """Return the stateful objects of a trial by name."""
    return {
        "generators": [built.pair.generator for built in trial.pairs],
        "discriminators": [built.pair.discriminator for built in trial.pairs],
        "modules": [part for built in trial.pairs for part in built.modules.values()],
        "optimizers": [part for made in trial.optimizers for part in made.values()],
        "tricks": list(trial.tricks),
    }
