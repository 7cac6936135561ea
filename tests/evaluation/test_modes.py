import itertools
import math

import numpy as np
import pytest
import torch
from ganbench_plugins.metrics.modes import covered_modes, kl_divergence
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi

from ganbench.config.model import Component, Evaluation
from ganbench.data.load import load_data
from ganbench.evaluation.collapse import Measurement
from ganbench.evaluation.evaluator import Evaluator
from ganbench.evaluation.modes import (
    mode_radius,
    nearest_mode,
    tuple_index,
    tuple_logits,
    tuple_shares,
)
from ganbench.evaluation.spread import (
    closeness,
    distances,
    mean_distance,
    mean_distance_within,
    nearest_distances,
)
from ganbench.plugin import Centres, Data

counts = st.lists(st.integers(0, 50), min_size=2, max_size=30).filter(any)


def ring(count, seed=0):
    draws = torch.Generator().manual_seed(seed)
    angles = 2 * math.pi * torch.arange(8) / 8
    centres = torch.stack([angles.cos(), angles.sin()], dim=1)
    labels = torch.arange(count) % 8
    points = centres[labels] + 0.01 * torch.randn(count, 2, generator=draws)
    names = tuple(f"mode {index}" for index in range(8))
    return Data("ring", points, labels, names, Centres(centres, 0.01))


@given(counts)
def test_kl_keeps_to_its_bounds_on_uniform_data(histogram):
    given_ = torch.tensor(histogram)
    kinds, hit = len(histogram), int((given_ > 0).sum())
    found = kl_divergence(given_, torch.ones(kinds))
    assert math.log(kinds / hit) - 1e-9 <= found <= math.log(kinds) + 1e-9


@given(counts)
def test_kl_is_the_sum_over_modes_that_occur(histogram):
    total, kinds = sum(histogram), len(histogram)
    reference = [index + 1 for index in range(kinds)]
    expected = sum(
        n / total * math.log((n / total) / (r / sum(reference)))
        for n, r in zip(histogram, reference, strict=True)
        if n
    )
    found = kl_divergence(torch.tensor(histogram), torch.tensor(reference))
    assert found == pytest.approx(expected, abs=1e-9)


def test_kl_ignores_modes_absent_on_both_sides():
    assert kl_divergence(torch.tensor([2, 0, 2]), torch.tensor([1, 0, 1])) == 0
    assert kl_divergence(torch.tensor([1, 1]), torch.tensor([1, 0])) == math.inf


@pytest.mark.parametrize(
    ("kinds", "samples", "expected"),
    [(8, 2500, 0.0014), (25, 2500, 0.0049), (1000, 26_000, 0.0193)],
)
def test_a_perfect_generator_scores_its_finite_sample_kl(kinds, samples, expected):
    draws = torch.Generator().manual_seed(0)
    found = [
        kl_divergence(
            torch.randint(kinds, (samples,), generator=draws).bincount(minlength=kinds),
            torch.ones(kinds),
        )
        for _ in range(400 if kinds < 100 else 20)
    ]
    assert sum(found) / len(found) == pytest.approx(expected, rel=0.06)


def test_a_class_is_covered_from_a_tenth_of_its_share_on():
    data = torch.tensor([100, 100, 100, 100])
    # 1,000 samples: a quarter expected of each class, so 25 are a tenth of that.
    assert covered_modes(torch.tensor([951, 25, 24, 0]), data, 0.1) == 2
    assert covered_modes(torch.tensor([951, 25, 24, 0]), data, 0) == 3
    assert covered_modes(torch.zeros(4), data, 0.1) == 0


def test_a_point_belongs_to_a_mode_within_three_deviations():
    centres = Centres(torch.tensor([[0.0, 0.0], [10.0, 0.0]]), 0.5)
    points = torch.tensor([[1.49, 0.0], [0.0, -1.51], [10.0, 1.49], [5.0, 0.0]])
    assert nearest_mode(points, centres).tolist() == [0, -1, 1, -1]


@pytest.mark.parametrize("dimensions", [1, 2, 3, 10, 64, 700])
def test_the_radius_of_a_mode_holds_as_much_as_three_deviations_do_in_the_plane(dimensions):
    radius = mode_radius(dimensions)
    assert chi(dimensions).cdf(radius) == pytest.approx(1 - math.exp(-4.5), abs=1e-9)
    if dimensions == 2:
        assert radius == pytest.approx(3, abs=1e-12)


def test_tuples_are_counted_with_the_last_channel_fastest():
    labels = torch.tensor([[0, 0, 1], [1, 2, 3], [9, 9, 9]])
    assert tuple_index(labels, 10).tolist() == [1, 123, 999]


def test_tuples_have_the_product_of_their_channels_probabilities():
    draws = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, generator=draws, dtype=torch.float64)
    found = tuple_logits(logits).exp()
    single = logits.softmax(dim=2)
    expected = [
        [
            float(item[0, a] * item[1, b] * item[2, c])
            for a, b, c in itertools.product(range(4), repeat=3)
        ]
        for item in single
    ]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    shares = tuple_shares(single[0, 0], 3)
    expected = [
        float(single[0, 0, a] * single[0, 0, b] * single[0, 0, c])
        for a, b, c in itertools.product(range(4), repeat=3)
    ]
    np.testing.assert_allclose(shares.numpy(), expected, rtol=1e-12)


