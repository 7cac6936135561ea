"""Known damage to real data, and what each kind must do to which figure.

This table is what ``ganbench doctor`` holds the metrics to. A figure that is not in it is
tested all the same if its metric declares it as lower is better: noise must worsen it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ganbench.plugin import Data

Worse = Literal["rises", "falls"]
"""Which way a figure goes when samples get worse."""
RISES: Worse = "rises"
FALLS: Worse = "falls"

NEAR_ZERO = frozenset(
    {
        *("fid", "fid_infinity", "kid", "kl", "spectrum_distance"),
        *("sharpness_gap", "noise_points_gap", "noise_level_gap"),
    }
)
"""Figures that are about 0 of real data."""
AT_THE_END = frozenset({"precision", "density"})
"""Figures that weak damage may better, since samples that are more alike lie in more balls of the
data: only the strongest must worsen them."""


@dataclass(frozen=True)
class Corruption:
    """A kind of damage, in growing strength.

    Attributes
    ----------
    name : str
    strengths : tuple of float, weakest first
    unit : str
        What a strength is, for the reader.
    apply : callable (held_out, count, strength, reference) -> Tensor
        Returns about ``count`` damaged items, made of held-out real data; the reference is what
        a generator would have seen.
    worsens : mapping of str to {"rises", "falls"}
        The figures that must get worse with every strength.
    applies : callable (data) -> str or None
        Why it makes no sense for some data; None if it does.
    """

    name: str
    strengths: tuple[float, ...]
    unit: str
    apply: Callable[[Data, int, float, Data], Tensor]
    worsens: Mapping[str, Worse]
    applies: Callable[[Data], str | None]


def drop_classes(data: Data, count: int, share: float, reference: Data) -> Tensor:
    """Return items of all but a share of the classes, at least one of which is left out."""
    if data.labels is None:
        raise ValueError("there are no classes to drop")
    classes = len(data.classes)
    dropped = min(math.ceil(share * classes), classes - 1)
    return data.items[data.labels >= dropped][:count]


def blur(data: Data, count: int, deviation: float, reference: Data) -> Tensor:
    """Return images under a Gaussian filter; its deviation is a share of their side."""
    from torchvision.transforms.v2 import functional  # takes a second to import

    side = data.shape[-1]
    sigma = deviation * side
    # Reflected borders are narrower than the image.
    reach = min(math.ceil(3 * sigma), side - 1)
    blurred: Tensor = functional.gaussian_blur(data.items[:count], [2 * reach + 1] * 2, [sigma] * 2)
    return blurred


def add_noise(data: Data, count: int, deviation: float, reference: Data) -> Tensor:
    """Return items with Gaussian noise; its deviation is a share of the range, or of the spread.

    The range of images is 255 grey levels, to which sums are clamped; the spread of points is
    their standard deviation.
    """
    items = data.items[:count]
    noise = torch.randn(items.shape, generator=torch.Generator().manual_seed(0))
    if not data.is_image:
        return items + deviation * data.items.std() * noise
    return (items + 255 * deviation * noise).round().clamp(0, 255).to(torch.uint8)


def duplicate(data: Data, count: int, share: float, reference: Data) -> Tensor:
    """Return copies of a few items: all but a share of the items are copies."""
    few = data.items[: max(1, round(count * (1 - share)))]
    return few[torch.arange(count) % len(few)]


def add_grid(data: Data, count: int, amplitude: float, reference: Data) -> Tensor:
    """Return images with a checkerboard of single pixels on them; its amplitude in grey levels."""
    items = data.items[:count]
    rows, columns = (torch.arange(side)[:, None] for side in items.shape[-2:])
    grid = 1 - 2 * ((rows + columns.T) % 2)
    return (items + amplitude * grid).round().clamp(0, 255).to(torch.uint8)


def memorise(data: Data, count: int, share: float, reference: Data) -> Tensor:
    """Return items of which a share are the reference's own."""
    copied = round(share * count)
    return torch.cat([reference.items[:copied], data.items[: count - copied]])


def _needs_classes(data: Data) -> str | None:
    if data.labels is None or len(data.classes) < 2:
        return "the data have no labels of two classes or more"
    return None


def _needs_images(data: Data) -> str | None:
    return None if data.is_image else "these data are points, not images"


def _always(data: Data) -> str | None:
    return None


CORRUPTIONS = (
    Corruption(
        "drop classes",
        (0.1, 0.3, 0.5),
        "share of the classes left out",
        drop_classes,
        {
            "fid": RISES,
            "fid_infinity": RISES,
            "kid": RISES,
            "recall": FALLS,
            "coverage": FALLS,
            "modes": FALLS,
            "modes_share": FALLS,
            "kl": RISES,
            "diversity": FALLS,
            "vendi": FALLS,
            "classifier_score": FALLS,
        },
        _needs_classes,
    ),
    Corruption(
        "blur",
        (0.06, 0.12, 0.25),
        "deviation of the filter, over the side",
        blur,
        {
            "fid": RISES,
            "fid_infinity": RISES,
            "kid": RISES,
            "precision": FALLS,
            "coverage": FALLS,
            "sharpness": FALLS,
            "sharpness_gap": RISES,
            "gradient": FALLS,
            "high_frequency": FALLS,
            "spectrum_distance": RISES,
        },
        _needs_images,
    ),
    Corruption(
        "noise",
        (0.1, 0.25, 0.6),
        "deviation, over the range",
        add_noise,
        {
            "fid": RISES,
            "fid_infinity": RISES,
            "kid": RISES,
            "precision": FALLS,
            "density": FALLS,
            "coverage": FALLS,
            "high_quality": FALLS,
            "noise_level": RISES,
            "noise_level_gap": RISES,
            "noise_points": RISES,
            "noise_points_share": RISES,
            "noise_points_gap": RISES,
            "high_frequency": RISES,
            "spectrum_distance": RISES,
        },
        _always,
    ),
    Corruption(
        "checkerboard",
        (4, 16, 64),
        "amplitude, in grey levels",
        add_grid,
        {"fid": RISES, "checkerboard": RISES, "checkerboard_2": RISES, "spectrum_distance": RISES},
        _needs_images,
    ),
    Corruption(
        "duplicates",
        (0.75, 0.95, 0.99),
        "share of the samples that are copies",
        duplicate,
        {
            "fid": RISES,
            "fid_infinity": RISES,
            "kid": RISES,
            "recall": FALLS,
            "coverage": FALLS,
            "diversity": FALLS,
            "vendi": FALLS,
            "duplicates": RISES,
            "exact_duplicates": RISES,
            "near_copies": RISES,
            "support_least": FALLS,
        },
        _always,
    ),
    Corruption(
        "memorised",
        (0.25, 0.5, 1.0),
        "share of the samples that are the reference's own items",
        memorise,
        {"authenticity": FALLS, "copied": RISES, "copying": RISES},
        _always,
    ),
)
NOISE = "noise"
"""The corruption that everything which is lower for better samples must notice."""
KNOWN = NEAR_ZERO | {figure for corruption in CORRUPTIONS for figure in corruption.worsens}
"""Figures of which the table says what to expect; of others their metric does."""
