"""Stacks of digits: the classifier looks at each channel alone, and a mode is a triple."""

import math

import pytest
import torch

from ganbench.config.model import Component, Evaluation
from ganbench.data.load import load_data
from ganbench.evaluation.collapse import Measurement
from ganbench.evaluation.evaluator import Evaluator

METRICS = tuple(Component(name=name) for name in ("fid", "modes", "diversity", "classifier_score"))


@pytest.fixture(scope="module")
def stacks(host):
    return load_data("stacked_digits", {"images": 6000}, host)


@pytest.fixture(scope="module")
def measure(stacks, host, cache):
    settings = Evaluation(metrics=METRICS, samples=26_000, primary="kl")
    return Evaluator(settings, stacks, host, torch.device("cpu"), cache)


def made(host, images, seed=1):
    return load_data("stacked_digits", {"images": images, "seed": seed}, host)


def test_the_classifier_is_that_of_the_single_digits(measure, evaluator):
    found, single = (m.protocol["classifier"] for m in (measure, evaluator))
    assert found["weights_sha256"] == single["weights_sha256"]
    assert "each channel of a stack" in found["images"]
    assert measure.protocol["feature_width"] == 3 * 64


def test_real_stacks_show_nearly_every_triple_at_nearly_no_divergence(measure, host):
    figures = measure.evaluate(made(host, 26_000).items)
    # 26 of each triple on average, fewer of rare ones: to miss one has a chance of e^-26.
    assert figures["modes"] >= 998
    # Chance alone, at 26,000 samples of 1,000 modes; the few data add nothing to it.
    assert figures["kl"] == pytest.approx(999 / 52_000, rel=0.15)
    assert measure.judge([Measurement(figures)]).health == "healthy"
    assert 500 < figures["classifier_score"] <= 1000


def test_triples_that_are_lost_are_missed_one_by_one(measure, host):
    whole = made(host, 26_000)
    kept = whole.items[whole.labels < 100]  # the first channel shows nothing but 0
    figures = measure.evaluate(kept)
    # A few of the other nine hundred, by the classifier's errors: each hit counts.
    assert 100 <= figures["modes"] <= 130
    assert math.log(1000 / figures["modes"]) <= figures["kl"] <= math.log(1000)
    assert figures["kl"] > math.log(10) - 0.05
    assert measure.judge([Measurement(figures)]).health == "partial collapse"


def test_one_stack_again_and_again_is_one_mode(measure, stacks):
    figures = measure.evaluate(stacks.items[:1].repeat(500, 1, 1, 1))
    assert figures["modes"] == 1
    digits, labels = stacks.stacked_from.labels, stacks.labels[:1]
    shares = digits.bincount() / len(digits)
    share = math.prod(shares[labels // place % 10].item() for place in (100, 10, 1))
    assert figures["kl"] == pytest.approx(-math.log(share), abs=1e-6)
    assert measure.judge([Measurement(figures)]).health == "total collapse"


def test_every_channel_counts(measure, host):
    whole = made(host, 3000)
    for channel, place in ((0, 100), (1, 10), (2, 1)):
        kept = whole.items[whole.labels // place % 10 == 7]
        figures = measure.evaluate(kept)
        assert figures["modes"] <= 115, channel


def test_a_threshold_that_is_set_counts_on_stacks_too(stacks, host, cache):
    metrics = (Component(name="modes", parameters={"threshold": 1.0}), Component(name="fid"))
    settings = Evaluation(metrics=metrics, samples=2000, primary="kl")
    strict = Evaluator(settings, stacks, host, torch.device("cpu"), cache)
    figures = strict.evaluate(stacks.items)
    # Six of a triple on average: a Poisson count reaches that in 55 % of them.
    assert 400 < figures["modes"] < 650
