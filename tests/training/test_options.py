"""Options of how steps are computed that change nothing say so."""

import pytest
import torch

from ganbench.config.model import Execution
from ganbench.plugin import Host
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import Trial

EVERY = {"channels_last": True, "merge_upsampling": True, "join_batches": True}
NOT_ALONE = "D is not known to judge each image by itself"
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
