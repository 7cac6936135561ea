"""The spectrum metric, on images whose spectrum is known by arithmetic."""

import math

import numpy as np
import pytest
import torch
from ganbench_plugins.metrics import spectrum

from ganbench.plugin import Data


class Evaluation:
    """As much of an evaluation as the metric looks at."""

    def __init__(self, data, samples):
        self.data, self.samples = data, samples


def as_bytes(images):
    return images.round().clamp(0, 255).to(torch.uint8)


def noise(count, size, deviation=20.0, seed=0, channels=1):
    draws = torch.Generator().manual_seed(seed)
    return 128 + deviation * torch.randn(count, channels, size, size, generator=draws)


def grid(size, period):
    """A pattern of waves of one period along both axes: zero mean, values -1 and 1 for 2."""
    wave = torch.cos(2 * math.pi * torch.arange(size) / period)
    return wave[:, None] * wave[None]


def measure(host, data, samples):
    metric = host.create("metric", "spectrum")
    return metric.compute(Evaluation(Data("made", as_bytes(data)), as_bytes(samples)))


def smooth(images, times=1):
    for _ in range(times):
        images = torch.nn.functional.avg_pool2d(
            torch.nn.functional.pad(images, (1, 1, 1, 1), mode="circular"), 3, stride=1
        )
    return images


def test_white_noise_is_flat_and_as_strong_as_its_variance():
    found = spectrum.power_spectrum(as_bytes(noise(4000, 16)))
    expected = 16 * 16 * (20**2 + 1 / 12)
    # Rounding to bytes adds 1/12 too, beside the 1/12 that the definition adds.
    flat = found.flatten()[1:]
    assert flat.mean().item() == pytest.approx(expected + 256 / 12, rel=0.01)
    assert flat.std().item() < 0.03 * expected
    radial = spectrum.radial_spectrum(found)
    assert len(radial) == 8
    assert spectrum.peak(found, 2) == pytest.approx(1, abs=0.05)
    assert spectrum.peak(found, 4) == pytest.approx(1, abs=0.05)


def test_the_spectrum_is_numpys_and_averages_over_images_and_channels():
    images = as_bytes(noise(5, 12, channels=3))[..., :10]
    powers = np.abs(np.fft.fft2(images.numpy().astype(float))) ** 2
    expected = powers.mean(axis=(0, 1)) + 12 * 10 / 12
    np.testing.assert_allclose(spectrum.power_spectrum(images), expected, rtol=1e-9)


def test_radii_are_rounded_and_end_at_half_the_side():
    whole = torch.arange(36.0).reshape(6, 6).double()
    steps = np.fft.fftfreq(6) * 6
    radii = np.round(np.hypot(steps[:, None], steps[None]))
    expected = [whole.numpy()[radii == radius].mean() for radius in (1, 2, 3)]
    assert spectrum.radial_spectrum(whole).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("amplitude", [2.0, 5.0, 15.0])
def test_a_planted_checkerboard_is_as_high_as_arithmetic_says(host, amplitude):
    size, deviation = 32, 20.0
    data, samples = noise(1500, size, seed=1), noise(1500, size, seed=2)
    found = measure(host, data, samples + amplitude * grid(size, 2))
    # All its power lies on the diagonal, one of three directions.
    variance = deviation**2 + 2 / 12
    ratio = 1 + amplitude**2 * size**2 / variance
    assert found["checkerboard_2"] == pytest.approx((2 + ratio) / 3, rel=0.06)
    assert found["checkerboard"] == found["checkerboard_2"]
    assert found["checkerboard_4"] == pytest.approx(1, abs=0.1)
    assert found["checkerboard_8"] == pytest.approx(1, abs=0.1)


def test_stripes_are_seen_along_their_axis(host):
    stripes = (torch.arange(16) % 2 * 2 - 1.0)[None]
    for pattern in (stripes, stripes.T):
        found = measure(host, noise(800, 16, seed=1), noise(800, 16, seed=2) + 5 * pattern)
        ratio = 1 + 25 * 256 / (400 + 1 / 6)
        assert found["checkerboard_2"] == pytest.approx((2 + ratio) / 3, rel=0.1)


@pytest.mark.parametrize("period", [4, 8, 16])
def test_a_grid_of_an_earlier_doubling_is_told_from_that_of_the_last(host, period):
    size = 64
    found = measure(
        host, noise(400, size, seed=1), noise(400, size, seed=2) + 8 * grid(size, period)
    )
    # A product of two waves: a quarter of the amplitude at each of four places, which are both
    # diagonals and their mirror images.
    ratio = 1 + (8 / 4 * size**2) ** 2 / (size**2 * (400 + 1 / 6))
    assert found[f"checkerboard_{period}"] == pytest.approx((1 + ratio) / 2, rel=0.1)
    others = {2, 4, 8, 16} - {period}
    assert all(found[f"checkerboard_{each}"] < 1.3 for each in others)


