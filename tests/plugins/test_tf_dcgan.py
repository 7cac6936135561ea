"""tf-dcgan, layer by layer against the tutorial's listing and its printed totals."""

import pytest
from other_systems import build, each_block, layers, maps, refusal, through, with_statistics
from torch import nn, zeros

GREY = (1, 28, 28)


def test_every_layer_has_the_tutorials_weights():
    pair = build("tf-dcgan", GREY)
    assert each_block(pair.generator) == {
        "project": 100 * 12544 + 2 * 12544,
        "same": 25 * 256 * 128 + 2 * 128,
        "up1": 25 * 128 * 64 + 2 * 64,
        "output": 25 * 64 * 1,
    }
    assert each_block(pair.discriminator.blocks) == {
        "down1": 25 * 1 * 64 + 64,
        "down2": 25 * 64 * 128 + 128,
    }
    assert each_block(pair.discriminator)["head"] == 7 * 7 * 128 + 1


def test_the_totals_are_those_that_keras_prints():
    pair = build("tf-dcgan", GREY)
    assert with_statistics(pair.generator) == 2_330_944
    assert with_statistics(pair.discriminator) == 212_865


def test_the_maps_are_the_tutorials():
    pair = build("tf-dcgan", GREY)
    assert maps(pair, GREY) == [(64, 14, 14), (128, 7, 7)]
    assert through(pair.generator, zeros(2, 100)) == [
        (256, 7, 7), (128, 7, 7), (64, 14, 14), GREY,
    ]  # fmt: skip


def test_in_colour_it_starts_from_8_by_8():
    pair = build("tf-dcgan", (3, 32, 32), latent=128)
    assert each_block(pair.generator)["project"] == 128 * 16384 + 2 * 16384
    assert through(pair.generator, zeros(2, 128)) == [
        (256, 8, 8), (128, 8, 8), (64, 16, 16), (3, 32, 32),
    ]  # fmt: skip


def test_norms_slopes_and_dropout():
    pair = build("tf-dcgan", GREY)
    norms = layers(pair.generator, (nn.BatchNorm1d, nn.BatchNorm2d))
    assert [norm.num_features for norm in norms] == [12544, 128, 64]
    assert {(round(norm.momentum, 9), norm.eps) for norm in norms} == {(0.01, 1e-3)}
    assert layers(pair.discriminator, (nn.BatchNorm1d, nn.BatchNorm2d)) == []
    slopes = layers(pair.generator, nn.LeakyReLU) + layers(pair.discriminator, nn.LeakyReLU)
    assert [m.negative_slope for m in slopes] == [0.3] * 5
    assert [m.p for m in layers(pair.discriminator, nn.Dropout)] == [0.3] * 2


@pytest.mark.parametrize("shape", [(1, 30, 30), (2,)])
def test_what_does_not_fit_is_told(shape):
    assert "a multiple of 4" in refusal("tf-dcgan", shape)
