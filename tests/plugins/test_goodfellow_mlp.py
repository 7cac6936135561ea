"""goodfellow-mlp, layer by layer against the authors' mnist.yaml."""

import numpy as np
import pytest
import torch
from ganbench_plugins.architectures.goodfellow_mlp import Maxout
from other_systems import build, each_block, layers, refusal
from torch import nn

GREY = (1, 28, 28)


@pytest.fixture(scope="module")
def pair():
    return build("goodfellow-mlp", GREY)


def test_every_layer_has_the_sources_weights(pair):
    assert each_block(pair.generator) == {
        "hidden1": 100 * 1200 + 1200,
        "hidden2": 1200 * 1200 + 1200,
        "output": 1200 * 784 + 784,
    }
    assert each_block(pair.discriminator.blocks) == {
        "hidden1": 784 * 1200 + 1200,
        "hidden2": 240 * 1200 + 1200,
    }
    assert each_block(pair.discriminator)["head"] == 240 + 1


def test_maxout_takes_the_greatest_of_neighbours():
    x = np.random.default_rng(0).normal(size=(3, 10))
    expected = [[max(row[5 * unit : 5 * unit + 5]) for unit in range(2)] for row in x]
    np.testing.assert_allclose(Maxout(5)(torch.tensor(x)).numpy(), expected)


def test_dropout_is_on_the_pixels_and_on_both_hidden_layers(pair):
    # pylearn2 keeps 0.8 of the pixels, scaled by 1.25, and 0.5 of the others, scaled by 2.
    assert [m.p for m in layers(pair.discriminator, nn.Dropout)] == [0.2, 0.5, 0.5]
    assert layers(pair.generator, nn.Dropout) == []


def test_weights_are_drawn_from_each_networks_own_range(pair):
    for net, reach in ((pair.generator, 0.05), (pair.discriminator, 0.005)):
        for layer in layers(net, nn.Linear):
            assert layer.weight.abs().max() <= reach
            assert layer.bias.abs().max() == 0
        greatest = max(layer.weight.abs().max().item() for layer in layers(net, nn.Linear))
        assert greatest == pytest.approx(reach, rel=0.01)


def test_both_networks_work_on_grey_levels_from_0_to_1(pair):
    hidden = pair.generator.hidden2(pair.generator.hidden1(torch.randn(4, 100)))
    levels = torch.sigmoid(pair.generator.output.linear(hidden))
    images = pair.generator.output(hidden)
    torch.testing.assert_close(images, (2 * levels - 1).reshape(4, *GREY))
    first = pair.discriminator.blocks.hidden1
    torch.testing.assert_close(first.range(first.flatten(images)), levels)


def test_images_of_any_shape_fit_and_points_do_not():
    pair = build("goodfellow-mlp", (3, 5, 9), latent=4)
    assert pair.discriminator(pair.generator(torch.randn(2, 4))).shape == (2, 1)
    assert refusal("goodfellow-mlp", (3, 5, 9)) is None
    assert "needs images" in refusal("goodfellow-mlp", (2,))
