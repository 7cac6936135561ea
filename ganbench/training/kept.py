"""The generator of a trial that has ended: all that sampling needs, and nothing else."""

import io
from dataclasses import dataclass
from typing import Any

import torch

from ganbench.config.model import TrialConfig
from ganbench.training.errors import CheckpointError
from ganbench.training.state import compact
from ganbench.training.trial import Trial

VERSION = 1


@dataclass(frozen=True)
class KeptGenerator:
    """What was kept of a trial.

    Attributes
    ----------
    config : TrialConfig
    seed : int
        That it was trained with.
    step : int
        At which it ended.
    state : dict
        Tensors, for ``restore``.
    """

    config: TrialConfig
    seed: int
    step: int
    state: dict[str, Any]

    def restore(self, trial: Trial) -> None:
        """Give a newly built trial of this configuration and seed the weights to sample with.

        Raises
        ------
        CheckpointError
            If they do not fit: a plugin builds other networks now.
        """
        try:
            for built, own in zip(trial.pairs, self.state["pairs"], strict=True):
                built.pair.generator.load_state_dict(own["generator"])
                for module, saved in zip(built.modules.values(), own["modules"], strict=True):
                    module.load_state_dict(saved)
                for name, buffers in built.buffers.items():
                    for key, tensor in buffers.tensors.items():
                        tensor.copy_(own["buffers"][name][key])
            for trick, own in zip(trial.tricks, self.state["tricks"], strict=True):
                trick.load_state_dict(own)
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"the weights that were kept fit no network that the plugins build now: {error}"
            ) from error
        trial.step = self.step


def dump_generator(trial: Trial) -> bytes:
    """Return the weights of a trial's generators, of what tricks brought, and its settings."""
    content = io.BytesIO()
    pairs = [
        {
            "generator": built.pair.generator.state_dict(),
            "modules": [module.state_dict() for module in built.modules.values()],
            "buffers": {name: dict(own.tensors) for name, own in built.buffers.items()},
        }
        for built in trial.pairs
    ]
    kept = {
        "version": VERSION,
        "config": trial.config.model_dump_json(),
        "seed": trial.seed,
        "step": trial.step,
        "pairs": pairs,
        "tricks": [trick.state_dict() for trick in trial.tricks],
    }
    torch.save(compact(kept), content)
    return content.getvalue()


def read_generator(content: bytes) -> KeptGenerator:
    """Read what ``dump_generator`` gave.

    Raises
    ------
    CheckpointError
        If it is something else, or of another version.
    """
    try:
        kept = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        version = kept["version"]
        config = TrialConfig.model_validate_json(kept["config"]) if version == VERSION else None
        seed, step = int(kept["seed"]), int(kept["step"])
    except Exception as error:  # broken bytes make the unpickler raise anything
        raise CheckpointError(f"no generator was kept in it ({error})") from error
    if config is None:
        raise CheckpointError(f"it is of version {version}, and this ganbench reads {VERSION}")
    return KeptGenerator(config, seed, step, kept)
