"""The metrics sharpness and noise: by hand, by scipy, on images with planted points and grain."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from ganbench_plugins.metrics import noise, sharpness
from sklearn.datasets import load_sample_image

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.evaluator import EvaluationError, Evaluator
from ganbench.plugin import Data


class Shown:
    """As much of an evaluation as the metrics look at."""

    def __init__(self, data, samples):
        self.data, self.samples = data, samples


def as_bytes(images):
    return images.round().clamp(0, 255).to(torch.uint8)


def grain(count, size, deviation, seed=0, middle=128):
    draws = torch.Generator().manual_seed(seed)
    return middle + deviation * torch.randn(count, 1, size, size, generator=draws)


def measure(host, name, data, samples, **parameters):
    metric = host.create("metric", name, parameters)
    return metric.compute(Shown(Data("made", as_bytes(data)), as_bytes(samples)))


@pytest.fixture(scope="module")
def photograph():
    """Parts of a photograph, 32 pixels wide, three channels."""
    whole = torch.tensor(load_sample_image("china.jpg")).permute(2, 0, 1)
    parts = whole[:, :416, :640].unfold(1, 32, 32).unfold(2, 32, 32)
    return parts.permute(1, 2, 0, 3, 4).flatten(0, 1).contiguous()


def test_laplacian_and_gradient_are_scipys_inside_the_border(photograph):
    images = photograph[:40].numpy().astype(float)
    planes = images.reshape(-1, 32, 32)
    variances = [scipy.ndimage.laplace(plane)[1:-1, 1:-1].var() for plane in planes]
    lengths = [np.hypot(*np.gradient(plane))[1:-1, 1:-1].mean() for plane in planes]
    found = sharpness.sharpness_of(photograph[:40])
    assert found.laplacian_variance == pytest.approx(np.mean(variances), rel=1e-9)
    assert found.gradient == pytest.approx(np.mean(lengths), rel=1e-9)


def test_a_slope_has_a_gradient_and_no_laplacian():
    slope = (3 * torch.arange(10) + torch.arange(10)[:, None] * 4).to(torch.uint8)[None, None]
    assert sharpness.sharpness_of(slope) == pytest.approx((0, 5))


def test_noise_has_twenty_times_its_variance_in_the_laplacian(host):
    # Weights 1, 1, 1, 1 and -4: their squares sum to 20; rounding adds 1/12 to the variance.
    found = sharpness.sharpness_of(as_bytes(grain(400, 32, 12)))
    assert found.laplacian_variance == pytest.approx(20 * (144 + 1 / 12), rel=0.01)


def test_sharpness_is_the_square_of_contrast_and_the_gradient_its_first_power(host):
    found = measure(host, "sharpness", grain(200, 16, 10, 1), grain(200, 16, 30, 2))
    assert found["sharpness"] == pytest.approx(9, rel=0.05)
    assert found["gradient"] == pytest.approx(3, rel=0.05)
    assert found["sharpness_gap"] == pytest.approx(math.log(9), rel=0.05)


def test_real_parts_read_one_and_blurred_ones_less_in_order(host, photograph):
    first, second = photograph[::2].float(), photograph[1::2].float()
    real = measure(host, "sharpness", first, second)
    assert real["sharpness"] == pytest.approx(1, abs=0.15)
    assert real["gradient"] == pytest.approx(1, abs=0.15)
    blurred = [
        measure(
            host,
            "sharpness",
            first,
            torch.from_numpy(scipy.ndimage.gaussian_filter(second, (0, 0, width, width))),
        )
        for width in (0.5, 1, 2)
    ]
    for figure in ("sharpness", "gradient"):
        values = [real[figure], *(each[figure] for each in blurred)]
        assert values == sorted(values, reverse=True)
    assert blurred[2]["sharpness"] < 0.05
    assert blurred[2]["sharpness_gap"] > blurred[0]["sharpness_gap"] > real["sharpness_gap"]


def test_flat_samples_have_no_sharpness(host, photograph):
    flat = torch.full((5, 3, 32, 32), 70.0)
    assert measure(host, "sharpness", photograph, flat) == {}
    assert measure(host, "sharpness", flat, photograph) == {}


def test_data_of_single_pixel_grids_have_a_laplacian_and_no_gradient(host):
    board = 255.0 * ((torch.arange(8)[:, None] + torch.arange(8)) % 2)
    data, half = board.repeat(5, 1, 1, 1), (0.4 * board).repeat(5, 1, 1, 1)
    found = measure(host, "sharpness", data, half)
    assert found["sharpness"] == pytest.approx((102 / 255) ** 2)
    assert "gradient" not in found


def test_points_are_counted_one_by_one():
    image = torch.full((1, 1, 12, 12), 100, dtype=torch.uint8)
    image[0, 0, 2, 2], image[0, 0, 6, 6], image[0, 0, 9, 3] = 255, 0, 165
    assert noise.noise_of(image, 64)[:2] == (3, 100)
    assert noise.noise_of(image, 65)[:2] == (2, 100)
    assert noise.noise_of(image, 155)[:2] == (0, 100)
    # Two side by side count, three in a row are a stroke, of which only the ends stand alone.
    image[0, 0, 6, 7] = 0
    assert noise.noise_of(image, 64).points == 4
    image[0, 0, 6, 8] = 0
    assert noise.noise_of(image, 64).points == 4
    image[0, 0, 7, 7] = 0
    assert noise.noise_of(image, 64).points == 2


def test_edges_strokes_and_gratings_are_no_points():
    edge = torch.zeros(16, 16)
    edge[:, 8:] = 255
    stroke = torch.zeros(16, 16)
    stroke[:, 8] = 255
    diagonal = 255 * torch.eye(16)
    board = 255.0 * (torch.arange(16)[:, None] + torch.arange(16)) % 510
    images = as_bytes(torch.stack([edge, stroke, diagonal, board])[:, None])
    assert noise.noise_of(images, 64).points == 0


def test_the_median_is_scipys(photograph):
    planes = photograph[-12:].numpy().astype(float).reshape(-1, 32, 32)
    ring = np.ones((3, 3), dtype=bool)
    ring[1, 1] = False

    def stands_out(plane):
        median = scipy.ndimage.generic_filter(plane, np.median, footprint=ring)
        near = scipy.ndimage.generic_filter(
            plane, lambda nine: (abs(nine - nine[4]) <= 20).sum() - 1, size=3
        )
        return ((abs(plane - median) > 20) & (near <= 1))[1:-1, 1:-1].sum()

    expected = sum(stands_out(plane) for plane in planes)
    assert expected > 20
    assert noise.noise_of(photograph[-12:], 20).points == expected


@pytest.mark.parametrize("share", [0.001, 0.01])
def test_salt_and_pepper_is_counted_at_its_share(host, share):
    flat = torch.full((400, 1, 32, 32), 128.0)
    draws = torch.Generator().manual_seed(4)
    hit = torch.rand(flat.shape, generator=draws) < share
    salted = torch.where(hit, 255 * (torch.rand(flat.shape, generator=draws) < 0.5), flat)
    found = measure(host, "noise", flat, salted)
    # Alone, or with one neighbour of its own kind among 8.
    alike = share / 2
    expected = share * ((1 - alike) ** 8 + 8 * alike * (1 - alike) ** 7)
    assert found["noise_points_share"] == pytest.approx(expected, rel=0.05)
    pixels = 400 * 30 * 30
    assert found["noise_points"] == pytest.approx(
        (found["noise_points_share"] * pixels + 0.5) / 0.5
    )
    assert found["noise_points_gap"] == pytest.approx(math.log(found["noise_points"]))
    assert "noise_level" not in found


@pytest.mark.parametrize("deviation", [2.0, 8.0, 25.0])
def test_the_level_of_noise_on_a_slope_is_its_standard_deviation(deviation):
    slope = 40 + 4 * torch.arange(32.0) + 1.5 * torch.arange(32.0)[:, None]
    found = noise.noise_of(as_bytes(slope + grain(300, 32, deviation, middle=0)), 64)
    assert found.level == pytest.approx(math.sqrt(deviation**2 + 1 / 12), rel=0.01)


def test_the_level_is_immerkaers_by_scipys_convolution(photograph):
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    planes = photograph[:30].numpy().astype(float).reshape(-1, 32, 32)
    levels = [
        math.sqrt(math.pi / 2)
        / (6 * 30 * 30)
        * abs(scipy.ndimage.convolve(plane, mask)[1:-1, 1:-1]).sum()
        for plane in planes
    ]
    assert noise.noise_of(photograph[:30], 64).level == pytest.approx(np.mean(levels), rel=1e-9)


def test_real_parts_have_the_datas_noise_and_grain_lifts_it_in_order(host, photograph):
    first, second = photograph[::2].float(), photograph[1::2].float()
    levels = [0, 5, 15, 40]
    noises = [grain(len(second), 32, level, middle=0) for level in levels]
    found = [measure(host, "noise", first, second + each) for each in noises]
    assert found[0]["noise_level"] == pytest.approx(1, abs=0.15)
    assert found[0]["noise_points"] == pytest.approx(1, abs=0.5)
    assert [each["noise_level"] for each in found] == sorted(each["noise_level"] for each in found)
    # Grain of 5 grey levels makes no point of 64.
    assert found[1]["noise_points"] == pytest.approx(found[0]["noise_points"], rel=0.05)
    assert found[1]["noise_points"] < found[2]["noise_points"] < found[3]["noise_points"]
    assert found[3]["noise_points"] > 5
    assert found[3]["noise_level_gap"] == pytest.approx(math.log(found[3]["noise_level"]))


def test_a_study_can_be_judged_by_them_and_points_cannot(digits, host, cache):
    names = ("fid", "spectrum", "sharpness", "noise")
    settings = {"metrics": tuple(Component(name=name) for name in names), "samples": 500}
    primaries = ("noise_points", "noise_level_gap", "sharpness_gap", "spectrum_distance")
    for primary in primaries:
        chosen = Evaluation(primary=primary, **settings)
        measured = Evaluator(chosen, digits, host, torch.device("cpu"), cache)
    figures = measured.evaluate(digits.items[:500])
    assert figures["noise_points"] == pytest.approx(1, abs=0.3)
    assert figures["sharpness"] == pytest.approx(1, abs=0.1)
    assert figures["checkerboard"] == pytest.approx(1, abs=0.2)
    with pytest.raises(EvaluationError, match="'sharpness', which is not declared as lower"):
        Evaluator(
            Evaluation(primary="sharpness", **settings), digits, host, torch.device("cpu"), cache
        )
    cloud = Data("cloud", torch.zeros(3, 2))
    for name in names[1:]:
        assert host.create("metric", name).applies(cloud)[0] is False
