"""The metrics that a study asks for by name: on real digits, at their limits, refused in time."""

import math

import numpy as np
import pytest
import torch

from ganbench.config.load import load_study
from ganbench.config.model import Component, Evaluation
from ganbench.config.problems import StudyError
from ganbench.evaluation.evaluator import EvaluationError, Evaluator
from ganbench.plugin import Data

CPU = torch.device("cpu")
ALL = ("fid", "kid", "prdc", "vendi", "classifier_score", "fid_infinity")


def asking(*metrics, **settings):
    named = tuple(Component(**m) if isinstance(m, dict) else Component(name=m) for m in metrics)
    return Evaluation(metrics=named, **{"primary": "fid", "samples": 900, **settings})


@pytest.fixture(scope="module")
def measure(digits, host, cache):
    return Evaluator(asking(*ALL), digits, host, CPU, cache)


@pytest.fixture(scope="module")
def halves(digits):
    order = torch.randperm(len(digits.items), generator=torch.Generator().manual_seed(5))
    return digits.items[order[:900]], digits.items[order[900:]]


@pytest.fixture(scope="module")
def real(measure, halves):
    return measure.evaluate(halves[0])


def test_real_images_score_as_a_perfect_generator_would(real):
    assert abs(real["kid"]) < 3 * real["kid_std"]
    assert real["precision"] > 0.9
    assert real["recall"] > 0.9
    assert real["density"] == pytest.approx(1, abs=0.1)
    assert real["coverage"] > 0.9
    assert real["vendi"] == pytest.approx(real["vendi_data"], rel=0.03)
    assert 8 < real["classifier_score"] <= 10
    assert real["fid_infinity"] <= real["fid"]


def test_noise_is_worse_by_every_figure_that_looks_at_the_data(measure, halves, real):
    draws = torch.Generator().manual_seed(0)
    noise = 90 * torch.randn(halves[0].shape, generator=draws)
    worse = measure.evaluate((halves[0] + noise).clamp(0, 255).to(torch.uint8))
    assert worse["kid"] > real["kid"] + 3 * real["kid_std"]
    assert worse["fid_infinity"] > 5 + real["fid_infinity"]
    assert worse["classifier_score"] < real["classifier_score"]
    for figure in ("precision", "density", "coverage"):
        assert worse[figure] < real[figure]


def test_missing_classes_are_worse_by_every_figure_of_diversity(measure, digits, real):
    three = digits.items[digits.labels < 3]
    worse = measure.evaluate(three)
    assert worse["precision"] > 0.9
    for figure in ("recall", "coverage", "vendi", "classifier_score"):
        assert worse[figure] < 0.6 * real[figure]


def test_one_image_again_and_again_has_every_figure_at_its_floor(measure, digits):
    image = digits.items[:1]
    figures = measure.evaluate(image.repeat(900, 1, 1, 1))
    assert figures["vendi"] == pytest.approx(1)
    assert figures["classifier_score"] == pytest.approx(1)
    # It is an image of the data: in its own ball, in those near it, and alone there.
    assert figures["precision"] == 1
    assert figures["recall"] <= 2 / 900
    assert figures["coverage"] < 0.05
    assert all(map(math.isfinite, figures.values()))


def test_figures_repeat_and_draw_no_random_numbers(measure, halves, real):
    before, theirs = torch.get_rng_state(), np.random.get_state()[1].copy()
    assert measure.evaluate(halves[0].clone()) == real
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == theirs).all()


def test_a_second_worker_measures_with_what_the_first_drew(measure, digits, host, cache, halves):
    told = []
    second = Evaluator(asking(*ALL), digits, host, CPU, cache, lambda *r: told.append(r))
    assert told == []
    assert second.evaluate(halves[1]) == measure.evaluate(halves[1])
    assert second.protocol == measure.protocol
    assert second.protocol["reference_draw"].startswith("900 data items")


def test_a_damaged_draw_is_made_again(measure, digits, host, cache, halves):
    for path in cache.glob("features-*.pt"):
        path.write_bytes(b"rubbish")
    second = Evaluator(asking(*ALL), digits, host, CPU, cache)
    assert second.evaluate(halves[1]) == measure.evaluate(halves[1])


