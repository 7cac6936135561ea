import json

import pytest
import torch

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.collapse import Measurement
from ganbench.evaluation.evaluator import EvaluationError, Evaluator
from ganbench.plugin import Data, GanbenchError, Host

CPU = torch.device("cpu")


def of_class(digits, *labels):
    keep = torch.isin(digits.labels, torch.tensor(labels))
    return digits.items[keep]


def test_the_data_themselves_are_perfect(evaluator, digits):
    figures = evaluator.evaluate(digits.items)
    assert figures["fid"] == pytest.approx(0, abs=1e-4)
    assert figures["modes"] == 10
    assert figures["modes_share"] == 1
    assert figures["kl"] == pytest.approx(0, abs=1e-3)
    assert figures["diversity"] == pytest.approx(1, abs=0.05)
    assert figures["diversity_within"] == pytest.approx(1, abs=0.1)
    assert evaluator.judge([Measurement(figures)]).health == "healthy"


def test_modes_come_with_their_histogram(evaluator, digits):
    measured = evaluator.measure(of_class(digits, 0, 4)[:300])
    assert sum(measured.histogram) == 300
    assert len(measured.histogram) == 10
    assert sum(count > 100 for count in measured.histogram) == 2
    assert evaluator.evaluate(of_class(digits, 0, 4)[:300]) == measured.figures


def test_one_image_is_a_total_collapse(evaluator, digits):
    figures = evaluator.evaluate(digits.items[:1].repeat(500, 1, 1, 1))
    assert figures["modes"] == 1
    assert figures["diversity"] == pytest.approx(0, abs=1e-6)
    assert evaluator.judge([Measurement(figures)]).health == "total collapse"


def test_one_class_is_a_total_collapse(evaluator, digits):
    figures = evaluator.evaluate(of_class(digits, 3))
    assert figures["modes"] == 1
    assert evaluator.judge([Measurement(figures)]).health == "total collapse"


def test_three_classes_are_a_partial_collapse(evaluator, digits):
    figures = evaluator.evaluate(of_class(digits, 0, 1, 2))
    assert figures["modes"] == 3
    assert evaluator.judge([Measurement(figures)]).health == "partial collapse"


def test_one_style_a_class_is_a_partial_collapse(evaluator, digits):
    styles = torch.stack([of_class(digits, label)[0] for label in range(10)])
    figures = evaluator.evaluate(styles.repeat(60, 1, 1, 1))
    assert figures["modes"] == 10
    assert figures["diversity_within"] == pytest.approx(0, abs=1e-6)
    assert evaluator.judge([Measurement(figures)]).health == "partial collapse"


def test_worse_samples_score_worse(evaluator, digits):
    draws = torch.Generator().manual_seed(0)
    noise = torch.randn(digits.items.shape, generator=draws)
    scores = [
        evaluator.evaluate((digits.items + level * noise).clamp(0, 255).to(torch.uint8))["fid"]
        for level in (0, 20, 60, 150)
    ]
    assert scores == sorted(scores)
    assert scores[-1] > 10 * scores[1]


def test_figures_repeat_and_draw_no_random_numbers(evaluator, digits):
    before = torch.get_rng_state()
    first = evaluator.evaluate(digits.items[:300])
    assert evaluator.evaluate(digits.items[:300].clone()) == first
    assert torch.equal(torch.get_rng_state(), before)


def test_samples_overwritten_in_place_are_measured_anew(evaluator, digits):
    samples = digits.items[:300].clone()
    evaluator.evaluate(samples)
    samples.copy_(digits.items[300:600])
    assert evaluator.evaluate(samples) == evaluator.evaluate(digits.items[300:600])


def test_a_second_worker_loads_what_the_first_made(evaluator, digits, host, cache):
    told = []
    second = Evaluator(Evaluation(), digits, host, CPU, cache, lambda *report: told.append(report))
    assert told == []
    assert second.protocol == evaluator.protocol
    assert second.evaluate(digits.items[:200]) == evaluator.evaluate(digits.items[:200])


def test_a_damaged_reference_is_made_again(evaluator, digits, host, cache):
    paths = list(cache.glob("reference-*.pt"))
    assert paths
    for path in paths:
        path.write_bytes(b"rubbish")
    second = Evaluator(Evaluation(), digits, host, CPU, cache)
    assert second.evaluate(digits.items[:200]) == evaluator.evaluate(digits.items[:200])


