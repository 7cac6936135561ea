"""Where BatchNorm finds its place in the blocks of other people's networks."""

import pytest
import torch
from ganbench_plugins.architectures.mlp import MLP
from torch import nn

from ganbench.plugin import Discriminator, Host
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial

EVERYWHERE = {"placement": "both", "output_layer": True, "input_layer": True}


def built(architecture, plugins=(), shape=(1, 8, 8), **parameters):
    config = tiny_config({"batch_norm": {**EVERYWHERE, **parameters}}, architecture)
    return Trial(config, 0, tiny_data(shape), Host(classes=plugins), torch.device("cpu"))


def children(trial, role, block):
    net = getattr(trial.pairs[0].pair, role)
    return " ".join(name for name, _ in net.get_submodule(block).named_children())


@pytest.mark.parametrize(
    ("architecture", "role", "block", "before", "after"),
    [
        # Cropping makes a transposed convolution TensorFlow's; it is part of it.
        (
            "tf-dcgan",
            "generator",
            "up1",
            "conv crop norm activation",
            "conv crop activation norm",
        ),
        # As the source has it: the zeros, then BatchNorm, then the activation.
        (
            "keras-dcgan",
            "discriminator",
            "blocks.down2",
            "pad conv zeros norm activation dropout",
            "pad conv zeros activation norm dropout",
        ),
        (
            "goodfellow-mlp",
            "discriminator",
            "blocks.hidden1",
            "flatten range dropout linear norm activation",
            "flatten range dropout linear activation norm",
        ),
        ("goodfellow-mlp", "generator", "output", "linear norm activation range shape", None),
        ("lapgan", "generator", "output", "linear shape norm", "linear shape norm"),
        ("mlp", "generator", "output", "linear norm activation shape", None),
    ],
)
def test_it_stands_directly_before_or_behind_the_activation(
    architecture, role, block, before, after
):
    assert children(built(architecture), role, block) == before
    if after is not None:
        made = built(architecture, position="after")
        assert children(made, role, block) == after
        made.advance(1)


@pytest.mark.parametrize(("position", "features"), [("before", 1200), ("after", 240)])
def test_it_has_the_features_that_are_there(position, features):
    # Maxout units: 240, each the greatest of 5 pieces.
    net = built("goodfellow-mlp", position=position).pairs[0].pair.discriminator
    assert net.blocks.hidden1.norm.num_features == features


def test_both_is_what_the_sources_of_keras_dcgan_and_tf_dcgan_have():
    for architecture in ("keras-dcgan", "tf-dcgan"):
        placed = built(architecture, output_layer=False, input_layer=False, momentum=0.01)
        own = built(architecture, placement="architecture")
        # The source of tf-dcgan normalises G alone, that of keras-dcgan not the projection.
        roles = ["generator"] if architecture == "tf-dcgan" else ["discriminator"]
        for role in roles:
            names = [
                [name for name, _ in getattr(trial.pairs[0].pair, role).named_modules()]
                for trial in (placed, own)
            ]
            assert names[0] == names[1]


class Scaled(nn.Module):
    """A layer that nobody knows."""

    def forward(self, x):
        return 2 * x


class Odd(MLP):
    """D has a layer of its own between the weights and the activation."""

    name = "odd"

    def block(self):
        return nn.Sequential(nn.Linear(64, 8), Scaled(), nn.ReLU())

    def build_discriminator(self, spec):
        return Discriminator(nn.Sequential(nn.Flatten(), self.block()), nn.Linear(8, 1))


class Flat(Odd):
    """D's layers stand in one Sequential."""

    name = "flat"

    def block(self):
        return nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())


class OfOneSize(Odd):
    """Flattened before the activation: how many features depends on the map."""

    name = "of-one-size"

    def build_discriminator(self, spec):
        block = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.ReLU())
        return Discriminator(nn.Sequential(block), nn.Linear(72, 1))


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        (Odd, "the discriminator of odd has '1', a Scaled, before any activation"),
        (Flat, "a Sequential with 2 weighted layers"),
        (OfOneSize, "a map of one size"),
    ],
)
def test_without_a_place_it_is_not_applicable_and_says_why(architecture, reason):
    with pytest.raises(NotApplicableError, match=reason):
        built(architecture.name, [architecture])
    built(architecture.name, [architecture], placement="none").advance(1)
    built(architecture.name, [architecture], placement="generator").advance(1)
