"""Stacks of digits: three in the three colour channels, and so 1,000 modes of known share.

``stacked_mnist``: of MNIST, 128,000 images of 28×28, as PacGAN has them (Lin et al., 2018,
section 4.2), after Unrolled GAN (Metz et al., 2017) and VEEGAN (Srivastava et al., 2017).
``stacked_digits``: its embedded twin, of scikit-learn's 1,797 digits of 8×8: nothing is
downloaded, and a study takes minutes where the other takes a day.

How to use: ``dataset: stacked_digits``, with ``metrics: [modes]`` among others and 26,000
samples, as in the papers. MNIST's files are looked for, and downloaded, as for ``mnist``.

Technical details: the digit of each channel is drawn by itself, uniformly from all digits and
with replacement, from a seed of the data set's own. A mode is a triple of digits: 0 to 999 in
the order in which it reads from the first channel. Triples are told by one classifier, trained
on the single digits, that looks at each channel alone. PacGAN draws from MNIST's 70,000 digits;
here it is the training split's 60,000, or the 10,000 of ``test``.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch

from ganbench.plugin import Asset, Data, Dataset, DatasetParameters, Field, Progress

from .digits import Digits
from .torchvision_sets import Mnist, Size, Split

CHANNELS = 3
Images = Annotated[int, Field(ge=2, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


def stack(single: Data, name: str, images: int, seed: int) -> Data:
    """Put independent draws of images into the channels of new ones.

    Parameters
    ----------
    single : Data
        Labelled images of one channel.
    name : str
        Of the new data.
    images : int
        How many to make.
    seed : int

    Raises
    ------
    ValueError
        If the images are not labelled, or have more than one channel.
    """
    if single.labels is None or single.items.shape[1] != 1:
        raise ValueError(f"{single.name}: expected labelled images of one channel")
    stream = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(single.items), (images, CHANNELS), generator=stream)
    digits, kinds = single.labels[drawn], len(single.classes)
    places = kinds ** torch.arange(CHANNELS - 1, -1, -1)
    return Data(
        name=name,
        items=single.items[drawn].squeeze(2),
        labels=(digits * places).sum(dim=1),
        classes=tuple("".join(each) for each in itertools.product(single.classes, repeat=CHANNELS)),
        notes=(*single.notes, f"{CHANNELS} of {len(single.items):,} digits in an image"),
        stacked_from=single,
    )


class StackedMnist(Dataset):
    """Stacked MNIST: three random digits in the colour channels, 1,000 modes."""

    name = "stacked_mnist"

    class Parameters(DatasetParameters):
        """Parameters of ``stacked_mnist``."""

        images: Images = 128_000
        """Images made."""
        size: Size = 28
        """Height and width in pixels; resized from 28 with antialiasing."""
        split: Split = "train"
        """MNIST's split that digits are drawn from."""
        seed: Seed = 0
        """Seed of the stacks; the trials' seeds do not change them."""

    def load(self, root: Path, progress: Progress) -> Data:
        """Return the stacks; MNIST is downloaded if it is not below ``root``.

        Raises
        ------
        DataError
            If one of MNIST's files is damaged, or is missing and cannot be downloaded.
        """
        p = self.parameters
        single = Mnist(Mnist.Parameters(size=p.size, split=p.split)).load(root, progress)
        return stack(single, self.name, p.images, p.seed)

    def assets(self, root: Path) -> Sequence[Asset]:
        """Return MNIST's."""
        return Mnist(Mnist.Parameters()).assets(root)


class StackedDigits(Dataset):
    """Stacked MNIST in small: scikit-learn's digits in the colour channels, 1,000 modes."""

    name = "stacked_digits"

    class Parameters(DatasetParameters):
        """Parameters of ``stacked_digits``."""

        images: Images = 20_000
        """Images made."""
        size: Annotated[int, Field(ge=8, le=64)] = 8
        """Height and width in pixels; above 8, interpolated bilinearly."""
        seed: Seed = 0
        """Seed of the stacks; the trials' seeds do not change them."""

    def load(self, root: Path, progress: Progress) -> Data:
        """Return the stacks; neither ``root`` nor a network is needed."""
        p = self.parameters
        single = Digits(Digits.Parameters(size=p.size)).load(root, progress)
        return stack(single, self.name, p.images, p.seed)
