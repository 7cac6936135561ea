"""What only a GPU shows: that every metric works there, and gives what it gives on a CPU."""

import pytest
import torch

from ganbench.config.model import Component, Evaluation
from ganbench.data.load import load_data
from ganbench.evaluation.evaluator import Evaluator

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
OF_IMAGES = (
    *("fid", "fid_infinity", "modes", "diversity", "kid", "prdc", "vendi", "duplicates"),
    *("memorisation", "classifier_score", "spectrum", "sharpness", "noise"),
)
OF_POINTS = ("fid", "fid_infinity", "modes", "diversity", "kid", "prdc", "duplicates")


def figures_on(device, data, host, cache, samples, names, extractor):
    settings = Evaluation(
        metrics=tuple(Component(name=name) for name in names),
        extractor=Component(name=extractor),
        samples=len(samples),
    )
    return Evaluator(settings, data, host, torch.device(device), cache).evaluate(samples)


@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_figures_of_images_are_those_of_a_cpu(digits, host, cache, where):
    samples = digits.items[:600]
    rest = digits, host, cache
    expected = figures_on("cpu", *rest, samples, OF_IMAGES, "classifier")
    found = figures_on("cuda", *rest, samples.to(where), OF_IMAGES, "classifier")
    # Counts of neighbours may differ by an item or two, by rounding of the features.
    assert found == pytest.approx(expected, rel=1e-2, abs=5e-3)


@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_figures_of_points_are_those_of_a_cpu(host, tmp_path, where):
    data = load_data("ring", {"samples": 3000}, host)
    samples = data.items[:500] + 0.01
    rest = data, host, tmp_path
    expected = figures_on("cpu", *rest, samples, OF_POINTS, "coordinates")
    found = figures_on("cuda", *rest, samples.to(where), OF_POINTS, "coordinates")
    assert found == pytest.approx(expected, rel=1e-2, abs=5e-3)