def test_the_protocol_says_how_and_can_be_stored(evaluator):
    protocol = json.loads(json.dumps(evaluator.protocol))
    assert protocol["extractor"]["name"] == "classifier"
    assert protocol["samples"] == 2000
    assert protocol["reference"]["count"] == 1797
    assert protocol["batch_norm_statistics"] == "running"
    assert protocol["feature_width"] == 64
    assert protocol["warnings"] == []
    assert protocol["collapse_rule"] == evaluator.collapse_rule
    assert protocol["extractor"]["weights_sha256"] == protocol["classifier"]["weights_sha256"]
    assert set(evaluator.metric_notes) >= {"fid", "modes", "kl", "diversity"}


def test_too_few_samples_for_the_features_are_warned_of(digits, host, cache):
    few = Evaluator(Evaluation(samples=64), digits, host, CPU, cache)
    (warning,) = few.protocol["warnings"]
    assert "64 samples for 64 features" in warning
    assert "singular" in warning


def test_unlabelled_data_ask_for_another_extractor(digits, host, cache):
    bare = Data("bare", digits.items)
    with pytest.raises(EvaluationError, match=r"'classifier' does not apply to bare.*inception"):
        Evaluator(Evaluation(), bare, host, CPU, cache)


def test_images_of_one_class_ask_for_another_extractor(digits, host, cache):
    ones = digits.items[digits.labels == 1]
    alone = Data("ones", ones, torch.zeros(len(ones), dtype=torch.int64), ("one",))
    with pytest.raises(EvaluationError, match=r"two classes or more; those that do: .*inception"):
        Evaluator(Evaluation(), alone, host, CPU, cache)


def cloud():
    return Data("cloud", torch.randn(100, 2, generator=torch.Generator().manual_seed(0)))


def test_points_ask_for_the_extractor_of_points(host, cache):
    with pytest.raises(EvaluationError, match="those that do: coordinates"):
        Evaluator(Evaluation(), cloud(), host, CPU, cache)


def test_metrics_nobody_listed_are_left_out_where_they_do_not_apply_and_that_is_told(host, cache):
    settings = Evaluation(extractor=Component(name="coordinates"))
    measure = Evaluator(settings, cloud(), host, CPU, cache)
    assert set(measure.protocol["metrics"]) == {"fid", "diversity"}
    assert "no labels" in measure.protocol["metrics_left_out"]["modes"]
    assert set(measure.evaluate(cloud().items)) == {"fid", "diversity", "near_copies"}
    with pytest.raises(EvaluationError, match=r"'kl', which no metric.*modes is left out: it"):
        Evaluator(settings.model_copy(update={"primary": "kl"}), cloud(), host, CPU, cache)


def test_where_every_metric_applies_nothing_is_left_out(evaluator):
    assert "metrics_left_out" not in evaluator.protocol


def test_a_metric_that_does_not_apply_is_named(host, cache):
    points = cloud()
    listed = (Component(name="fid"), Component(name="modes"))
    settings = Evaluation(extractor=Component(name="coordinates"), metrics=listed)
    reason = r"'modes' does not apply to cloud.*diversity, duplicates, fid"
    with pytest.raises(EvaluationError, match=reason):
        Evaluator(settings, points, host, CPU, cache)


def test_points_without_modes_are_judged_by_diversity(host, cache):
    points = Data("cloud", torch.randn(100, 2, generator=torch.Generator().manual_seed(0)))
    metrics = (Component(name="fid"), Component(name="diversity"))
    settings = Evaluation(extractor=Component(name="coordinates"), metrics=metrics)
    measure = Evaluator(settings, points, host, CPU, cache)
    figures = measure.evaluate(points.items[:1].repeat(50, 1))
    assert set(figures) == {"fid", "diversity", "near_copies"}
    assert measure.judge([Measurement(figures)]).health == "total collapse"
    assert "modes" not in measure.collapse_rule


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"primary": "fdi"}, "'fdi', which no metric of the study gives.*fid"),
        ({"primary": "modes"}, "'modes', which is not declared as lower is better.* are fid, kl"),
        ({"metrics": (Component(name="fid"),) * 2}, "both give the figure 'fid'"),
        (
            {"metrics": (Component(name="modes", parameters={"threshold": 2.0}),)},
            "'modes' does not take.*threshold.*less than or equal to 1.*2.0",
        ),
        ({"extractor": Component(name="inceptoin")}, "did you mean 'inception'"),
    ],
)
def test_settings_that_cannot_work_fail_before_any_training(digits, host, cache, settings, message):
    with pytest.raises(GanbenchError, match=message):
        Evaluator(Evaluation(**settings), digits, host, CPU, cache)


