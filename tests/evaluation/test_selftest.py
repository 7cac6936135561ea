"""The metrics' self-test: sound metrics pass it, and each kind of broken one is found."""

import pytest
import torch

from ganbench.config.model import Component
from ganbench.evaluation.corruptions import CORRUPTIONS, FALLS, RISES
from ganbench.evaluation.selftest import judge, run_selftest
from ganbench.evaluation.testbench import halves
from ganbench.plugin import Data, Extractor, GanbenchError, Host, Metric

CPU = torch.device("cpu")


class Flat(Extractor):
    """Pixels in a row."""

    name = "flat"

    def features(self, items):
        return items.flatten(1).float() / 255

    def protocol(self):
        return {}


class OfTheBatch(Flat):
    """A network left in training mode: an image's features depend on its neighbours."""

    name = "of-the-batch"

    def features(self, items):
        flat = super().features(items)
        return flat - flat.mean(dim=0)


class Blind(Metric):
    """Sees nothing."""

    name = "blind"
    figures = {"blind": "always the same"}
    lower_is_better = ("blind",)

    def compute(self, ctx):
        return {"blind": 1.0}


class Grainy(Metric):
    """A sound metric of a stranger's: how rough the samples are beyond the data."""

    name = "grainy"
    figures = {"grainy": "excess of the mean difference between neighbours"}
    lower_is_better = ("grainy",)

    def compute(self, ctx):
        rough = [
            float(items.float().diff(dim=-1).abs().mean())
            for items in (ctx.samples, ctx.data.items)
        ]
        return {"grainy": max(rough[0] - rough[1], 0.0)}


class Failing(Metric):
    """Raises."""

    name = "failing"
    figures = {"failing": "nothing"}

    def compute(self, ctx):
        raise ZeroDivisionError("of its own")


class Greedy(Metric):
    """Needs more than there is."""

    name = "greedy"
    figures = {"greedy": "nothing"}

    def least_samples(self, width):
        return 100_000

    def compute(self, ctx):
        return {"greedy": 0.0}


def selftest(data, host, cache, extractor):
    return run_selftest(
        data, Component(name=extractor), host, CPU, cache, lambda label, done, total: None
    )


@pytest.fixture(scope="module")
def found(digits, host, cache):
    return selftest(digits, host, cache, "classifier")


@pytest.fixture(scope="module")
def strangers(digits, cache):
    host = Host(classes=[Flat, OfTheBatch, Blind, Grainy, Failing, Greedy])
    bare = Data("bare", digits.items)
    return {name: selftest(bare, host, cache, name) for name in ("flat", "of-the-batch")}


def outcomes(result, group):
    return {check.figure: check.outcome for check in result.checks if check.group == group}


def test_every_metric_that_comes_with_ganbench_passes_on_digits(found):
    assert [check for check in found.checks if check.outcome == "wrong"] == []
    assert found.passed
    for corruption in CORRUPTIONS:
        measured = outcomes(found, corruption.name)
        assert "fid" in measured or corruption.name == "memorised"
        assert set(measured.values()) == {"ok"}
    assert outcomes(found, "batch size").keys() >= {"features"}


def test_real_data_lie_near_zero_and_fid_falls_with_the_sample_count(found):
    (itself,) = next(c for c in found.checks if c.group == "the data against themselves").values
    assert itself == pytest.approx(0, abs=1e-6)
    kid = next(c for c in found.checks if (c.group, c.figure) == ("real against real", "kid"))
    # Unbiased, so draws of real data scatter around 0.
    assert kid.values[1] < 0 < kid.values[2]
    counts = next(c for c in found.checks if c.group == "sample count").values
    assert list(counts) == sorted(counts, reverse=True)


def test_what_the_data_do_not_allow_is_left_out_with_the_reason(strangers):
    (check,) = [c for c in strangers["flat"].checks if c.group == "drop classes"]
    assert check.outcome == "skipped"
    assert "no labels" in check.text
    (greedy,) = [c for c in strangers["flat"].checks if c.figure == "greedy"]
    assert greedy.outcome == "skipped"
    assert "needs 100000 samples" in greedy.text


def test_a_strangers_figure_that_is_better_lower_must_notice_noise_and_be_low_on_real_data(
    strangers,
):
    noise, real = (outcomes(strangers["flat"], g) for g in ("noise", "real against real"))
    assert (noise["grainy"], real["grainy"]) == ("ok", "ok")
    assert (noise["blind"], real["blind"]) == ("wrong", "wrong")
    assert not strangers["flat"].passed


def test_a_metric_that_fails_is_told_and_the_others_are_tested(strangers):
    (check,) = [c for c in strangers["flat"].checks if c.figure == "failing"]
    assert check.outcome == "wrong"
    assert check.text == "ZeroDivisionError: of its own"
    assert outcomes(strangers["flat"], "noise")["fid"] == "ok"


def test_features_that_depend_on_the_batch_are_found(strangers):
    assert outcomes(strangers["flat"], "batch size")["features"] == "ok"
    assert set(outcomes(strangers["of-the-batch"], "batch size").values()) == {"wrong"}


@pytest.mark.parametrize(
    ("path", "worse", "outcome"),
    [
        ([1.0, 2.0, 3.0], RISES, "ok"),
        ([1.0, 2.0, 3.0], FALLS, "wrong"),
        ([3.0, 2.0, 0.1], FALLS, "ok"),
        ([1.0, 5.0, 4.0], RISES, "wrong"),  # a step back beyond the scatter of real data
        ([1.0, 5.0, 4.9], RISES, "ok"),
        ([1.0, 1.05, 1.1], RISES, "wrong"),  # still among real data
        ([1.0, None, 3.0], RISES, "wrong"),
    ],
)
def test_getting_worse_is_judged_against_the_scatter_of_real_data(path, worse, outcome):
    assert judge("blur", "fid", [0.9, 1.0, 1.1], path, worse).outcome == outcome


def test_weak_damage_may_better_precision_and_strong_may_not():
    real = [0.93, 0.94]
    assert judge("blur", "precision", real, [0.94, 0.98, 0.1], FALLS).outcome == "ok"
    assert judge("blur", "recall", real, [0.94, 0.98, 0.1], FALLS).outcome == "wrong"
    assert judge("blur", "precision", real, [0.94, 0.1, 0.98], FALLS).outcome == "wrong"


def test_the_halves_share_no_item(digits):
    numbered = Data("numbers", torch.arange(101.0)[:, None])
    first, second = (set(half.items.flatten().tolist()) for half in halves(numbered))
    assert len(first) == 50
    assert len(second) == 51
    assert not first & second


def test_too_few_items_are_refused(digits, host, cache):
    few = Data("few", digits.items[:60])
    with pytest.raises(GanbenchError, match="needs 80 items or more, and few has 60"):
        selftest(few, host, cache, "classifier")
