"""radford-dcgan, layer by layer against figure 1 of the paper and the authors' code."""

import pytest
from other_systems import build, each_block, layers, maps, refusal, through
from torch import nn, zeros

COLOUR = (3, 64, 64)


@pytest.fixture(scope="module")
def pair():
    return build("radford-dcgan", COLOUR)


def test_every_layer_has_the_codes_weights(pair):
    assert each_block(pair.generator) == {
        "project": 100 * 16384 + 2 * 16384,
        "up1": 1024 * 512 * 25 + 2 * 512,
        "up2": 512 * 256 * 25 + 2 * 256,
        "up3": 256 * 128 * 25 + 2 * 128,
        "output": 128 * 3 * 25,
    }
    assert each_block(pair.discriminator.blocks) == {
        "down1": 3 * 128 * 25,
        "down2": 128 * 256 * 25 + 2 * 256,
        "down3": 256 * 512 * 25 + 2 * 512,
        "down4": 512 * 1024 * 25 + 2 * 1024,
    }
    assert each_block(pair.discriminator)["head"] == 1024 * 4 * 4


def test_the_maps_are_those_of_figure_1(pair):
    assert through(pair.generator, zeros(2, 100)) == [
        (1024, 4, 4), (512, 8, 8), (256, 16, 16), (128, 32, 32), COLOUR,
    ]  # fmt: skip
    assert maps(pair, COLOUR) == [(128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4)]


def test_no_bias_and_no_norm_at_gs_output_and_ds_input(pair):
    weighted = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    for net in (pair.generator, pair.discriminator):
        assert all(layer.bias is None for layer in layers(net, weighted))
    norm = (nn.BatchNorm1d, nn.BatchNorm2d)
    assert layers(pair.generator.output, norm) == layers(pair.discriminator.blocks.down1, norm)
    assert len(layers(pair.generator, norm)) == 4
    assert len(layers(pair.discriminator, norm)) == 3
    # The projection is normalised feature by feature, before it is a map.
    assert pair.generator.project.norm.num_features == 16384


def test_weights_are_drawn_as_the_paper_says(pair):
    assert pair.generator.up1.conv.weight.std().item() == pytest.approx(0.02, rel=0.01)
    scale = pair.generator.project.norm.weight
    assert scale.mean().item() == pytest.approx(1.0, abs=0.001)
    assert scale.std().item() == pytest.approx(0.02, rel=0.05)


def test_other_powers_of_two_fit():
    pair = build("radford-dcgan", (1, 8, 8), latent=3, width=4)
    assert through(pair.generator, zeros(2, 3)) == [(4, 4, 4), (1, 8, 8)]
    assert maps(pair, (1, 8, 8)) == [(4, 4, 4)]
    assert refusal("radford-dcgan", (3, 32, 32)) is None


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 4, 4), (3, 64, 32), (2,)])
def test_what_does_not_fit_is_told(shape):
    assert "a power of two, 8 or more" in refusal("radford-dcgan", shape)
