"""CIFAR-10's known FID: left out with the reason, or measured and held to the field's number."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from ganbench.evaluation import known
from ganbench.plugin import Asset, Data

CPU = torch.device("cpu")


@pytest.fixture
def surroundings(monkeypatch):
    """Stand in for 60,000 images and 91 MB of weights; note what was measured against what."""
    sizes = {"train": 50, "test": 10}
    seen = SimpleNamespace(found=True, value=3.15, measured=None)

    class Host:
        def create(self, kind, name):
            asset = Asset(name, Path("/data") / name, seen.found)
            return SimpleNamespace(assets=lambda *root: [asset])

    class Evaluator:
        def __init__(self, settings, data, *rest):
            self.of = len(data.items), settings.samples, settings.extractor.name

        def evaluate(self, samples):
            seen.measured = (*self.of, len(samples))
            return {"fid": seen.value}

    def load(name, parameters, *rest):
        return Data(name, torch.zeros(sizes[parameters["split"]], 3, 32, 32, dtype=torch.uint8))

    monkeypatch.setattr(known, "load_data", load)
    monkeypatch.setattr(known, "Evaluator", Evaluator)
    seen.host = Host()
    return seen


def check(surroundings, device=CPU, download=False, patient=False):
    told = {"download": download, "patient": patient}
    return known.check_known_distance(
        surroundings.host, Path("/data"), device, Path("/cache"), lambda *_: None, **told
    )


def test_what_is_missing_is_named_and_not_fetched(surroundings):
    surroundings.found = False
    skipped = check(surroundings, patient=True)
    assert skipped.outcome == "skipped"
    assert "/data/cifar10 and /data/inception" in skipped.text
    assert surroundings.measured is None


def test_a_cpu_is_spared_unless_it_is_meant(surroundings):
    skipped = check(surroundings)
    assert skipped.outcome == "skipped"
    assert "--full" in skipped.text
    assert check(surroundings, device=torch.device("cuda")).outcome == "ok"


@pytest.mark.parametrize(("value", "outcome"), [(3.15, "ok"), (3.19, "ok"), (3.3, "wrong")])
def test_the_test_set_against_the_training_set_has_the_fields_number(surroundings, value, outcome):
    surroundings.value = value
    found = check(surroundings, patient=True)
    assert (found.outcome, found.values) == (outcome, (value,))
    assert surroundings.measured == (50, 10, "inception", 10)
