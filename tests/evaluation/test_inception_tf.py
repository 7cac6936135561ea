"""On the same images and the same random weights: torch-fidelity's features and figures."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ganbench_plugins import _library
from ganbench_plugins.metrics import _score, kid, prdc
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.evaluator import EvaluationError, Evaluator
from ganbench.evaluation.frechet import frechet_distance, moments
from ganbench.plugin import Data

CPU = torch.device("cpu")


def colours(count, seed):
    draws = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 3, 8, 8), generator=draws, dtype=torch.uint8)
    return images.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)


@pytest.fixture(scope="module")
def images():
    return colours(9, 0), colours(8, 1) // 3


@pytest.fixture(scope="module")
def parameters(weights, sha256):
    return {"weights": str(weights), "expected_hash": sha256}


@pytest.fixture(scope="module")
def ours(images, parameters, host):
    """Our features and logits of data and samples."""
    extractor = host.create("extractor", "inception-tf", parameters)
    data = Data("blocks", images[0])
    extractor.prepare(SimpleNamespace(data=data, device=CPU, progress=print))
    with torch.no_grad():
        features = [extractor.features(part) for part in images]
        return [(each, extractor.logits(each)) for each in features]


@pytest.fixture(scope="module")
def theirs(images, weights):
    """torch-fidelity's features and unbiased logits of data and samples."""
    network = FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048", "logits_unbiased"], feature_extractor_weights_path=weights
    )
    return [network(part) for part in images]


def test_features_and_logits_are_torch_fidelitys(ours, theirs):
    for found, expected in zip(ours, theirs, strict=True):
        for mine, its in zip(found, expected, strict=True):
            scale = its.abs().max().item()
            np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-6 * scale)


def test_the_frechet_distance_is_torch_fidelitys(ours, theirs):
    data, samples = (each[0].double() for each in theirs)
    # Its eigenvalues of 2048 × 2048 take long; in a basis of what the sets span, 8 + 7
    # directions and the difference of the means, the distance is the same.
    both = torch.cat([data, samples])
    basis = torch.linalg.svd(both - both.mean(dim=0), full_matrices=False).Vh[:16].T
    statistics = [fid_features_to_statistics(each @ basis) for each in (samples, data)]
    expected = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(moments(samples), moments(data)) == pytest.approx(expected, rel=1e-6)
    # Through our features: what rounding in float32 makes of it.
    found = frechet_distance(moments(ours[1][0]), moments(ours[0][0]))
    assert found == pytest.approx(expected, rel=5e-6)


def test_kernel_distance_score_precision_and_recall_are_torch_fidelitys(ours, theirs):
    (data, _), (samples, logits) = ours
    (its_data, _), (its_samples, its_logits) = theirs
    options = {"kid_subsets": 4, "kid_subset_size": 6, "verbose": False}
    expected = kid_features_to_metric(its_samples.double(), its_data.double(), **options)
    mean = expected["kernel_inception_distance_mean"]
    assert kid.subset_distances(samples, data, 4, 6).mean().item() == pytest.approx(mean, abs=1e-6)
    score = isc_features_to_metric(its_logits.double(), splits=2)["inception_score_mean"]
    assert _score.split_scores(logits, 2).mean().item() == pytest.approx(score, rel=1e-6)
    near = prc_features_to_metric(
        its_samples.double(), its_data.double(), prc_neighborhood=3, verbose=False
    )
    found = prdc.precision_recall_density_coverage(samples, data, 3, 3)
    assert (found["precision"], found["recall"]) == (near["precision"], near["recall"])


def evaluator(name, images, parameters, host, cache):
    settings = Evaluation(
        metrics=(
            Component(name="fid"),
            Component(name="inception_score", parameters={"splits": 2}),
        ),
        extractor=Component(name=name, parameters=parameters),
        samples=3,
    )
    return Evaluator(settings, Data("blocks", images[0][:3]), host, CPU, cache)


def test_it_is_stamped_as_another_extractor_and_gives_other_numbers(
    images, parameters, host, tmp_path
):
    mine, other = (
        evaluator(name, images, parameters, host, tmp_path)
        for name in ("inception-tf", "inception")
    )
    stamp, its = mine.protocol["extractor"], other.protocol["extractor"]
    assert stamp["network"] == "Inception of torch-fidelity"
    assert "TensorFlow" in stamp["resize"]
    assert stamp["weights_sha256"] == its["weights_sha256"]
    assert {"name", "network", "resize"} <= {key for key in stamp if stamp[key] != its[key]}
    figures, its_figures = (each.evaluate(images[1][:3]) for each in (mine, other))
    assert abs(figures["fid"] / its_figures["fid"] - 1) > 1e-3
    assert figures["inception_score"] >= 1


def test_without_torch_fidelity_the_extra_is_named(images, parameters, host, tmp_path, monkeypatch):
    monkeypatch.setattr(_library, "find_spec", lambda _: None)
    with pytest.raises(
        EvaluationError, match=r"torch_fidelity, which is not installed.*ganbench\[torch-fidelity\]"
    ):
        evaluator("inception-tf", images, parameters, host, tmp_path)
