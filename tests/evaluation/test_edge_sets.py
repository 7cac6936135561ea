"""Sets at the edge of what a metric is defined on: a right answer by arithmetic, or an error."""

import math

import pytest
import torch

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.evaluator import EvaluationError, Evaluator
from ganbench.evaluation.frechet import frechet_distance, moments
from ganbench.plugin import Data

CPU = torch.device("cpu")
FIGURES = ("fid", "kid", "prdc", "vendi", "diversity", "spectrum", "sharpness", "noise")
SIDE = 8


def images(count, seed=0):
    draws = torch.Generator().manual_seed(seed)
    return torch.randint(1, 256, (count, 1, SIDE, SIDE), generator=draws, dtype=torch.uint8)


def evaluator(items, host, cache, samples, metrics=FIGURES):
    settings = Evaluation(
        metrics=tuple(Component(name=name) for name in metrics),
        extractor=Component(name="pixels"),
        samples=samples,
    )
    return Evaluator(settings, Data("made", items), host, CPU, cache)


def rank(count, width, directions, seed):
    draws = torch.Generator().manual_seed(seed)
    low = torch.randn(count, directions, generator=draws, dtype=torch.float64)
    return low @ torch.randn(directions, width, generator=draws, dtype=torch.float64)


@pytest.mark.parametrize(("first", "second"), [(9, 9), (9, 400), (400, 9), (400, 400)])
def test_constant_features_are_as_far_apart_as_their_means(first, second):
    one, two = torch.full((first, 20), 3.0), torch.full((second, 20), 1.0)
    assert frechet_distance(moments(one), moments(two)) == pytest.approx(20 * 4, rel=1e-12)


@pytest.mark.parametrize("count", [12, 400])
def test_a_point_and_a_cloud_differ_by_the_means_and_the_clouds_variance(count):
    cloud = rank(count, 20, 20, seed=1)
    point = cloud.mean(dim=0, keepdim=True).repeat(50, 1) + 2
    expected = 20 * 4 + cloud.var(dim=0).sum().item()
    for pair in ((point, cloud), (cloud, point)):
        found = frechet_distance(*map(moments, pair))
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("count", [7, 300])
def test_clouds_in_planes_at_right_angles_add_their_variances(count):
    flat = rank(count, 4, 2, seed=2)
    one = torch.cat([flat, torch.zeros(count, 4)], dim=1).double()
    two = torch.cat([torch.zeros(count, 4), flat], dim=1).double()
    expected = 2 * (flat.var(dim=0).sum() + flat.mean(dim=0).square().sum()).item()
    assert frechet_distance(moments(one), moments(two)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_singular_covariances_of_any_size_scale_as_their_squares(scale):
    one, two = rank(300, 30, 4, seed=3), rank(300, 30, 4, seed=4)
    once = frechet_distance(moments(one), moments(two))
    found = frechet_distance(moments(scale * one), moments(scale * two))
    assert found == pytest.approx(scale**2 * once, rel=1e-6)
    assert once > 0


@pytest.mark.parametrize("samples", [20, 300])
def test_a_set_against_itself_is_perfect_with_fewer_samples_than_features_and_with_more(
    host, tmp_path, samples
):
    data = images(samples)
    figures = evaluator(data, host, tmp_path, samples).evaluate(data)
    variance = (data.flatten(1) / 255).var(dim=0).sum().item()
    assert figures["fid"] == pytest.approx(0, abs=1e-6 * variance)
    assert figures["precision"] == figures["recall"] == 1
    assert figures["diversity"] == pytest.approx(1)
    assert figures["vendi"] == pytest.approx(figures["vendi_data"])
    assert figures["kid"] <= 0
    assert figures["spectrum_distance"] == figures["sharpness_gap"] == 0
    assert figures["checkerboard"] == figures["noise_points"] == 1


@pytest.mark.parametrize("copies", [20, 300])
def test_copies_of_one_image_have_no_variance_and_every_figure_is_finite(host, tmp_path, copies):
    data = images(100)
    measure = evaluator(data, host, tmp_path, 100)
    figures = measure.evaluate(data[:1].repeat(copies, 1, 1, 1))
    features = data.flatten(1).double() / 255
    offset = (features.mean(dim=0) - features[0]).square().sum().item()
    assert figures["fid"] == pytest.approx(offset + features.var(dim=0).sum().item(), rel=1e-5)
    assert figures["vendi"] == pytest.approx(1)
    assert figures["diversity"] == pytest.approx(0, abs=1e-6)
    assert figures["precision"] == 1
    assert all(map(math.isfinite, figures.values()))


def test_data_of_one_image_can_be_matched_and_missed(host, tmp_path):
    image = images(1)
    measure = evaluator(image.repeat(30, 1, 1, 1), host, tmp_path, 30)
    same = measure.evaluate(image.repeat(30, 1, 1, 1))
    assert same["fid"] == pytest.approx(0, abs=1e-9)
    assert same["kid"] == pytest.approx(0, abs=1e-9)
    assert same["precision"] == same["recall"] == 1
    # As varied as something without any variety is no number.
    assert "diversity" not in same
    other = measure.evaluate(images(30, seed=1))
    assert other["fid"] > 1
    assert other["precision"] == other["density"] == other["coverage"] == 0
    assert all(map(math.isfinite, other.values()))


def test_two_samples_have_a_distance_with_the_warning_and_one_has_none(host, tmp_path):
    data = images(40)
    measure = evaluator(data, host, tmp_path, 2, metrics=("fid", "spectrum"))
    pair = data[:2].flatten(1).double() / 255
    expected = frechet_distance(moments(pair), moments(data.flatten(1) / 255))
    assert measure.evaluate(data[:2])["fid"] == pytest.approx(expected, rel=1e-6)
    assert "2 samples for 64 features" in measure.protocol["warnings"][0]
    with pytest.raises(ValueError, match="expected two or more"):
        measure.evaluate(data[:1])


def test_a_data_set_of_one_image_is_refused(host, tmp_path):
    with pytest.raises(EvaluationError, match="made: has 1 items, expected 2 or more"):
        evaluator(images(1), host, tmp_path, 2, metrics=("fid",))


def test_black_samples_are_far_and_have_no_direction(host, tmp_path):
    measure = evaluator(images(40), host, tmp_path, 40)
    figures = measure.evaluate(torch.zeros(40, 1, SIDE, SIDE, dtype=torch.uint8))
    assert "vendi" not in figures
    assert "sharpness" not in figures
    assert figures["noise_points"] < 1
    assert figures["high_frequency"] < 0.01
    assert all(map(math.isfinite, figures.values()))
