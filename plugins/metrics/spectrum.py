"""The power spectrum of the samples beside the data's: checkerboards, blur, noise.

How to use: ``metrics: [fid, spectrum]``, on images of 8 pixels or more.

Parameters: none.

Details and trade-offs: P(u, v) is the mean of |F(u, v)|² over images and channels, F the
discrete Fourier transform of an image's grey levels, 0 to 255, without a window; to each
power comes height × width / 12, which is what rounding to 8 bits gives it and keeps its
logarithm finite.

``spectrum_distance``: the radial spectrum is the mean of P over the frequencies whose distance
from 0, in steps of one wave over the shorter side, rounds to 1, 2, ... up to half that side;
the figure is the root mean square over these radii of the difference between samples and data
in dB, 10 log10 of power. ``high_frequency``: the power of the samples over the data's, all
frequencies of more than a quarter of a wave a pixel together.

``checkerboard_p``: an up-sampling step by strided layers leaves a grid which repeats every p
pixels: 2 for the last doubling, 4 for the one before it. Its power lies at 1/p of a wave a
pixel along either axis and along the diagonals. There, P over the geometric mean of P at the 8
neighbouring frequencies, averaged over these directions, is the peak; the figure is the
samples' peak over the data's. So blur, noise and contrast, which change neighbours alike, leave
it near 1, and a grid of amplitude a on noise of variance s² makes P there a² × height × width /
s² times as high. Only those p are measured that divide both sides, at least four times.
``checkerboard`` is the largest of them: of a perfect generator a little above 1, by chance. A
generator that makes a few images again and again has a ragged spectrum, with peaks anywhere: read
it beside ``diversity``.

Cost: a Fourier transform an image; next to none.

Attribution: Odena et al., 2016, "Deconvolution and checkerboard artifacts" (what the grid is,
and where from); Durall et al., 2020, section 3 (the azimuthal average, and that up-sampling
distorts it). The ratio to neighbours and data is ours.
"""

import math

import torch
from torch import Tensor

from ganbench.plugin import Data, Metric, MetricContext, MetricParameters

from ._images import in_batches, takes_images
from ._once import OfData

PERIODS = (2, 4, 8, 16)
"""Pixels after which the grid of an up-sampling step may repeat."""
REPEATS = 4
"""Times that a grid must fit into an image to be told from its neighbouring frequencies."""
ROUNDING = 1 / 12
"""Variance of rounding a grey level to a whole number."""


def power_spectrum(images: Tensor) -> Tensor:
    """Return the mean of |F|² over images and channels, and of rounding.

    Parameters
    ----------
    images : Tensor, shape (items, channels, height, width), uint8

    Returns
    -------
    Tensor, shape (height, width), float64
        In squared grey levels; the frequency 0 comes first, as ``torch.fft.fft2`` has it.
    """
    height, width = images.shape[2:]
    total = sum(
        torch.fft.fft2(batch).abs().square().sum(dim=(0, 1)) for batch in in_batches(images)
    )
    spectrum: Tensor = total / (images.shape[0] * images.shape[1])
    return spectrum + ROUNDING * height * width


def frequencies(height: int, width: int) -> Tensor:
    """Return the distance of each frequency from 0, in waves a pixel: shape (height, width)."""
    down, across = (torch.fft.fftfreq(size, dtype=torch.float64) for size in (height, width))
    return torch.hypot(down[:, None], across[None])


def radial_spectrum(spectrum: Tensor) -> Tensor:
    """Return the azimuthal average of a spectrum, without the frequency 0.

    Parameters
    ----------
    spectrum : Tensor, shape (height, width)

    Returns
    -------
    Tensor, shape (min(height, width) // 2,)
    """
    side = min(spectrum.shape)
    radii = (frequencies(*spectrum.shape) * side).round().long().flatten().to(spectrum.device)
    sums = torch.bincount(radii, weights=spectrum.flatten())
    return (sums / torch.bincount(radii).clamp(min=1))[1 : side // 2 + 1]


def periods_of(height: int, width: int) -> tuple[int, ...]:
    """Return the periods of ``PERIODS`` that fit into images, each often enough."""
    return tuple(
        period
        for period in PERIODS
        if all(size % period == 0 and size >= REPEATS * period for size in (height, width))
    )


def peak(spectrum: Tensor, period: int) -> float:
    """Return the power of a grid of some period over that of neighbouring frequencies.

    Parameters
    ----------
    spectrum : Tensor, shape (height, width)
    period : int
        One of ``periods_of``.

    Returns
    -------
    float
        The mean of the ratios along the axes and the diagonals; 1 for white noise.
    """
    height, width = spectrum.shape
    down, across = height // period, width // period
    # With a period of two pixels both diagonals lead to the same frequency.
    places = {(down, 0), (0, across), (down, across), (down, -across % width)}
    logs = spectrum.log()
    ratios = []
    for row, column in sorted(places):
        rows = [(row + step) % height for step in (-1, 0, 1)]
        columns = [(column + step) % width for step in (-1, 0, 1)]
        around = logs[rows][:, columns].sum() - logs[row, column]
        ratios.append(float((logs[row, column] - around / 8).exp()))
    return math.fsum(ratios) / len(ratios)


def compare_spectra(samples: Tensor, data: Tensor) -> dict[str, float]:
    """Return the figures of two spectra, both of shape (height, width)."""
    height, width = samples.shape
    apart = 10 * (radial_spectrum(samples) / radial_spectrum(data)).log10()
    high = (frequencies(height, width) > 1 / 4).to(samples.device)
    figures = {
        "spectrum_distance": float(apart.square().mean().sqrt()),
        "high_frequency": float(samples[high].sum() / data[high].sum()),
    }
    grids = {
        f"checkerboard_{period}": peak(samples, period) / peak(data, period)
        for period in periods_of(height, width)
    }
    if grids:
        figures |= {"checkerboard": max(grids.values()), **grids}
    return figures


def _of_period(period: int, steps: str) -> str:
    return (
        f"the same of a grid that repeats every {period} pixels, as {steps} leaves; left out "
        f"unless both sides of an image are a multiple of {period}, four times as long or more"
    )


class Spectrum(Metric):
    """Checkerboards, and the distance of the radial power spectrum from the data's."""

    name = "spectrum"
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "spectrum_distance": "root mean square difference between the radial power spectra of "
        "samples and data, in dB; 0 is best, lower is better",
        "high_frequency": "power of the samples over the data's at more than a quarter of a wave "
        "a pixel; 1 as in the data, less where samples are blurred, more where they are noisy",
        "checkerboard": "power of a regular grid over that of neighbouring frequencies, as a "
        "ratio to the data's; the largest over the periods measured; about 1 without artefacts, "
        "more with a checkerboard",
        "checkerboard_2": _of_period(2, "the last doubling of a generator"),
        "checkerboard_4": _of_period(4, "the doubling before the last"),
        "checkerboard_8": _of_period(8, "the doubling before that"),
        "checkerboard_16": _of_period(16, "a doubling yet earlier"),
    }
    lower_is_better = ("spectrum_distance", "checkerboard")

    def __init__(self, parameters: MetricParameters) -> None:
        super().__init__(parameters)
        self._data_spectrum = OfData(lambda ctx: power_spectrum(ctx.data.items))

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need images with room for a grid."""
        return takes_images(data, least=REPEATS * PERIODS[0])

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return the figures that the size of the images allows."""
        data = self._data_spectrum(ctx)
        samples = power_spectrum(ctx.samples)
        return compare_spectra(samples, data.to(samples.device))
