"""Checkpoints: all of a trial's state, written atomically, read back bit for bit."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ganbench.training.errors import CheckpointError
from ganbench.training.trial import Trial, trial_parts

VERSION = 3


def save(trial: Trial, path: Path, extra: Mapping[str, Any] | None = None) -> None:
    """Write a checkpoint; the one that was there stays whole until this one is.

    Parameters
    ----------
    trial : Trial
    path : Path
    extra : mapping
        Plain values of the caller's, given back by ``load``.

    Raises
    ------
    OSError
        If it cannot be written, such as on a full disk.
    """
    state = {
        "version": VERSION,
        "key": trial.config.key(),
        "seed": trial.seed,
        "step": trial.step,
        "seconds": trial.seconds,
        "diverged_at": trial.diverged_at,
        "parts": {
            name: [part.state_dict() for part in parts]
            for name, parts in trial_parts(trial).items()
        },
        "buffers": [
            {name: dict(own.tensors) for name, own in built.buffers.items()}
            for built in trial.pairs
        ],
        "streams": trial.streams.state_dict(),
        "orders": [order.state_dict() for order in trial.orders],
        "compiled": [steps.state_dict() for steps in trial.compiled],
        "losses": trial.loss_log[: trial.step].clone(),
        "updates": trial.update_log[: trial.step].clone(),
        "extra": dict(extra or {}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    # Machines that share a folder may have processes of one number.
    temporary = path.with_name(f"{path.name}.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        # torch.save reports a full disk as a RuntimeError of its zip writer.
        if isinstance(error, RuntimeError):
            raise OSError(f"{path}: {error}") from error
        raise


def load(trial: Trial, path: Path) -> dict[str, Any]:
    """Bring a newly built trial to where a checkpoint left it, and return the extra values.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or is of another version, configuration or seed.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(f"{path}: not a readable checkpoint ({error})") from error
    wanted = {"version": VERSION, "key": trial.config.key(), "seed": trial.seed}
    for name, value in wanted.items():
        if state.get(name) != value:
            raise CheckpointError(
                f"{path}: has {name} {state.get(name)!r}, and this trial {value!r}"
            )
    for name, parts in trial_parts(trial).items():
        for part, saved in zip(parts, state["parts"][name], strict=True):
            part.load_state_dict(saved)
    for built, saved in zip(trial.pairs, state["buffers"], strict=True):
        for name, own in built.buffers.items():
            for key, tensor in own.tensors.items():
                tensor.copy_(saved[name][key])
    trial.streams.load_state_dict(state["streams"])
    for repeat, saved in enumerate(state["orders"]):
        trial.order_of_batches(repeat).load_state_dict(saved)
    for steps, saved in zip(trial.compiled, state["compiled"], strict=True):
        steps.load_state_dict(saved)
    trial.step, trial.seconds = state["step"], state["seconds"]
    trial.diverged_at = state["diverged_at"]
    trial.loss_log[: trial.step] = state["losses"].to(trial.device)
    trial.update_log[: trial.step] = state["updates"]
    extra: dict[str, Any] = state["extra"]
    return extra