def test_a_study_that_compares_no_items_draws_none(digits, host, tmp_path):
    plain = Evaluator(asking("fid", samples=300), digits, host, CPU, tmp_path)
    assert "reference_draw" not in plain.protocol
    assert list(tmp_path.glob("features-*")) == []


def test_every_figure_is_declared_and_only_two_can_be_primary(host):
    lower = {f for name in ALL for f in host.find("metric", name).cls.lower_is_better}
    assert lower == {"fid", "fid_infinity"}


@pytest.mark.parametrize(
    ("metric", "samples", "message"),
    [
        ("fid_infinity", 255, r"'fid_infinity' needs 256 .* 64 features .*\.samples is 255"),
        ("kid", 3, r"'kid' needs 4 samples .*evaluation\.samples is 3"),
        ("prdc", 5, r"'prdc' needs 6 samples"),
        ({"name": "prdc", "parameters": {"neighbours": 9}}, 9, r"'prdc' needs 10 samples"),
        ("classifier_score", 9, r"'classifier_score' needs 10 samples"),
    ],
)
def test_too_few_samples_are_told_before_any_training(
    digits, host, cache, metric, samples, message
):
    with pytest.raises(EvaluationError, match=message):
        Evaluator(asking("fid", metric, samples=samples), digits, host, CPU, cache)


def test_too_few_data_are_told_before_any_training(digits, host, tmp_path):
    few = Data("few", digits.items[:200], digits.labels[:200], digits.classes)
    with pytest.raises(EvaluationError, match=r"'fid_infinity' needs 256 .* items of few are 200"):
        Evaluator(asking("fid", "fid_infinity"), few, host, CPU, tmp_path)


def test_images_without_labels_have_no_classifiers_score(digits, host, tmp_path):
    bare = Data("bare", digits.items)
    with pytest.raises(EvaluationError, match=r"'classifier_score' does not apply to bare.*labels"):
        Evaluator(
            asking("fid", "classifier_score", extractor=Component(name="inception")),
            *(bare, host, CPU, tmp_path),
        )


def test_points_have_kernels_and_neighbours_and_no_cosines(host, tmp_path):
    points = Data("cloud", torch.randn(300, 2, generator=torch.Generator().manual_seed(0)))
    chosen = {"extractor": Component(name="coordinates"), "samples": 200}
    measure = Evaluator(asking("fid", "kid", "prdc", **chosen), points, host, CPU, tmp_path)
    figures = measure.evaluate(points.items[:200] + 10)
    assert figures["precision"] == figures["coverage"] == 0
    assert figures["kid"] > 1
    with pytest.raises(EvaluationError, match="'vendi' does not apply to cloud"):
        Evaluator(asking("fid", "vendi", **chosen), points, host, CPU, tmp_path)


def test_an_inception_score_is_of_the_inception_network_alone(digits, host, cache, tmp_path):
    with pytest.raises(
        EvaluationError,
        match=r"'inception_score' is defined with the extractor inception or inception-tf, and",
    ):
        Evaluator(asking("fid", "inception_score"), digits, host, CPU, cache)
    study = tmp_path / "score.yaml"
    study.write_text(
        "name: score\nquestion: What is refused?\ndataset: digits\n"
        "baseline: {architecture: dcgan-upsample}\n"
        "factors: {label_smoothing: [off, on]}\n"
        "evaluation: {metrics: [fid, inception_score]}\n"
    )
    with pytest.raises(
        StudyError,
        match=r"score\.yaml:6:\d+: evaluation\.metrics\.1: 'inception_score' is defined with the "
        "extractor inception or inception-tf, got 'classifier'",
    ):
        load_study(study, host)


def test_kid_cannot_decide_a_study_since_it_falls_below_zero(digits, host, cache):
    with pytest.raises(EvaluationError, match="'kid', which is not declared as lower is better"):
        Evaluator(asking("fid", "kid", primary="kid"), digits, host, CPU, cache)
