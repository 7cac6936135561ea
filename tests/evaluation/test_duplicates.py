"""Duplicates and the support size: on generators whose support is known."""

import math

import numpy as np
import pytest
import torch
from ganbench_plugins.metrics.duplicates import (
    close_pairs,
    least_support,
    rarity_threshold,
    repeated_share,
    support_size,
)
from scipy.stats import chi2, poisson

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.evaluator import Evaluator

FIGURES = {"duplicates", "exact_duplicates", "support", "support_least", "support_data"}


@pytest.fixture(scope="module")
def measure(digits, host, cache):
    metrics = (Component(name="fid"), Component(name="duplicates"))
    settings = Evaluation(metrics=metrics, samples=900)
    return Evaluator(settings, digits, host, torch.device("cpu"), cache)


def draw(images, count, seed=0, weights=None):
    draws = torch.Generator().manual_seed(seed)
    if weights is None:
        return images[torch.randint(len(images), (count,), generator=draws)]
    return images[torch.multinomial(weights, count, replacement=True, generator=draws)]


@pytest.mark.parametrize("support", [10, 100, 300])
def test_a_generator_of_so_many_images_is_said_to_have_so_many(measure, digits, support):
    figures = measure.evaluate(draw(digits.items[:support], 900))
    pairs = 900 * 899 / 2 / support
    # The indicators of pairs are pairwise independent: the count spreads like a Poisson one.
    assert figures["support"] == pytest.approx(support, rel=5 / math.sqrt(pairs) + 0.02)
    assert figures["support_least"] < figures["support"]
    assert figures["exact_duplicates"] == pytest.approx(1 - support / 900, abs=0.06)
    assert figures["duplicates"] > 0.9


def test_unequal_shares_count_as_their_effective_number(measure, digits):
    shares = torch.tensor([0.5, *[0.5 / 99] * 99], dtype=torch.float64)
    figures = measure.evaluate(draw(digits.items[:100], 900, weights=shares))
    assert figures["support"] == pytest.approx(1 / float(shares.square().sum()), rel=0.2)


def test_images_that_differ_by_hardly_anything_are_near_duplicates(measure, digits):
    images = draw(digits.items[:100], 900)
    draws = torch.Generator().manual_seed(1)
    noise = torch.randint(0, 2, images.shape, generator=draws, dtype=torch.uint8)
    figures = measure.evaluate(torch.where(images < 255, images + noise, images))
    assert figures["exact_duplicates"] < 0.02
    assert figures["support"] == pytest.approx(100, rel=0.15)


def test_real_images_are_as_rarely_alike_as_the_data(measure, digits):
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(5))
    figures = measure.evaluate(digits.items[order[:900]])
    assert figures["duplicates"] < 0.03
    assert figures["exact_duplicates"] == 0
    # 1 % of 900 items, mostly in pairs of two.
    assert 900 * 899 / 2 / 9 <= figures["support_data"] <= 900 * 899 / 2 / 4
    assert figures["support_least"] > 10_000


def test_one_image_is_a_support_of_one(measure, digits):
    figures = measure.evaluate(digits.items[:1].repeat(900, 1, 1, 1))
    assert set(figures) - {"fid"} == FIGURES
    assert figures["support"] == 1
    assert (figures["duplicates"], figures["exact_duplicates"]) == (1, 899 / 900)


def test_the_threshold_is_the_quantile_of_nearest_neighbours():
    points = torch.tensor([[0.0], [1.0], [3.0], [6.0], [10.0]]).double()
    # Nearest others are 1, 1, 2, 3 and 4 away.
    assert [rarity_threshold(points, q) for q in (0.01, 0.25, 0.49, 0.5)] == [1, 1, 1, 4]


def test_pairs_and_their_members_are_counted_by_hand():
    points = torch.tensor([[0.0], [1.0], [2.0], [9.0]]).double()
    assert close_pairs(points, 1.0) == (2, 3)
    assert close_pairs(points, 4.0) == (3, 3)
    assert close_pairs(points, 0.5) == (0, 0)


def test_without_a_pair_there_is_a_lower_bound_alone():
    assert support_size(0, 100) is None
    # The rule of three: none of 4,950 pairs.
    assert least_support(0, 100) == pytest.approx(4950 / -math.log(0.05))
    assert least_support(7, 100) == pytest.approx(4950 / (chi2.ppf(0.95, 16) / 2))
    assert poisson.cdf(7, 4950 / least_support(7, 100)) == pytest.approx(0.05)


def test_the_lower_bound_holds_in_95_of_100_draws():
    random = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        counts = np.bincount(random.integers(0, 500, 80))
        held += least_support(int((counts * (counts - 1) // 2).sum()), 80) <= 500
    assert held / 400 == pytest.approx(0.95, abs=0.035)


def test_what_repeats_is_counted_once_less():
    points = torch.tensor([[0.0, 1.0], [0.0, 1.0], [2.0, 1.0], [0.0, 1.0]])
    assert repeated_share(points) == 0.5


def test_data_that_are_copies_themselves_leave_exact_copies_to_count(host, tmp_path):
    from ganbench.plugin import Data

    twice = torch.randn(200, 2, generator=torch.Generator().manual_seed(0)).repeat(2, 1)
    chosen = {"extractor": Component(name="coordinates"), "samples": 400}
    metrics = (Component(name="fid"), Component(name="duplicates"))
    settings = Evaluation(metrics=metrics, **chosen)
    measure = Evaluator(settings, Data("twice", twice), host, torch.device("cpu"), tmp_path)
    figures = measure.evaluate(torch.randn(400, 2, generator=torch.Generator().manual_seed(1)))
    assert figures["duplicates"] == 0
    assert "support" not in figures
    assert figures["support_data"] == 400 * 399 / 2 / 200


def test_more_samples_than_data_are_no_more_alike_by_their_number(host, tmp_path):
    """Fresh points: ten times as many lie within anybody's distance ten times as often."""
    from ganbench.plugin import Data

    def cloud(count, seed):
        return torch.randn(count, 4, generator=torch.Generator().manual_seed(seed))

    metrics = (Component(name="fid"), Component(name="duplicates", parameters={"rarity": 0.1}))
    settings = Evaluation(metrics=metrics, extractor=Component(name="coordinates"), samples=2000)
    found = []
    for seed in range(10):
        data = Data("few", cloud(200, seed))
        measure = Evaluator(settings, data, host, torch.device("cpu"), tmp_path)
        found.append(measure.evaluate(cloud(2000, 100 + seed))["duplicates"])
    assert np.mean(found) == pytest.approx(0.1, abs=0.04)
