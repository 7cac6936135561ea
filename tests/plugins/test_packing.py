"""Packing: its contract, the packs themselves, and the arms to which it does not apply."""

import numpy as np
import pytest
import torch
from ganbench_plugins.architectures.mlp import MLP
from ganbench_plugins.tricks.packing import Packing, pack
from torch import nn

from ganbench.plugin import Discriminator, Host, Pair
from ganbench.testing import TrickContract, tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial


class TestPacking(TrickContract):
    trick = Packing
    parameters = {"images": 2}


class TestPackingOfFourOnMLP(TrickContract):
    trick = Packing
    architecture = "mlp"
    parameters = {"images": 4}


def trial(images, data=None, architecture="dcgan-upsample", plugins=(), **tricks):
    config = tiny_config({"packing": {"images": images}, **tricks}, architecture)
    return Trial(config, 0, data or tiny_data(), Host(classes=plugins), torch.device("cpu"))


def test_consecutive_images_stand_side_by_side_in_the_channels():
    images = np.random.default_rng(0).normal(size=(6, 3, 4, 5))
    packed = pack(torch.from_numpy(images), 3).numpy()
    expected = np.stack([np.concatenate(images[i : i + 3]) for i in (0, 3)])
    np.testing.assert_array_equal(packed, expected)


@pytest.mark.parametrize(
    ("architecture", "shape", "layer", "inputs"),
    [
        ("dcgan-upsample", (3, 8, 8), "blocks.down1.conv", 6),
        ("mlp", (1, 8, 8), "blocks.hidden1.linear", 128),
        ("mlp", (2,), "blocks.hidden1.linear", 4),
    ],
)
def test_only_the_first_layer_grows_and_by_the_number_of_images(architecture, shape, layer, inputs):
    def shapes(images):
        net = trial(images, tiny_data(shape), architecture).pairs[0].pair.discriminator
        return {name: tuple(weight.shape) for name, weight in net.named_parameters()}

    alone, packed = shapes(1), shapes(2)
    changed = {name for name in alone if alone[name] != packed[name]}
    assert alone.keys() == packed.keys()
    assert changed == {f"{layer}.weight"}
    assert packed[f"{layer}.weight"][1] == inputs


@pytest.mark.parametrize(
    ("architecture", "shape", "seen"),
    [("dcgan-upsample", (1, 8, 8), (2, 4, 8, 8)), ("mlp", (2,), (2, 8))],
)
def test_d_judges_packs_with_one_target_each(architecture, shape, seen):
    made = trial(4, tiny_data(shape), architecture)
    inputs, targets = [], []
    pair = made.pairs[0].pair
    pair.discriminator.register_forward_pre_hook(lambda _, given: inputs.append(given[0].shape))
    loss = made.objective.discriminator_loss

    def spy(*arguments):
        targets.extend(tuple(tensor.shape) for tensor in arguments)
        return loss(*arguments)

    made.objective.discriminator_loss = spy
    made.advance(1)
    assert set(inputs) == {seen}
    assert set(targets) == {(2, 1)}


def test_a_packs_target_is_that_of_its_first_image():
    trick, targets = Packing(Packing.Parameters(images=3)), torch.arange(6.0).reshape(6, 1)
    got = trick.transform_targets(targets, True, "discriminator", None)
    assert got.tolist() == [[0.0], [3.0]]


@pytest.mark.parametrize(
    "others",
    [
        {"feature_matching": {"weight": 0.5}},
        {"label_smoothing": {}, "instance_noise": {}},
        {"batch_norm": {"placement": "both", "input_layer": True}},
        {"minibatch_stddev": {}, "minibatch_discrimination": {"kernels": 3}},
        {"experience_replay": {}, "diffaugment": {}},
    ],
)
def test_it_trains_with_tricks_that_look_at_what_d_sees(others):
    made = trial(2, **others)
    made.advance(2)
    assert made.diverged_at is None


class Conditional(MLP):
    """Both networks are shown the mean of the image."""

    name = "conditional-mean"

    def build_pairs(self, spec):
        class G(nn.Sequential):
            def forward(self, z, condition):
                return super().forward(torch.cat([z, condition], 1))

        class D(nn.Sequential):
            def forward(self, x, condition):
                return super().forward(torch.cat([x.flatten(1), condition], 1))

        generator = G(nn.Linear(spec.latent.dimension + 1, 64), nn.Unflatten(1, (1, 8, 8)))
        pair = Pair(
            "main",
            generator,
            D(nn.Linear(65, 1)),
            condition=lambda batch: batch.mean((1, 2, 3))[:, None],
        )
        return (pair,)


class NormalisedInput(MLP):
    """D begins with a BatchNorm."""

    name = "normalised-input"

    def build_discriminator(self, spec):
        return Discriminator(nn.Sequential(nn.BatchNorm2d(1)), nn.Linear(64, 1))


class Handmade(MLP):
    """D is a module of its own kind."""

    name = "handmade"

    def build_discriminator(self, spec):
        class D(nn.Module):
            def __init__(self):
                super().__init__()
                self.last, self.first = nn.Linear(4, 1), nn.Linear(64, 4)

            def forward(self, x):
                return self.last(self.first(x.flatten(1)))

        return D()


@pytest.mark.parametrize(
    ("images", "architecture", "reason"),
    [
        (3, "dcgan-upsample", "do not divide a batch of 8"),
        (2, "conditional-mean", "a pack would need one condition"),
        (2, "normalised-input", "first layer with weights is a BatchNorm2d"),
        (2, "handmade", "does not say what comes first"),
    ],
)
def test_it_does_not_apply_and_says_why(images, architecture, reason):
    plugins = [Conditional, NormalisedInput, Handmade]
    with pytest.raises(NotApplicableError, match=reason):
        trial(images, None, architecture, plugins)


def test_one_image_a_pack_applies_everywhere():
    trial(1, None, "conditional-mean", [Conditional]).advance(1)
