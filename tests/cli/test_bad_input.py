"""Data, samples, classes and weights that cannot be used: told before any training, exit code 2."""

import sys

import pytest
import torch

from ganbench.cli.main import main

PLUGIN = '''
from dataclasses import replace
from typing import Literal

import torch

from ganbench.plugin import Data, Dataset, DatasetParameters


class Odd(Dataset):
    """Data that something is wrong with."""

    name = "odd"

    class Parameters(DatasetParameters):
        fault: str = ""

    def load(self, root, progress):
        draws = torch.Generator().manual_seed(0)
        items = torch.randint(256, (60, 1, 8, 8), generator=draws).byte()
        labels, classes = torch.arange(60) % 3, ("a", "b", "c")
        fault = self.parameters.fault
        if fault == "size":
            items = items.repeat(1, 1, 20, 20)
        if fault == "oblong":
            items = items.repeat(1, 1, 1, 2)
        if fault == "float":
            items = items.float() / 255
        if fault == "binary":
            items = items // 128
        if fault == "signed":
            items = items.to(torch.int16) - 128
        if fault == "channels":
            items = items.repeat(1, 4, 1, 1)
        if fault == "last":
            items = items.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
        if fault == "unlabelled":
            labels, classes = None, ()
        if fault == "one class":
            labels, classes = labels * 0, ("a",)
        return Data("odd", items, labels, classes)
'''
STUDY = """
name: bad
question: Is it told?
dataset: {name: odd}
baseline:
  architecture: {name: mlp, hidden: 4}
  batch_size: 8
  steps: 2
factors:
  label_smoothing: ["off", "on"]
seeds: 2
evaluation: {samples: 40, every: 2, extractor: pixels, metrics: [fid]}
"""


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Run the study with settings that cannot work, and return what is told."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "odd.py").write_text(PLUGIN)
    (tmp_path / "bad.yaml").write_text(STUDY)
    threads, strict = torch.get_num_threads(), torch.get_deterministic_debug_mode()

    def refused(*sets):
        line = ["ganbench", "run", "bad.yaml", "--plugin", "odd.py", "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", line + [word for each in sets for word in ("--set", each)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr().err
        assert ended.value.code == 2, told
        assert "Traceback" not in told
        left = tmp_path / "reports" / "bad"
        assert not (left / "ledger" / "checkpoints").exists()
        assert not (left / "results.json").exists()
        return " ".join(told.split())

    yield refused
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(strict)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("size", "images are 160×160, expected square ones of 8 to 64"),
        ("oblong", "images are 8×16, expected square ones of 8 to 64"),
        ("float", "images are torch.float32, expected torch.uint8 in 0 to 255"),
        ("signed", "images are torch.int16, expected torch.uint8 in 0 to 255"),
        ("binary", "images run from 0 to 1, expected grey levels of 0 to 255"),
        ("channels", "images have 4 channels (shape (60, 4, 8, 8)), expected 1 or 3"),
        ("last", "(shape (60, 8, 8, 3)), expected 1 or 3; channels come first"),
    ],
)
def test_images_of_the_wrong_size_range_or_channels(refused, fault, message):
    told = refused(f"dataset.fault={fault}")
    assert "the data set plugin 'odd' of " in told
    assert message in told


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["evaluation.samples=3", "evaluation.metrics=[fid, kid]"], "'kid' needs 4 samples"),
        (["evaluation.metrics=[fid, prdc]", "evaluation.samples=5"], "'prdc' needs 6 samples"),
        (["evaluation.metrics=[fid, fid_infinity]"], "'fid_infinity' needs 256 samples"),
        (["evaluation.samples=1"], "evaluation.samples"),
    ],
)
def test_too_few_samples_for_a_metric(refused, sets, message):
    told = refused(*sets)
    assert message in told
    assert "40" in told or "evaluation.samples" in told


@pytest.mark.parametrize(
    ("fault", "sets", "message"),
    [
        ("unlabelled", ["evaluation.extractor=classifier"], "'classifier' does not apply to odd"),
        ("unlabelled", ["evaluation.metrics=[fid, modes]"], "'modes' does not apply to odd"),
        (
            "unlabelled",
            ["evaluation.metrics=[fid, classifier_score]"],
            "'classifier_score' does not apply to odd",
        ),
        ("one class", ["evaluation.extractor=classifier"], "images of two classes or more"),
        ("unlabelled", ["evaluation.metrics=auto", "evaluation.primary=kl"], "modes is left out"),
    ],
)
def test_data_without_classes_where_classes_are_needed(refused, fault, sets, message):
    assert message in refused(f"dataset.fault={fault}", *sets)


def test_weights_with_another_hash(refused, tmp_path):
    path = tmp_path / "torch" / "hub" / "checkpoints" / "pt_inception-2015-12-05-6726825d.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not what was published")
    told = refused("evaluation.extractor=inception")
    assert "the weights" in told
    assert str(path) in told
    assert "expected one that starts with 6726825d" in told
    (tmp_path / "mine.pth").write_bytes(b"of one's own")
    mine = "{name: inception, weights: mine.pth, expected_hash: abcdef01}"
    assert "starts with abcdef01" in refused(f"evaluation.extractor={mine}")
    assert "there is no file of weights none.pth" in refused(
        "evaluation.extractor={name: inception, weights: none.pth}"
    )


def test_a_storage_that_cannot_be_reached_is_told_before_the_data_are_looked_at(
    refused, monkeypatch
):
    monkeypatch.setenv("GANBENCH_STORAGE", "postgresql+psycopg://me@127.0.0.1:1/studies")
    told = refused("dataset.fault=size")
    assert "127.0.0.1:1/studies" in told
    assert "images are" not in told
