"""Memorisation: copies, fresh data, and everything between, against brute force and chance."""

import math

import numpy as np
import pytest
import torch
from ganbench_plugins.metrics.memorisation import chance_nearer

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.evaluator import EvaluationError, Evaluator
from ganbench.plugin import Data

CPU = torch.device("cpu")
METRICS = (Component(name="fid"), Component(name="memorisation"))


def cloud(count, seed, width=5):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def evaluator_of(points, host, cache, samples):
    chosen = {"extractor": Component(name="coordinates"), "samples": samples}
    return Evaluator(Evaluation(metrics=METRICS, **chosen), Data("cloud", points), host, CPU, cache)


@pytest.fixture(scope="module")
def training():
    return cloud(1200, 0)


@pytest.fixture(scope="module")
def measure(training, host, tmp_path_factory):
    return evaluator_of(training, host, tmp_path_factory.mktemp("cloud"), 600)


@pytest.fixture(scope="module")
def half(digits, host, cache):
    """Measure against one half of the digits, with the other held out."""
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(3))
    known, fresh = order[:900], order[900:]
    data = Data("half", digits.items[known], digits.labels[known], digits.classes)
    settings = Evaluation(metrics=METRICS, samples=800)
    return Evaluator(settings, data, host, CPU, cache), data, digits.items[fresh]


def test_copies_have_no_authenticity(measure, training):
    figures = measure.evaluate(training[:600])
    assert figures["authenticity"] == 0
    assert (figures["copied"], figures["copying"]) == (1, 1)


def test_fresh_data_score_as_the_yardstick_and_as_chance(measure):
    figures = measure.evaluate(cloud(600, 1))
    spread = 5 * math.sqrt(0.25 / 600)
    assert figures["authenticity"] == pytest.approx(figures["authenticity_data"], abs=2 * spread)
    assert figures["copying"] == pytest.approx(0.5, abs=5 * math.sqrt(1 / 6 / 600))
    assert figures["copied"] <= 0.04


def test_fresh_data_are_called_copied_as_often_as_the_parameter_says(training, host, tmp_path):
    metrics = (METRICS[0], Component(name="memorisation", parameters={"rarity": 0.2}))
    chosen = {"extractor": Component(name="coordinates"), "samples": 1200}
    data = Data("cloud", training)
    loose = Evaluator(Evaluation(metrics=metrics, **chosen), data, host, CPU, tmp_path)
    figures = loose.evaluate(cloud(4000, 2))
    assert figures["copied"] == pytest.approx(0.2, abs=0.06)


def test_memorised_images_are_told_from_held_out_ones(half):
    measure, data, fresh = half
    copies, real = measure.evaluate(data.items), measure.evaluate(fresh)
    assert copies["authenticity"] == 0
    assert copies["copied"] == pytest.approx(1)
    assert real["authenticity"] == pytest.approx(real["authenticity_data"], abs=0.1)
    assert real["copying"] == pytest.approx(0.5, abs=0.1)
    assert real["copied"] < 0.05


def test_hardly_changed_copies_are_copies_all_the_same(half):
    measure, data, _ = half
    draws = torch.Generator().manual_seed(1)
    noise = torch.randint(0, 2, data.items.shape, generator=draws, dtype=torch.uint8)
    figures = measure.evaluate(torch.where(data.items < 255, data.items + noise, data.items))
    assert figures["authenticity"] < 0.05
    assert figures["copying"] > 0.95


def test_a_mixture_of_copies_and_fresh_data_lies_between_in_proportion(measure, training):
    figures = measure.evaluate(torch.cat([training[:300], cloud(300, 3)]))
    fresh = measure.evaluate(cloud(300, 3))
    for key in ("authenticity", "copied", "copying"):
        ends = {"authenticity": 0, "copied": 1, "copying": 1}
        assert figures[key] == pytest.approx((fresh[key] + ends[key]) / 2, abs=1e-9)


def test_samples_far_from_all_data_are_authentic_and_no_copies(measure):
    figures = measure.evaluate(cloud(600, 4) + 50)
    assert (figures["authenticity"], figures["copied"], figures["copying"]) == (1, 0, 0)


def test_authenticity_is_what_brute_force_makes_of_its_definition(measure, training):
    samples = cloud(200, 5) * 0.9
    across = np.linalg.norm((samples[:, None] - training[None]).double().numpy(), axis=2)
    within = np.linalg.norm((training[:, None] - training[None]).double().numpy(), axis=2)
    np.fill_diagonal(within, np.inf)
    expected = np.mean(across.min(1) > within.min(1)[across.argmin(1)])
    assert measure.evaluate(samples)["authenticity"] == pytest.approx(expected, abs=1e-12)


def test_the_yardstick_is_each_item_against_the_training_set_without_it(host, tmp_path):
    points = cloud(120, 6, width=2)
    measure = evaluator_of(points, host, tmp_path, 120)
    votes = []
    for index in range(120):
        others = torch.cat([points[:index], points[index + 1 :]]).double()
        away = torch.cdist(points[index : index + 1].double(), others)[0]
        near = torch.cdist(others, others).fill_diagonal_(math.inf)[away.argmin()].min()
        votes.append(bool(away.min() > near))
    found = measure.evaluate(points)["authenticity_data"]
    assert found == pytest.approx(np.mean(votes), abs=1e-12)


def test_the_chance_of_being_nearer_counts_ties_half():
    first, second = torch.tensor([1.0, 2.0, 5.0]), torch.tensor([2.0, 3.0])
    # 1 is below both, 2 below one and level with one, 5 below none.
    assert chance_nearer(first, second) == pytest.approx((2 + 1.5 + 0) / 6)
    same = torch.arange(10.0)
    assert chance_nearer(same, same) == 0.5


def test_a_training_set_of_twins_calls_no_fresh_item_a_copy(host, tmp_path):
    twins = cloud(300, 7).repeat(2, 1)
    measure = evaluator_of(twins, host, tmp_path, 300)
    figures = measure.evaluate(cloud(300, 8))
    assert (figures["copied"], figures["copying"]) == (0, 0)
    assert figures["authenticity"] == 1


def test_a_second_worker_takes_the_features_from_the_cache(training, host, tmp_path):
    told = []
    evaluator_of(training, host, tmp_path, 600)
    chosen = {"extractor": Component(name="coordinates"), "samples": 600}
    data = Data("cloud", training)
    settings = Evaluation(metrics=METRICS, **chosen)
    Evaluator(settings, data, host, CPU, tmp_path, lambda *args: told.append(args))
    assert told == []


def test_two_training_items_are_too_few(host, tmp_path):
    with pytest.raises(EvaluationError, match=r"'memorisation' needs 3 samples and data items"):
        evaluator_of(cloud(2, 0), host, tmp_path, 10)
