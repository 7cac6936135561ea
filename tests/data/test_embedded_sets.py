"""digits, ring, grid and mixture: the data sets that need no file."""

import math

import pytest
import torch
from sklearn.datasets import load_digits

from ganbench.data.load import find_problem, load_data
from ganbench.plugin import DataError, Host


@pytest.fixture(scope="module")
def host():
    return Host()


def test_digits_are_scikit_learns_scaled_exactly(host, tmp_path):
    data = load_data("digits", {}, host, tmp_path / "nowhere")
    reference = load_digits()
    # v * 255 / 16 for v = 0 to 16, rounded by hand: only 8 -> 127.5 is a tie, and goes up.
    greys = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    expected = [[[greys[int(v)] for v in row] for row in image] for image in reference.images]
    assert data.items[:, 0].tolist() == expected
    assert data.labels.tolist() == reference.target.tolist()
    assert data.classes == ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    assert data.items.shape == (1797, 1, 8, 8)
    assert data.notes == ()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("size", [9, 16, 64])
def test_larger_digits_are_bilinear(host, tmp_path, size):
    from PIL import Image

    data = load_data("digits", {"size": size}, host, tmp_path)
    small = load_data("digits", {}, host, tmp_path)
    assert data.items.shape == (1797, 1, size, size)
    assert data.items.dtype == torch.uint8
    assert f"8×8 to {size}×{size}" in data.notes[0]
    for index in (0, 900, 1796):
        image = Image.fromarray(small.items[index, 0].numpy())
        reference = torch.tensor(
            list(image.resize((size, size), Image.Resampling.BILINEAR).tobytes())
        )
        difference = data.items[index].flatten().int() - reference.int()
        assert difference.abs().max() <= 1  # Pillow rounds between its two passes


@pytest.mark.parametrize("size", [7, 65, 8.0, "8", True])
def test_a_size_outside_8_to_64_or_no_whole_number_is_refused(host, size):
    with pytest.raises(DataError, match="size"):
        load_data("digits", {"size": size}, host)


def test_the_ring_has_its_modes_where_pacgan_puts_them(host, tmp_path):
    data = load_data("ring", {}, host, tmp_path)
    assert data.items.shape == (100_000, 2)
    assert data.items.dtype == torch.float32
    assert data.centres.deviation == 0.01
    half = math.sqrt(0.5)
    expected = [(1, 0), (half, half), (0, 1), (-half, half)]
    expected += [(-x, -y) for x, y in expected]
    torch.testing.assert_close(data.centres.points, torch.tensor(expected), atol=1e-6, rtol=0)
    assert len(data.classes) == 8


def test_the_grid_has_its_modes_where_pacgan_puts_them(host, tmp_path):
    data = load_data("grid", {}, host, tmp_path)
    expected = {(x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)}
    assert {tuple(point) for point in data.centres.points.tolist()} == expected
    assert data.centres.deviation == 0.05
    assert data.items.shape == (100_000, 2)
    assert len(data.classes) == 25


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_the_points_are_a_mixture_of_equal_gaussians(host, tmp_path, name, modes):
    data = load_data(name, {}, host, tmp_path)
    n, deviation = len(data.items), data.centres.deviation
    offsets = (data.items - data.centres.points[data.labels]).double() / deviation
    radii = offsets.norm(dim=1)
    for sigmas in (1, 2, 3):
        # A plane Gaussian's radius is Rayleigh's: within 3 sigma are 1 - e^-4.5 = 98.89 %.
        expected = 1 - math.exp(-(sigmas**2) / 2)
        spread = math.sqrt(expected * (1 - expected) / n)
        assert (radii <= sigmas).double().mean().item() == pytest.approx(expected, abs=5 * spread)
    assert offsets.mean(dim=0).abs().max() < 5 / math.sqrt(n)
    covariance = offsets.T @ offsets / n
    torch.testing.assert_close(
        covariance, torch.eye(2, dtype=torch.float64), atol=5 * math.sqrt(2 / n), rtol=0
    )
    counts = torch.bincount(data.labels, minlength=modes).double()
    assert (counts - n / modes).abs().max() < 5 * math.sqrt(n / modes)
    # The modes are far apart: the label is the nearest centre's.
    assert torch.equal(torch.cdist(data.items, data.centres.points).argmin(dim=1), data.labels)


def test_the_parameters_of_the_mixtures_change_what_they_say(host, tmp_path):
    ring = {"modes": 3, "radius": 2.0, "deviation": 0.5, "samples": 50, "seed": 1}
    data = load_data("ring", ring, host, tmp_path)
    torch.testing.assert_close(data.centres.points.norm(dim=1), torch.full((3,), 2.0))
    assert (len(data.items), len(data.classes), data.centres.deviation) == (50, 3, 0.5)
    grid = load_data("grid", {"side": 2, "spacing": 3.0, "samples": 50}, host, tmp_path)
    assert {tuple(p) for p in grid.centres.points.tolist()} == {
        (x, y) for x in (-1.5, 1.5) for y in (-1.5, 1.5)
    }
    assert find_problem(grid) is None


def test_the_points_depend_on_their_seed_alone(host, tmp_path):
    torch.manual_seed(1)
    first = load_data("ring", {"samples": 100}, host, tmp_path).items
    state = torch.get_rng_state()
    assert torch.equal(load_data("ring", {"samples": 100}, host, tmp_path).items, first)
    assert torch.equal(torch.get_rng_state(), state)
    other = load_data("ring", {"samples": 100, "seed": 1}, host, tmp_path).items
    assert not torch.equal(other, first)


@pytest.mark.parametrize("name", ["ring", "grid", "mixture"])
def test_held_out_points_are_further_ones_of_the_same_mixture(host, tmp_path, name):
    data = load_data(name, {"samples": 100}, host, tmp_path)
    assert data.held_out.shape == (1000, *data.shape)
    distances = torch.cdist(data.held_out, data.centres.points).min(dim=1).values
    deviations = distances / data.centres.deviation
    assert deviations.square().mean() == pytest.approx(data.shape[0], rel=0.15)
    assert torch.cdist(data.held_out, data.items).min() > 0


def test_the_mixture_is_of_equal_gaussians_far_apart(host, tmp_path):
    from scipy.stats import chi2

    data = load_data("mixture", {"samples": 20_000}, host, tmp_path)
    assert data.items.shape == (20_000, 64)
    assert len(data.classes) == 10
    assert torch.pdist(data.centres.points).min().item() == pytest.approx(2.0)
    assert find_problem(data) is None
    squares = ((data.items - data.centres.points[data.labels]).double() / 0.05).square().sum(dim=1)
    for share in (0.1, 0.5, 0.9):
        found = (squares <= chi2.ppf(share, 64)).double().mean().item()
        assert found == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / 20_000))
    # The modes are far apart: the label is the nearest centre's.
    assert torch.equal(torch.cdist(data.items, data.centres.points).argmin(dim=1), data.labels)
    assert (data.labels.bincount() - 2000).abs().max() < 5 * math.sqrt(2000)


def test_the_mixtures_places_depend_on_its_seed(host, tmp_path):
    small = {"dimensions": 3, "modes": 4, "distance": 5.0, "samples": 50}
    first, again, other = (
        load_data("mixture", {**small, "seed": seed}, host, tmp_path) for seed in (1, 1, 2)
    )
    assert first.centres.points.shape == (4, 3)
    assert torch.pdist(first.centres.points).min().item() == pytest.approx(5.0)
    assert torch.equal(first.items, again.items)
    assert not torch.equal(first.centres.points, other.centres.points)
