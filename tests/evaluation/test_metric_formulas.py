"""The metrics' formulas: by hand, by independent code, at their limits."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from ganbench_plugins.metrics import _features, _score, fid_infinity, kid, prdc, vendi
from made_up_features import features
from scipy import stats

from ganbench.evaluation.frechet import frechet_distance, moments


def test_kid_of_four_points_by_hand():
    # Kernel (xy + 1)^3 in one dimension: k(0, 0) = k(0, 1) = 1, k(1, 1) = 8, k(1, 2) = 27.
    samples, data = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]])
    expected = (1 + 27) - 2 * (1 + 1 + 8 + 27) / 4
    assert kid.subset_distances(samples, data, 3, 2).tolist() == pytest.approx([expected] * 3)


def test_kid_is_unbiased_at_any_size_and_fid_is_not():
    few, many = (
        [
            (
                kid.subset_distances(first, second, 2, count).mean().item(),
                frechet_distance(moments(first), moments(second)),
            )
            for seed in range(40)
            for first, second in [
                (features(count, 8, seed), features(count, 8, seed + 1000)),
            ]
        ]
        for count in (20, 160)
    )
    (kids, fids), (later_kids, later_fids) = (np.array(each).T for each in (few, many))
    assert abs(stats.ttest_1samp(kids, 0).statistic) < 3
    assert abs(stats.ttest_1samp(later_kids, 0).statistic) < 3
    assert fids.mean() > 4 * later_fids.mean()


def test_subsets_are_half_of_too_few_samples(host):
    class Few:
        features = features(40, 6, 1)

        def reference_features(self):
            return features(30, 6, 2)

    found = host.create("metric", "kid").compute(Few())
    halves = kid.subset_distances(features(40, 6, 1), features(30, 6, 2), 100, 15)
    assert found["kid"] == halves.mean().item()
    assert found["kid_std"] > 0


def test_vendi_counts_directions_at_right_angles():
    axes = torch.eye(5).repeat(4, 1)
    assert vendi.vendi_score(axes) == pytest.approx(5)
    assert vendi.vendi_score(axes * torch.arange(1, 21)[:, None]) == pytest.approx(5)
    # Shares of 3/4 and 1/4.
    uneven = torch.eye(2)[[0, 0, 0, 1]]
    assert vendi.vendi_score(uneven) == pytest.approx(
        math.exp(0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    )


@pytest.mark.parametrize(("count", "width"), [(30, 50), (50, 30)])
def test_vendi_is_the_entropy_of_the_kernels_eigenvalues_on_either_side(count, width):
    points = features(count, width, 3).numpy()
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    shares = np.linalg.eigvalsh(points @ points.T / count)
    expected = math.exp(stats.entropy(shares.clip(0)))
    assert vendi.vendi_score(torch.tensor(points)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ["vendi", "duplicates", "memorisation"])
def test_what_a_metric_says_of_the_data_is_computed_once_a_study(name, host):
    class Shown:
        data = object()
        asked = 0

        def __init__(self, copies):
            self.samples = self.features = features(60 // copies, 5, 1).repeat(copies, 1)

        def reference_features(self):
            type(self).asked += 1
            return self.training_features()[:60]

        def training_features(self):
            return features(90, 5, 7)

    metric = host.create("metric", name)
    found = [metric.compute(Shown(copies)) for copies in (1, 2)]
    assert Shown.asked == 1
    assert found[1] == host.create("metric", name).compute(Shown(2)) != found[0]


def test_vendi_is_left_out_of_features_without_a_direction():
    assert vendi.vendi_score(torch.zeros(4, 3)) is None


def test_scores_of_certain_and_of_uncertain_logits_by_hand():
    certain = 1000 * torch.eye(4).repeat(5, 1)
    assert _score.split_scores(certain, 1).item() == pytest.approx(4)
    assert _score.split_scores(torch.zeros(20, 4), 2).tolist() == pytest.approx([1, 1])
    # Half sure of either of two classes: KL of (3/4, 1/4) from (1/2, 1/2).
    unsure = torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log()
    expected = math.exp(0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    assert _score.split_scores(unsure, 1).item() == pytest.approx(expected)


def test_neighbours_of_points_on_a_line_by_hand():
    data = torch.tensor([[0.0], [1], [3], [7]])
    samples = torch.tensor([[0.5], [1.5], [20], [40]])
    # To the first neighbour: data reach 1, 1, 2, 4; samples 1, 1, 18.5, 20.
    found = prdc.precision_recall_density_coverage(samples, data, 1, 1)
    # 0.5 lies in the balls of 0 and 1; 1.5 in those of 1 and 3; 20 and 40 in none. 0 and 1 lie
    # in a sample's ball; 3 and 7 in that of 20, which reaches to 1.5.
    assert found == pytest.approx({"precision": 0.5, "recall": 1, "density": 1, "coverage": 0.75})


def test_copies_lie_in_closed_balls_of_no_size_and_not_in_open_ones():
    # Copies of a point have radius 0: closed, their ball holds the point, open it holds nothing.
    data = (features(8, 300, 4) * 50).repeat(3, 1)
    found = prdc.precision_recall_density_coverage(data.flip(0), data, 2, 2)
    assert found == {"precision": 1, "recall": 1, "density": 0, "coverage": 0}


def test_distances_between_copies_are_nothing():
    points = features(50, 200, 6) + 1000
    distances, _ = _features.squared_distances(points, points.clone())
    assert torch.equal(distances.diagonal(), torch.zeros(50).double())
    assert distances[0, 1] > 1


def test_the_line_is_found_and_its_interval_is_the_regressions():
    counts = [100, 150, 200, 300, 500]
    exact = [3 + 40 / count for count in counts]
    assert fid_infinity.extrapolate(counts, exact) == pytest.approx((3, 3, 3))
    # Residuals of a textbook regression, by its normal equations.
    bent = np.array(exact) + [0.1, -0.1, 0.05, 0, -0.05]
    design = np.column_stack([np.ones(5), 1 / np.array(counts)])
    (intercept, _), (squares,) = np.linalg.lstsq(design, bent)[:2]
    error = math.sqrt(squares / 3 * np.linalg.inv(design.T @ design)[0, 0])
    reach = 3.182446305284263 * error  # Student's t, 3 degrees of freedom, 97.5 %
    found = fid_infinity.extrapolate(counts, bent)
    assert found == pytest.approx((intercept, intercept - reach, intercept + reach))


def test_extrapolation_is_nearer_to_the_truth_than_fid(host):
    # Gaussians of 8 dimensions, means 1 apart in each: the truth is 8.
    draws = torch.Generator().manual_seed(0)
    data = moments(torch.randn(200_000, 8, generator=draws))

    class Sample:
        features = torch.randn(600, 8, generator=draws) * 1.0 + 1

        def frechet_distance(self, part=None):
            chosen = self.features if part is None else self.features[part]
            return frechet_distance(moments(chosen), data)

    metric = host.create("metric", "fid_infinity")
    found, biased = [], []
    for _ in range(20):
        Sample.features = torch.randn(600, 8, generator=draws) + 1
        biased.append(Sample().frechet_distance() - 8)
        found.append(metric.compute(Sample())["fid_infinity"] - 8)
    assert abs(np.mean(found)) < abs(np.mean(biased))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss has other units")
def test_neighbours_are_found_without_a_matrix_of_all_pairs():
    # A matrix of 8,000 x 8,000 has 488 MB.
    program = """
import resource, torch
from ganbench_plugins.metrics import _features, prdc
torch.set_num_threads(1)
_features.BLOCK = 2**19
items = torch.rand(8000, 4)
prdc.precision_recall_density_coverage(items[:50], items[:50], 3, 5)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
prdc.precision_recall_density_coverage(items, items.flip(1), 3, 5)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 150