@pytest.mark.parametrize(
    "samples",
    [
        torch.zeros(5, 1, 8, 9, dtype=torch.uint8),
        torch.zeros(5, 1, 8, 8),
        torch.full((5, 1, 8, 8), 300),
        torch.zeros(1, 1, 8, 8, dtype=torch.uint8),
        torch.zeros(5, 64, dtype=torch.uint8),
    ],
)
def test_samples_unlike_the_data_are_refused(evaluator, samples):
    with pytest.raises(ValueError, match=r"expected two or more like the data, \(1, 8, 8\)"):
        evaluator.evaluate(samples)


PLUGIN = '''
import torch

from ganbench.plugin import Extractor, Metric

class Brightness(Metric):
    """Mean brightness."""
    name = "brightness"
    figures = {"brightness": "mean of all pixels, 0 to 255"}
    lower_is_better = ("brightness",)
    def compute(self, ctx):
        return {"brightness": ctx.samples.float().mean().item()}

class Rogue(Metric):
    """Gives what it does not declare."""
    name = "rogue"
    figures = {"fine": "never given"}
    def compute(self, ctx):
        return {"other": 1.0}

class Broken(Extractor):
    """What weights that are not finite make of images."""
    name = "broken"
    def features(self, items):
        return items.flatten(1) * float("inf")
    def protocol(self):
        return {}

class Precision(Extractor):
    """How it is asked to compute."""
    name = "precision"
    def features(self, items):
        told = [torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision]
        assert told == ["ieee", "ieee"], told
        assert not torch.is_grad_enabled() and not torch.is_autocast_enabled("cpu")
        return items.flatten(1).float()
    def protocol(self):
        return {}

class Pixels(Extractor):
    """The pixels themselves."""
    name = "bare_pixels"
    def features(self, items):
        return items.flatten(1).float()
    def protocol(self):
        return {"layer": "pixels"}
'''


@pytest.fixture
def plugin_host(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    return Host([file])


def test_a_metric_and_an_extractor_of_ones_own_are_used(digits, plugin_host, tmp_path):
    settings = Evaluation(
        primary="brightness",
        metrics=(Component(name="brightness"), Component(name="fid")),
        extractor=Component(name="bare_pixels"),
    )
    bare = Data("bare", digits.items)
    measure = Evaluator(settings, bare, plugin_host, CPU, tmp_path)
    figures = measure.evaluate(torch.full((100, 1, 8, 8), 7, dtype=torch.uint8))
    assert figures["brightness"] == 7
    # Against a constant, the distance is that of the means and the data's variance.
    pixels = digits.items.flatten(1).double()
    expected = (pixels.mean(0) - 7).square().sum() + pixels.var(0).sum()
    assert figures["fid"] == pytest.approx(expected.item(), rel=1e-6)


def test_features_that_are_not_finite_are_blamed_on_the_extractor(digits, plugin_host, tmp_path):
    settings = Evaluation(extractor=Component(name="broken"))
    with pytest.raises(EvaluationError, match=r"'broken' gave features that are not finite"):
        Evaluator(settings, digits, plugin_host, CPU, tmp_path)


def test_whatever_training_does_features_are_computed_in_full_float32(
    digits, plugin_host, tmp_path
):
    conv = torch.backends.cudnn.conv
    before = conv.fp32_precision
    settings = Evaluation(extractor=Component(name="precision"), samples=50)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        measure = Evaluator(settings, digits, plugin_host, CPU, tmp_path)
        measure.evaluate(digits.items[:50])
        measure.features_of(digits.items[:5])
    assert conv.fp32_precision == before


def test_features_lie_on_the_studys_device_wherever_the_items_do(host, tmp_path):
    settings = Evaluation(extractor=Component(name="coordinates"), samples=50)
    measure = Evaluator(settings, cloud(), host, CPU, tmp_path)
    measure._study.device = torch.device("meta")  # as a GPU would: a device that items are not on
    assert measure._features([cloud().items]).device.type == "meta"


def test_a_class_without_items_is_no_mode(digits, host, cache):
    few = digits.labels < 4
    data = Data("four of ten", digits.items[few], digits.labels[few], digits.classes)
    measure = Evaluator(Evaluation(samples=300), data, host, CPU, cache)
    assert measure.evaluate(data.items[:300])["modes_share"] == 1


def test_an_undeclared_figure_is_refused(digits, plugin_host, tmp_path):
    settings = Evaluation(
        metrics=(Component(name="fid"), Component(name="rogue")),
        extractor=Component(name="bare_pixels"),
    )
    with pytest.raises(EvaluationError, match="'rogue' gave other, which it does not declare"):
        Evaluator(settings, digits, plugin_host, CPU, tmp_path)


def test_a_cache_that_cannot_be_made_is_named(digits, host, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match=r"cache .* cannot be made"):
        Evaluator(Evaluation(), digits, host, CPU, tmp_path / "file" / "cache")
