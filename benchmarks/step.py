"""A step of ours beside a step of the loop that people copy from tutorials, in one run.

``python benchmarks/step.py [--rounds 5] [--device cpu]`` times both on the same network,
batch size and device, in interleaved rounds, and prints the medians and their ratio, one
line a network. The copied loop is written out below as it is usually found: a DataLoader
with PIL transforms and two workers, BCE on a sigmoid, default Adam kernels, ``.item()`` on
both losses each step. On a CPU both run with one thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from ganbench.config.model import Component, Latent
from ganbench.plugin import Data, Host
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import Trial

BATCH, LATENT, STEPS, ITEMS = 64, 64, 20, 4096
NETWORKS: dict[str, tuple[str, dict[str, int], tuple[int, ...]]] = {
    "MLP 28×28": ("mlp", {"hidden": 512}, (1, 28, 28)),
    "DCGAN 8×8": ("dcgan-upsample", {"width": 16}, (1, 8, 8)),
    "DCGAN 16×16": ("dcgan-upsample", {"width": 32}, (1, 16, 16)),
    "DCGAN 32×32": ("dcgan-upsample", {"width": 32}, (3, 32, 32)),
}
TRICKS = {
    "label_smoothing": {"real": 0.9},
    "instance_noise": {"start": 0.1},
    "batch_norm": {"placement": "both"},
}


def build(
    architecture: str, parameters: dict[str, int], data: Data, tricks: bool, device: torch.device
) -> Trial:
    """Return one of our trials over ``data``."""
    config = tiny_config(TRICKS if tricks else {}, architecture, parameters, steps=10**6)
    config = config.model_copy(
        update={
            "batch_size": BATCH,
            "latent": Latent(dimension=LATENT),
            "architecture": Component(name=architecture, parameters=parameters),
        }
    )
    return Trial(config, 0, data, Host(), device)


class _Pictures(Dataset[Tensor]):
    """What ``torchvision.datasets`` gives: a PIL image, transformed, at each index."""

    def __init__(self, images: Tensor) -> None:
        to_pil = transforms.ToPILImage()
        channels = images.shape[1]
        self.images = [to_pil(image) for image in images]
        self.transform = transforms.Compose(
            [
                transforms.Resize(images.shape[2]),
                transforms.CenterCrop(images.shape[2]),
                transforms.ToTensor(),
                transforms.Normalize((0.5,) * channels, (0.5,) * channels),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        image: Tensor = self.transform(self.images[index])
        return image


def copied_loop(
    generator: nn.Module, discriminator: nn.Module, images: Tensor, device: torch.device
) -> Iterator[None]:
    """Train as the tutorials do; one step for each ``next``."""
    loader = DataLoader(_Pictures(images), BATCH, shuffle=True, num_workers=2, drop_last=True)
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    criterion = nn.BCELoss()
    losses: list[tuple[float, float]] = []
    while True:
        for batch in loader:
            real = batch.to(device)
            discriminator.zero_grad()
            label = torch.full((BATCH, 1), 1.0, device=device)
            loss_real = criterion(torch.sigmoid(discriminator(real)), label)
            loss_real.backward()
            fake = generator(torch.randn(BATCH, LATENT, device=device))
            label.fill_(0.0)
            loss_fake = criterion(torch.sigmoid(discriminator(fake.detach())), label)
            loss_fake.backward()
            optimizer_d.step()
            generator.zero_grad()
            label.fill_(1.0)
            loss_g = criterion(torch.sigmoid(discriminator(fake)), label)
            loss_g.backward()
            optimizer_g.step()
            losses.append(((loss_real + loss_fake).item(), loss_g.item()))
            yield


def milliseconds(run: Callable[[], None], device: torch.device) -> float:
    """Return how long a call takes: by events on CUDA, by the clock elsewhere."""
    if device.type != "cuda":
        began = time.perf_counter()
        run()
        return (time.perf_counter() - began) * 1e3
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end)


def main() -> None:
    """Time every network and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, {device}, batch {BATCH}, {options.rounds} rounds", end=" ")
    print(f"of {STEPS} steps, medians in ms a step")
    print(f"{'network':<14}{'copied loop':>12}{'ganbench':>12}{'ratio':>8}{'+3 tricks':>12}")
    for name, (architecture, parameters, shape) in NETWORKS.items():
        data = tiny_data(shape, ITEMS)
        plain, tricked, twin = (
            build(architecture, parameters, data, tricks, device) for tricks in (False, True, False)
        )
        pair = twin.pairs[0].pair
        copied = copied_loop(pair.generator, pair.discriminator, data.items, device)
        candidates: dict[str, Callable[[], None]] = {
            "copied": lambda copied=copied: [next(copied) for _ in range(STEPS)] and None,
            "ours": lambda plain=plain: plain.advance(STEPS),
            "tricks": lambda tricked=tricked: tricked.advance(STEPS),
        }
        times: dict[str, list[float]] = {key: [] for key in candidates}
        for run in candidates.values():
            run()
        for _ in range(options.rounds):
            for key, run in candidates.items():
                times[key].append(milliseconds(run, device) / STEPS)
        medians = {key: statistics.median(values) for key, values in times.items()}
        ratio = medians["copied"] / medians["ours"]
        print(
            f"{name:<14}{medians['copied']:>12.2f}{medians['ours']:>12.2f}"
            f"{ratio:>7.2f}×{medians['tricks']:>12.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