def test_mean_distances_by_hand():
    points = torch.tensor([[0.0], [1.0], [3.0]])
    assert mean_distance(points) == pytest.approx((1 + 3 + 2) / 3)
    many = torch.tensor([[0.0], [2.0]]).repeat(10, 1)
    modes = torch.zeros(20, dtype=torch.int64)
    # 190 pairs, of which 100 lie 2 apart.
    assert mean_distance_within(many, modes) == pytest.approx(200 / 190)
    alternating = torch.arange(20) % 2
    assert mean_distance_within(many, alternating) == 0
    assert mean_distance_within(many, alternating - 1) is None
    assert mean_distance_within(points, torch.tensor([0, 0, 1])) is None


def test_copies_are_each_others_near_copies_though_their_distance_is_computed_by_sums():
    draws = torch.Generator().manual_seed(0)
    copies = (5 + torch.rand(100, 300, generator=draws)).repeat(4, 1)
    assert torch.equal(nearest_distances(copies), torch.zeros(400).double())
    assert closeness(copies) == 0
    alone = torch.rand(50, 300, generator=draws)
    expected = torch.cdist(
        alone.double(), alone.double(), compute_mode="donot_use_mm_for_euclid_dist"
    )
    np.testing.assert_allclose(distances(alone), expected, rtol=1e-9)


@pytest.fixture(scope="module")
def ring_evaluator(host, tmp_path_factory):
    settings = Evaluation(extractor=Component(name="coordinates"), samples=2500)
    cache = tmp_path_factory.mktemp("ring")
    return Evaluator(settings, ring(4000), host, torch.device("cpu"), cache)


def test_a_perfect_ring_scores_what_arithmetic_says(ring_evaluator):
    figures = ring_evaluator.evaluate(ring(100_000, seed=1).items)
    assert figures["modes"] == 8
    assert figures["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.001)
    assert figures["kl"] == pytest.approx(0, abs=1e-4)
    assert figures["diversity"] == pytest.approx(1, abs=0.05)
    assert figures["diversity_within"] == pytest.approx(1, abs=0.05)
    assert ring_evaluator.judge([Measurement(figures)]).health == "healthy"


def test_a_threshold_is_refused_where_a_mode_counts_if_it_is_hit_once(host):
    metric = host.create("metric", "modes", {"threshold": 0.1})
    assert metric.applies(ring(8)) == (
        False,
        "`threshold` is of images: of a mixture a mode counts if it is hit once",
    )


def test_a_ring_with_two_of_eight_modes_is_a_partial_collapse(ring_evaluator):
    whole = ring(4000, seed=2)
    figures = ring_evaluator.evaluate(whole.items[whole.labels < 2])
    assert figures["modes"] == 2
    assert figures["modes_share"] == 0.25
    assert figures["kl"] == pytest.approx(math.log(4), abs=0.01)
    assert "forward_kl" not in figures  # infinite
    assert ring_evaluator.judge([Measurement(figures)]).health == "partial collapse"


def test_the_two_divergences_and_every_samples_are_what_the_counts_say(ring_evaluator):
    centres = ring(8).centres.points
    counts = [9, 1, 1, 1, 1, 1, 1, 1]
    # Five more samples near mode 0, a deviation and a half outside its radius.
    points = torch.cat([centres.repeat_interleave(torch.tensor(counts), 0), centres[:1] * 1.045])
    figures = ring_evaluator.evaluate(torch.cat([points, points[-1:].repeat(4, 1)]))
    share = 500 / 4000  # of each mode of the data
    good = [n / 16 for n in counts]
    everyone = [14 / 21] + [1 / 21] * 7
    assert figures["kl"] == pytest.approx(sum(p * math.log(p / share) for p in good))
    assert figures["forward_kl"] == pytest.approx(sum(share * math.log(share / p) for p in good))
    assert figures["kl_nearest"] == pytest.approx(sum(p * math.log(p / share) for p in everyone))
    assert figures["high_quality"] == pytest.approx(16 / 21)


def test_a_perfect_model_in_64_dimensions_scores_as_in_the_plane(host, tmp_path):
    data = load_data("mixture", {"samples": 4000}, host)
    again = load_data("mixture", {"samples": 30_000}, host)
    settings = Evaluation(extractor=Component(name="coordinates"), samples=2500)
    measure = Evaluator(settings, data, host, torch.device("cpu"), tmp_path)
    figures = measure.evaluate(again.items[4000:])
    assert figures["modes"] == 10
    assert figures["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.003)
    assert measure.judge([Measurement(figures)]).health == "healthy"


def test_a_point_for_each_mode_is_a_partial_collapse(ring_evaluator):
    centres = ring(8).centres.points.repeat(250, 1)
    figures = ring_evaluator.evaluate(centres)
    assert figures["high_quality"] == 1
    assert figures["diversity_within"] == 0
    assert ring_evaluator.judge([Measurement(figures)]).health == "partial collapse"


def test_points_far_from_every_mode_have_no_kl(ring_evaluator):
    figures = ring_evaluator.evaluate(torch.rand(100, 2) + 5)
    assert figures["modes"] == 0
    assert figures["high_quality"] == 0
    assert "kl" not in figures
    assert ring_evaluator.judge([Measurement(figures)]).health == "total collapse"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_points_that_are_not_finite_reach_no_metric(ring_evaluator, bad):
    points = ring(100).items.clone()
    points[3, 1] = bad
    with pytest.raises(ValueError, match="non-finite samples"):
        ring_evaluator.evaluate(points)
