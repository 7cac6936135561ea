"""Options of how steps are computed that change nothing say so."""

from types import SimpleNamespace

import pytest
import torch

from ganbench.config.model import Execution
from ganbench.plugin import Host
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import Trial
from ganbench.training.options import without_effect

EVERY = {"channels_last": True, "merge_upsampling": True, "join_batches": True}
NOT_ALONE = "D is not known to judge each image by itself"
SMALL = "no dense layer is large enough"
NO_DOUBLING = "no doubling with a plain 3×3 convolution behind it"


def told(architecture, tricks=None, **options):
    config = tiny_config(tricks, architecture, execution=Execution(**options))
    trial = Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))
    return trial.execution


@pytest.mark.parametrize(
    ("architecture", "tricks", "expected"),
    [
        ("mlp", {}, {"channels_last": "no convolutions", "merge_upsampling": NO_DOUBLING}),
        (
            "mlp",
            {"batch_norm": {"placement": "discriminator"}},
            {
                "channels_last": "no convolutions",
                "merge_upsampling": NO_DOUBLING,
                "join_batches": NOT_ALONE,
            },
        ),
        ("dcgan-upsample", {}, {"join_batches": NOT_ALONE}),
        (
            "dcgan-upsample",
            {"mixed_batches": {}},
            {"join_batches": "mixed_batches mixes the batches itself"},
        ),
        (
            "dcgan-transpose",
            {},
            {"merge_upsampling": NO_DOUBLING, "join_batches": NOT_ALONE},
        ),
    ],
)
def test_what_has_nothing_to_work_on_is_told(architecture, tricks, expected):
    found = told(architecture, tricks, **EVERY)
    assert found == {"backend": "eager", "without_effect": expected}


@pytest.mark.parametrize("architecture", ["mlp", "dcgan-transpose"])
def test_what_was_not_asked_for_is_not_told(architecture):
    assert told(architecture) == {"backend": "eager"}


def test_all_that_works_is_not_told():
    assert told("mlp", join_batches=True) == {"backend": "eager"}
    both = {"channels_last": True, "merge_upsampling": True}
    assert told("dcgan-upsample", **both) == {"backend": "eager"}


def large(**execution):
    """Return a dense trial with products of 64 rows, 256 columns and 256 more: 2**22."""
    config = tiny_config({}, "mlp", {"hidden": 256}, batch_size=64)
    return config.model_copy(update={"execution": Execution(onednn_linear=True, **execution)})


def of_onednn(config):
    trial = Trial(config, 0, tiny_data(items=200), Host(), torch.device("cpu"))
    return trial.execution.get("without_effect", {}).get("onednn_linear")


def test_where_onednn_multiplies_nothing_is_told(monkeypatch):
    monkeypatch.setattr("ganbench.training.options.AVAILABLE", True)
    assert of_onednn(large()) is None
    assert of_onednn(large(amp="bf16")) == "products are computed in bf16"
    small = tiny_config(architecture="mlp", execution=Execution(onednn_linear=True))
    assert of_onednn(small) == SMALL
    monkeypatch.setattr("ganbench.training.options.AVAILABLE", False)
    assert of_onednn(large()) == "PyTorch has no oneDNN here"


def test_elsewhere_than_on_a_cpu_onednn_multiplies_nothing():
    context = SimpleNamespace(device=torch.device("cuda"))
    parts = SimpleNamespace(built=SimpleNamespace(context=context), tricks=(), join=False)
    step = SimpleNamespace(parts=parts, pair=SimpleNamespace(generator=None, discriminator=None))
    assert without_effect(large(), [step]) == {"onednn_linear": "not on a CPU"}


@pytest.mark.parametrize(
    ("batch", "joined", "expected"), [(64, False, None), (63, False, SMALL), (32, True, None)]
)
def test_what_counts_is_the_batch_that_a_network_is_given(monkeypatch, batch, joined, expected):
    """With its batches joined D judges twice as many."""
    monkeypatch.setattr("ganbench.training.options.AVAILABLE", True)
    config = large(join_batches=joined).model_copy(update={"batch_size": batch})
    assert of_onednn(config) == expected
