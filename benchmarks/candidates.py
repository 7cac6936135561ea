"""Who is raced: our trainer in its settings, and the copied loop, over the same networks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from copied import copied_loop
from torch import nn

from ganbench.config.model import Execution, Latent, way
from ganbench.plugin import Data, Host
from ganbench.study.compute import set_up_torch
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import Company, Trial

BATCH, ITEMS = 64, 20_000
SIX_TRICKS: Mapping[str, Mapping[str, Any]] = {
    "label_smoothing": {"real": 0.9},
    "instance_noise": {"start": 0.1},
    "feature_matching": {"weight": 1.0},
    "historical_averaging": {"weight": 0.01},
    "gradient_clipping": {"generator": 10.0, "discriminator": 10.0},
    "ema": {"decay": 0.999},
}


ARRANGED: Mapping[str, bool] = {
    "channels_last": True,
    "merge_upsampling": True,
    "join_batches": True,
    "onednn_linear": True,
}
"""What changes a float32 step by rounding alone."""


@dataclass(frozen=True)
class Network:
    """A generator and a discriminator, and what they are trained on.

    Attributes
    ----------
    name, architecture : str
    parameters : mapping
        Of the architecture.
    shape : tuple of int
        Of an image, or a point.
    latent : int
    """

    name: str
    architecture: str
    parameters: Mapping[str, Any]
    shape: tuple[int, ...]
    latent: int = 64


NETWORKS = (
    Network("ring", "mlp", {"hidden": 128}, (2,), latent=2),
    Network("MLP 28×28", "mlp", {"hidden": 512}, (1, 28, 28)),
    Network("DCGAN 8×8", "dcgan-upsample", {"width": 16}, (1, 8, 8)),
    Network("DCGAN 16×16", "dcgan-upsample", {"width": 32}, (1, 16, 16)),
    Network("DCGAN 32×32", "dcgan-upsample", {"width": 32}, (3, 32, 32)),
    Network("DCGAN 64×64", "dcgan-transpose", {"width": 64}, (3, 64, 64), latent=100),
)


def build(
    network: Network,
    tricks: Mapping[str, Mapping[str, Any]],
    execution: Mapping[str, Any],
    device: str,
    host: Host | None = None,
    seed: int = 0,
    reuse: bool = False,
) -> Trial:
    """Return one of our trials; with ``reuse`` G's half takes the images of D's half."""
    config = tiny_config(tricks, network.architecture, network.parameters, steps=10**6)
    config = config.model_copy(
        update={
            "batch_size": BATCH,
            "latent": Latent(dimension=network.latent, reuse=reuse),
            "execution": Execution(**execution),
        }
    )
    return Trial(config, seed, data_of(network), host or Host(), torch.device(device))


def data_of(network: Network) -> Data:
    """Return random data of a network's shape."""
    return tiny_data(network.shape, ITEMS)


def ours(
    network: Network,
    tricks: Mapping[str, Mapping[str, Any]],
    execution: Mapping[str, Any],
    device: str,
    reuse: bool = False,
) -> Callable[[int], None]:
    """Return what trains as a worker of a study does: one trial, or several at once.

    Steps are those of all trials together.
    """
    set_up_torch(device)
    rows = Execution(**execution).company()
    trials = [
        build(network, tricks, execution, device, seed=seed, reuse=reuse) for seed in range(rows)
    ]
    company, wanted = Company(trials, rows), way(execution.get("backend", "eager"), rows)
    lacking = 0

    def run(steps: int) -> None:
        nonlocal lacking
        count, lacking = divmod(lacking + steps, rows)
        company.advance(count)
        _synchronise(device)
        for trial in trials:
            if trial.step > 4 and trial.execution["backend"] != wanted:
                raise RuntimeError(trial.execution["reason"])
            if trial.diverged_at is not None:
                raise RuntimeError(f"diverged at step {trial.diverged_at}")

    return run


def copied(network: Network, device: str) -> Callable[[int], None]:
    """Return what trains as the copied loop does, on networks that begin alike."""
    pair = build(network, {}, {}, device).pairs[0].pair
    _use_plain_layers(pair.generator)
    loop = copied_loop(
        pair.generator,
        pair.discriminator,
        data_of(network).items,
        network.latent,
        BATCH,
        torch.device(device),
    )

    def run(steps: int) -> None:
        for _ in range(steps):
            next(loop)
        _synchronise(device)

    return run


def _use_plain_layers(net: nn.Module) -> None:
    """Put PyTorch's own resizing in place of ours, as a tutorial has it."""
    for module in net.modules():
        for name, layer in module.named_children():
            if isinstance(layer, nn.Upsample):
                setattr(module, name, nn.Upsample(layer.size, layer.scale_factor, layer.mode))


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