def test_a_grid_that_differs_from_image_to_image_is_seen_too(host):
    signs = torch.randint(2, (1000, 1, 1, 1), generator=torch.Generator().manual_seed(3)) * 2 - 1
    found = measure(
        host, noise(1000, 16, seed=1), noise(1000, 16, seed=2) + 10 * signs * grid(16, 2)
    )
    assert found["checkerboard_2"] > 15


def test_real_images_read_as_none_of_it(host, digits):
    order = torch.randperm(len(digits.items), generator=torch.Generator().manual_seed(5))
    halves = digits.items[order[:900]].float(), digits.items[order[900:]].float()
    found = measure(host, *halves)
    assert found["spectrum_distance"] < 0.5
    assert found["high_frequency"] == pytest.approx(1, abs=0.05)
    assert found["checkerboard"] == pytest.approx(1, abs=0.15)


def test_data_against_themselves_are_at_no_distance(host):
    images = noise(50, 16)
    found = measure(host, images, images)
    assert found["spectrum_distance"] == 0
    assert found["high_frequency"] == found["checkerboard"] == 1


def test_blur_takes_high_frequencies_and_leaves_the_checkerboard(host):
    data = smooth(noise(600, 32, deviation=60, seed=1))
    other = smooth(noise(600, 32, deviation=60, seed=2))
    blurred = smooth(other)
    found, sharp = measure(host, data, blurred), measure(host, data, other)
    assert sharp["high_frequency"] == pytest.approx(1, abs=0.03)
    assert found["high_frequency"] < 0.2
    assert found["spectrum_distance"] > 3 > 0.3 > sharp["spectrum_distance"]


def test_twice_the_contrast_is_six_decibels_and_no_checkerboard(host):
    once = noise(800, 16, deviation=15, seed=1)
    found = measure(host, once, 128 + 2 * (once - 128))
    assert found["spectrum_distance"] == pytest.approx(20 * math.log10(2), rel=0.01)
    assert found["high_frequency"] == pytest.approx(4, rel=0.01)
    assert found["checkerboard"] == pytest.approx(1, abs=0.02)


def test_noise_of_a_known_level_is_read_from_the_high_frequencies(host):
    # On flat data only rounding has power: 1/12 that the definition adds.
    found = measure(host, torch.full((40, 1, 16, 16), 90.0), noise(800, 16, deviation=10))
    assert found["high_frequency"] == pytest.approx((100 + 2 / 12) / (1 / 12), rel=0.02)
    assert math.isfinite(found["spectrum_distance"])


@pytest.mark.parametrize(
    ("shape", "periods"),
    [
        ((8, 8), (2,)),
        ((28, 28), (2, 4)),
        ((32, 32), (2, 4, 8)),
        ((64, 48), (2, 4, 8)),
        ((9, 9), ()),
    ],
)
def test_only_grids_that_fit_are_looked_for(shape, periods):
    assert spectrum.periods_of(*shape) == periods


def test_images_too_small_or_points_are_refused(host):
    metric = host.create("metric", "spectrum")
    small = Data("small", torch.zeros(3, 1, 7, 9, dtype=torch.uint8))
    assert metric.applies(small) == (
        False,
        "it takes images of 8 pixels or more, and these have 7×9",
    )
    assert metric.applies(Data("cloud", torch.zeros(3, 2)))[0] is False
    assert metric.applies(Data("fit", torch.zeros(3, 1, 8, 9, dtype=torch.uint8)))[0]


def test_spectra_of_the_data_are_computed_once_and_of_other_data_anew(host, monkeypatch):
    seen = []
    original = spectrum.power_spectrum
    metric = spectrum.Spectrum(spectrum.Spectrum.Parameters())
    metric._data_spectrum._measure = lambda ctx: seen.append(1) or original(ctx.data.items)
    data = Data("one", as_bytes(noise(20, 8)))
    first = metric.compute(Evaluation(data, as_bytes(noise(20, 8, seed=3))))
    assert metric.compute(Evaluation(data, as_bytes(noise(20, 8, seed=3)))) == first
    assert seen == [1]
    other = metric.compute(Evaluation(Data("two", as_bytes(noise(20, 8, 40))), data.items))
    assert seen == [1, 1]
    assert other["high_frequency"] < 0.5
