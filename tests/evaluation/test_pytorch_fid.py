"""On the same images and weights: the features and the FID of pytorch-fid's own program.

Images reach it as PNG files in two folders, as they would reach its command line. Its FID calls
``scipy.linalg.sqrtm(..., disp=False)``, which newer releases of scipy warn of and then refuse:
here it gets the same root without asking for that, so any release of scipy will do.
"""

import numpy as np
import pytest
import scipy.linalg
import torch
from PIL import Image
from pytorch_fid import fid_score, inception

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.evaluator import Evaluator
from ganbench.plugin import Data

CPU = torch.device("cpu")
root = scipy.linalg.sqrtm


@pytest.fixture(scope="module")
def images():
    draws = torch.Generator().manual_seed(0)
    coarse = torch.randint(256, (14, 3, 8, 8), generator=draws, dtype=torch.uint8)
    whole = coarse.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    return whole[:8], whole[8:]


@pytest.fixture(scope="module")
def folders(images, tmp_path_factory):
    paths = []
    for part in images:
        paths.append(tmp_path_factory.mktemp("images"))
        for index, image in enumerate(part):
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(paths[-1] / f"{index}.png")
    return paths


@pytest.fixture(scope="module")
def evaluator(images, weights, sha256, host, tmp_path_factory):
    chosen = Component(
        name="inception", parameters={"weights": str(weights), "expected_hash": sha256}
    )
    metrics = (Component(name="fid"), Component(name="inception_score", parameters={"splits": 2}))
    settings = Evaluation(metrics=metrics, extractor=chosen, samples=6)
    return Evaluator(settings, Data("blocks", images[0]), host, CPU, tmp_path_factory.mktemp("c"))


@pytest.fixture(scope="module")
def with_our_weights(weights):
    def load(*_, **__):
        return torch.load(weights)

    def sqrtm(matrix, disp=True):
        return root(matrix) if disp else (root(matrix), None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "load_state_dict_from_url", load)
        patch.setattr(scipy.linalg, "sqrtm", sqrtm)
        yield


@pytest.fixture(scope="module")
def network(with_our_weights):
    return inception.InceptionV3([3])


def test_features_are_pytorch_fids_of_the_saved_images(evaluator, images, folders, network, capfd):
    files = sorted(folders[0].glob("*.png"))
    expected = fid_score.get_activations(files, network, 50, 2048, "cpu", 0)
    found = evaluator._extractor.features(images[0]).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * expected.max())


def test_fid_is_pytorch_fids_of_the_saved_images(evaluator, images, folders, network, capfd):
    (mean, covariance), (other_mean, other_covariance) = (
        fid_score.compute_statistics_of_path(str(path), network, 50, 2048, "cpu", 0)
        for path in folders
    )
    # Its root of 2048 x 2048 takes half a minute. Covariances of 8 and 6 images span 7 and 5
    # directions, the means one more, and in a basis of those the distance is the same.
    draws = np.random.default_rng(0)
    spanned = covariance @ draws.normal(size=(2048, 7))
    more = other_covariance @ draws.normal(size=(2048, 5))
    basis = np.linalg.qr(np.column_stack([spanned, more, mean - other_mean]))[0]
    expected = fid_score.calculate_frechet_distance(
        mean @ basis,
        basis.T @ covariance @ basis,
        other_mean @ basis,
        basis.T @ other_covariance @ basis,
    )
    assert evaluator.evaluate(images[1])["fid"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Matrix is singular")
def test_fid_is_what_pytorch_fids_command_line_prints(
    evaluator, images, folders, with_our_weights, monkeypatch, capfd
):
    line = ["pytorch_fid", *map(str, folders), "--device", "cpu", "--num-workers", "0"]
    monkeypatch.setattr("sys.argv", line)
    fid_score.main()
    printed = float(capfd.readouterr().out.rpartition("FID:")[2])
    assert evaluator.evaluate(images[1])["fid"] == pytest.approx(printed, rel=1e-4)


def test_logits_are_those_of_the_networks_last_layer_without_its_bias(evaluator, images, weights):
    layer = torch.nn.Linear(2048, 1008)
    state = torch.load(weights)
    layer.load_state_dict({"weight": state["fc.weight"], "bias": state["fc.bias"]})
    features = evaluator._extractor.features(images[0])
    with torch.no_grad():
        expected = layer(features) - layer.bias
    torch.testing.assert_close(
        evaluator._extractor.logits(features), expected, rtol=1e-4, atol=1e-4
    )


def test_the_inception_score_lies_between_one_and_the_samples_of_a_split(evaluator, images):
    figures = evaluator.evaluate(images[1])
    assert 1 < figures["inception_score"] <= 3
    same = evaluator.evaluate(images[1][:1].repeat(6, 1, 1, 1))
    assert same["inception_score"] == pytest.approx(1)
