"""Handwritten digits that come with scikit-learn: 1,797 real images of 8×8, 10 classes.

The test half of the UCI set *Optical Recognition of Handwritten Digits* (Alpaydin and
Kaynak, 1998): 43 people's digits, scanned at 32×32, of which each pixel here counts the
inked points of a 4×4 block, 0 to 16.

How to use: ``dataset: digits``, or ``{name: digits, size: 16}``. Nothing is downloaded, so it
is the data set for a first study and for tests. Its small size is also its limit: a FID
against 1,797 images is biased upward, and results do not carry over to natural images.

Technical details: counts become grey levels by v · 255 / 16, rounded, so 16 is 255 exactly.
Larger sizes are interpolated bilinearly: they show no more detail than the 8×8 original.
"""

from importlib.metadata import distribution
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from ganbench.plugin import Data, Dataset, DatasetParameters, Field, Progress

from ._resize import resize, resize_note

NATIVE_SIZE = 8
LEVELS = 16


def to_grey(counts: np.ndarray) -> np.ndarray:
    """Scale counts 0 to 16 to uint8 0 to 255, rounded to nearest.

    Parameters
    ----------
    counts : ndarray of any shape, whole numbers in [0, 16]
    """
    return np.rint(counts * (255 / LEVELS)).astype(np.uint8)


def _table() -> Path:
    """Return the file that ``sklearn.datasets.load_digits`` reads, importing nothing.

    To import scikit-learn takes a second, in the command and in each worker.
    """
    return Path(
        str(distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz"))
    )


class Digits(Dataset):
    """1,797 real handwritten digits of 8×8, embedded in scikit-learn: no download."""

    name = "digits"

    class Parameters(DatasetParameters):
        """Parameters of ``digits``."""

        size: Annotated[int, Field(ge=8, le=64)] = NATIVE_SIZE
        """Height and width in pixels; above 8, interpolated bilinearly."""

    def load(self, root: Path, progress: Progress) -> Data:
        """Return the digits; neither ``root`` nor a network is needed."""
        table = np.loadtxt(_table(), delimiter=",", dtype=np.int64)
        counts, labels = table[:, :-1], table[:, -1]
        images = torch.from_numpy(to_grey(counts)).view(-1, 1, NATIVE_SIZE, NATIVE_SIZE)
        return Data(
            name=self.name,
            items=resize(images, self.parameters.size),
            labels=torch.from_numpy(labels.copy()),
            classes=tuple(str(digit) for digit in range(10)),
            notes=resize_note(NATIVE_SIZE, self.parameters.size),
        )
