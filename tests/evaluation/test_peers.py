"""On the same features: the figures of torch-fidelity and of prdc, the published packages."""

import prdc as peer
import pytest
import torch
from ganbench_plugins.metrics import _score, kid, prdc
from made_up_features import features
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from ganbench.evaluation.frechet import frechet_distance, moments

SETS = [(300, 400, 32), (500, 260, 7), (300, 300, 400)]
"""Samples, data items, width."""


@pytest.fixture(params=SETS, ids=str)
def sets(request):
    samples, data, width = request.param
    return features(samples, width, seed=1, spread=1.05), features(data, width, seed=2)


def test_fid_is_torch_fidelitys(sets):
    first, second = (fid_features_to_statistics(each) for each in sets)
    expected = fid_statistics_to_metric(first, second, verbose=False)
    found = frechet_distance(*map(moments, sets))
    assert found == pytest.approx(expected["frechet_inception_distance"], rel=1e-6)


@pytest.mark.parametrize(("subsets", "size"), [(100, 100), (3, 250)])
def test_kid_and_its_deviation_are_torch_fidelitys(sets, subsets, size):
    settings = {"kid_subsets": subsets, "kid_subset_size": size, "verbose": False}
    expected = kid_features_to_metric(*sets, **settings)
    found = kid.subset_distances(*sets, subsets, size)
    mean, deviation = found.mean().item(), found.std(correction=0).item()
    assert mean == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-6)
    assert deviation == pytest.approx(expected["kernel_inception_distance_std"], rel=1e-6)


@pytest.mark.parametrize("splits", [1, 3, 10])
def test_the_inception_score_is_torch_fidelitys(sets, splits):
    logits = 3 * sets[0]
    expected = isc_features_to_metric(logits, splits=splits)
    found = _score.split_scores(logits, splits)
    assert found.mean().item() == pytest.approx(expected["inception_score_mean"], rel=1e-6)
    deviation = found.std(correction=0).item()
    assert deviation == pytest.approx(expected["inception_score_std"], rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("neighbours", [1, 3])
def test_precision_and_recall_are_torch_fidelitys(sets, neighbours):
    expected = prc_features_to_metric(*sets, prc_neighborhood=neighbours, verbose=False)
    found = prdc.precision_recall_density_coverage(*sets, neighbours, 5)
    assert found["precision"] == pytest.approx(expected["precision"], abs=1e-6)
    assert found["recall"] == pytest.approx(expected["recall"], abs=1e-6)
    assert 0 < found["precision"] < found["recall"] + 0.01 < 1


@pytest.mark.parametrize("neighbours", [1, 5, 10])
def test_precision_recall_density_and_coverage_are_prdcs(sets, neighbours, capsys):
    samples, data = sets
    expected = peer.compute_prdc(data.numpy(), samples.numpy(), nearest_k=neighbours)
    found = prdc.precision_recall_density_coverage(samples, data, neighbours, neighbours)
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("neighbours", [1, 5])
def test_a_set_against_itself_is_what_prdc_says_of_it(neighbours, capsys):
    data = features(200, 16, seed=3)
    expected = peer.compute_prdc(data.numpy(), data.numpy(), nearest_k=neighbours)
    found = prdc.precision_recall_density_coverage(data, data.clone(), neighbours, neighbours)
    assert found == pytest.approx(expected, abs=1e-12)


def test_blocks_change_nothing(sets, monkeypatch):
    samples, data = sets
    whole = prdc.precision_recall_density_coverage(samples, data, 3, 5)
    kernels = kid.subset_distances(samples, data, 5, 100)
    monkeypatch.setattr("ganbench_plugins.metrics._features.BLOCK", 7 * len(data))
    assert prdc.precision_recall_density_coverage(samples, data, 3, 5) == whole
    torch.testing.assert_close(kid.subset_distances(samples, data, 5, 100), kernels)
