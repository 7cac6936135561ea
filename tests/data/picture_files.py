"""Image files to put into a folder."""

import numpy as np
from PIL import Image


def plain(path, colour=(10, 200, 30), size=(12, 9), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
