"""Pictures of points: samples as dots over the density of the data, and modes found or missed."""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ganbench.evaluation.modes import mode_radius, nearest_mode
from ganbench.plugin import Centres, Data

SIDE = 512
"""Pixels a side: twice what a report shows them at."""
POINTS = 2500
"""Samples that are drawn: as many as the published counts of modes on mixtures are of."""
PAPER, GROUND, DOT = (255, 255, 255), (142, 190, 230), (16, 24, 40)
FOUND, MISSED = (0, 120, 84), (196, 30, 30)
"""Colours; modes found and missed differ in shape too, a ring or a cross."""
SHADES = 6
LEAST_MARK = 9.0
"""Pixels from a mode's centre to the ring of a smaller mode, or to the end of a cross."""

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def scatter(points: Tensor, data: Data) -> Image.Image:
    """Return the first two coordinates (or a strip, of one) as a plot of 512 by 512 pixels.

    Blue is the density of all data items, on a logarithmic scale; dots are the points. Of a
    mixture each mode that one of the points is of has a ring around it, of three standard
    deviations or a little more; one that none is of has a cross.

    Parameters
    ----------
    points : Tensor, shape (items, dimensions)
        Those that are not finite, or outside the data's limits, are left out.
    data : Data
        Gives the limits of the axes, so that pictures compare.
    """
    finite = points.cpu().double()[torch.isfinite(points.cpu()).all(dim=1)]
    known = data.items.cpu().double()
    low, high = (_plane(end[None])[0] for end in (known.amin(dim=0), known.amax(dim=0)))
    margin = 0.15 * np.maximum(high - low, 1e-6)
    low, high = low - margin, high + margin
    ground = _counts(_plane(known), low, high)
    ink = np.log1p(ground) / np.log1p(max(float(ground.max()), 1.0))
    # What is there at all must be seen; few shades keep a report small.
    ink = np.where(ground > 0, 0.25 + 0.75 * np.ceil(ink * SHADES) / SHADES, 0.0)[..., None]
    pixels = np.asarray(PAPER) * (1 - ink) + np.asarray(GROUND) * ink
    picture = Image.fromarray(np.round(pixels).astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    where = _pixels(_plane(finite), low, high)
    for x, y in where[((where >= 0) & (where < SIDE)).all(axis=1)].astype(int):
        draw.rectangle((x - 1, y - 1, x, y), fill=DOT)
    if data.centres is not None:
        _mark(draw, finite, data.centres, low, high)
    return picture


def _mark(
    draw: ImageDraw.ImageDraw, points: Tensor, modes: Centres, low: Array, high: Array
) -> None:
    hit = set(nearest_mode(points, modes).tolist())
    # Seen in two coordinates, a mode is a Gaussian of the plane, whatever its dimension.
    reach = np.maximum(mode_radius(2) * modes.deviation * SIDE / (high - low), LEAST_MARK)
    places = _pixels(_plane(modes.points.cpu().double()), low, high)
    for index, place in enumerate(places):
        if index in hit:
            draw.ellipse((*(place - reach), *(place + reach)), outline=FOUND, width=2)
        else:
            (left, top), (right, bottom) = place - LEAST_MARK, place + LEAST_MARK
            draw.line((left, top, right, bottom), fill=MISSED, width=3)
            draw.line((left, bottom, right, top), fill=MISSED, width=3)


def _counts(points: Array, low: Array, high: Array) -> Array:
    """Return how many points each pixel has, rows from the top."""
    limits = [(low[0], high[0]), (low[1], high[1])]
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=SIDE, range=limits)
    return np.asarray(counts.T[::-1], dtype=np.float64)


def _pixels(points: Array, low: Array, high: Array) -> Array:
    """Return where points lie, in pixels from the left and from the top."""
    shares = (points - low) / (high - low)
    return np.asarray(np.stack([shares[:, 0], 1 - shares[:, 1]], axis=1) * SIDE)


def _plane(points: Tensor) -> Array:
    if points.shape[1] == 1:
        points = torch.cat([points, torch.zeros_like(points)], dim=1)
    return np.asarray(points[:, :2].numpy(), dtype=np.float64)
