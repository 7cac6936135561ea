"""Presets are whole studies that run by themselves, on the images that they are made for."""

import pytest
import torch

from ganbench.config.load import load_study
from ganbench.config.sources import shipped_studies
from ganbench.plugin import Host
from ganbench.study.design import expand
from ganbench.testing import tiny_data
from ganbench.training import Trial

PRESETS = [name for name in shipped_studies() if name.startswith("presets/")]
SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}
SMALL = {"presets/radford-dcgan": ["baseline.architecture.width=4"]}
"""What keeps a test of networks made for a GPU short."""


def test_there_is_one_for_each_of_the_six_systems():
    assert sorted(PRESETS) == [
        "presets/chollet-dcgan",
        "presets/dense-conv",
        "presets/goodfellow-mlp",
        "presets/keras-dcgan",
        "presets/radford-dcgan",
        "presets/tf-dcgan",
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_one_system_that_trains(name):
    host = Host()
    study = load_study(name, host, ["baseline.batch_size=2", *SMALL.get(name, [])]).study
    assert f"presets/{study.name}" == name
    (arm,) = expand(study, host)
    assert arm.skipped is None
    channels, size, _ = SHAPES[study.dataset.name]
    size = study.dataset.parameters.get("size", size)
    trial = Trial(arm.config, 0, tiny_data((channels, size, size), 8), host, torch.device("cpu"))
    trial.advance(2)
    assert trial.step == 2
    assert trial.diverged_at is None
