"""Options of how steps are computed that change nothing say so."""

import pytest
import torch

from ganbench.config.model import Execution
from ganbench.plugin import Host
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import Trial
from ganbench.training.options import without_effect

EVERY = {"channels_last": True, "merge_upsampling": True, "join_batches": True}
NOT_ALONE = "D is not known to judge each image by itself"
SMALL = "no dense layer that is large enough"
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
    """Return a dense trial whose products of 64 rows, 256 columns and 256 more oneDNN takes."""
    config = tiny_config({}, "mlp", {"hidden": 256}, batch_size=64)
    return config.model_copy(update={"execution": Execution(onednn_linear=True, **execution)})


@pytest.mark.parametrize(
    ("config", "device", "expected"),
    [
        (large(), "cpu", None),
        (large(amp="bf16"), "cpu", "products are computed in bf16"),
        (large(), "meta", "not on a CPU"),
        (tiny_config(architecture="mlp", execution=Execution(onednn_linear=True)), "cpu", SMALL),
    ],
)
def test_where_onednn_multiplies_nothing_is_told(config, device, expected):
    trial = Trial(config, 0, tiny_data(items=200), Host(), torch.device("cpu"))
    for step in trial._steps:
        object.__setattr__(step.parts.built.context, "device", torch.device(device))
    found = without_effect(config, trial._steps)
    assert found == ({} if expected is None else {"onednn_linear": expected})


@pytest.mark.parametrize(
    ("joined", "sampled", "expected"), [(0, 8, SMALL), (1, 8, None), (0, 64, None)]
)
def test_what_counts_is_the_largest_batch_that_a_network_is_given(joined, sampled, expected):
    """Of 32 images D judges 64 with its batches joined; G may sample more than it trains with."""
    config = large(join_batches=bool(joined))
    evaluation = config.evaluation.model_copy(update={"batch_size": sampled})
    config = config.model_copy(update={"batch_size": 31, "evaluation": evaluation})
    trial = Trial(config, 0, tiny_data(items=200), Host(), torch.device("cpu"))
    found = trial.execution.get("without_effect", {})
    assert found.get("onednn_linear") == expected


def test_a_pytorch_without_onednn_is_told(monkeypatch):
    monkeypatch.setattr("ganbench.training.options.AVAILABLE", False)
    trial = Trial(large(), 0, tiny_data(items=200), Host(), torch.device("cpu"))
    assert trial.execution["without_effect"]["onednn_linear"] == "PyTorch has no oneDNN here"
