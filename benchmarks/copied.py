"""The loop that people copy from the DCGAN tutorials, as it is usually found.

A DataLoader over PIL pictures with transforms and two workers, binary cross entropy on a
sigmoid, default Adam, both losses read with ``.item()`` at each step, D's gradients taken in
G's half too, and PyTorch's own choice of threads.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms


class Pictures(Dataset[Tensor]):
    """What ``torchvision.datasets`` gives: a PIL image, transformed, at each index.

    Parameters
    ----------
    images : Tensor, shape (images, channels, height, width), uint8
    """

    def __init__(self, images: Tensor) -> None:
        to_pil = transforms.ToPILImage()
        channels, size = images.shape[1:3]
        self.images = [to_pil(image) for image in images]
        self.transform = transforms.Compose(
            [
                transforms.Resize(size),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Normalize((0.5,) * channels, (0.5,) * channels),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        image: Tensor = self.transform(self.images[index])
        return image


class Points(Dataset[Tensor]):
    """Points of the plane, one at each index.

    Parameters
    ----------
    points : Tensor, shape (points, 2), float32
    """

    def __init__(self, points: Tensor) -> None:
        self.points = points

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: int) -> Tensor:
        return self.points[index]


def copied_loop(
    generator: nn.Module,
    discriminator: nn.Module,
    items: Tensor,
    latent: int,
    batch: int,
    device: torch.device,
) -> Iterator[None]:
    """Train as the tutorials do; one step for each ``next``."""
    dataset = Pictures(items) if items.ndim == 4 else Points(items)
    loader = DataLoader(dataset, batch, shuffle=True, num_workers=2, drop_last=True)
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    criterion = nn.BCELoss()
    losses: list[tuple[float, float]] = []
    while True:
        for images in loader:
            real = images.to(device)
            discriminator.zero_grad()
            label = torch.full((batch, 1), 1.0, device=device)
            loss_real = criterion(torch.sigmoid(discriminator(real)), label)
            loss_real.backward()
            fake = generator(torch.randn(batch, latent, device=device))
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
