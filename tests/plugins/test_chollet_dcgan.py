"""chollet-dcgan, layer by layer against the book's printed summaries."""

import pytest
from other_systems import build, each_block, layers, maps, refusal, through, trained
from torch import nn, zeros

COLOUR = (3, 32, 32)


def test_every_layer_has_the_books_weights():
    pair = build("chollet-dcgan", COLOUR, latent=32)
    assert each_block(pair.generator) == {
        "project": 1_081_344,
        "conv1": 819_456,
        "up1": 1_048_832,
        "conv2": 1_638_656,
        "conv3": 1_638_656,
        "output": 37_635,
    }
    assert each_block(pair.discriminator.blocks) == {
        "conv1": 3_584, "down1": 262_272, "down2": 262_272, "down3": 262_272,
    }  # fmt: skip
    assert each_block(pair.discriminator)["head"] == 513
    assert (trained(pair.generator), trained(pair.discriminator)) == (6_264_579, 790_913)


def test_the_maps_are_the_books():
    pair = build("chollet-dcgan", COLOUR, latent=32)
    assert maps(pair, COLOUR) == [(128, 30, 30), (128, 14, 14), (128, 6, 6), (128, 2, 2)]
    assert through(pair.generator, zeros(2, 32)) == [
        (128, 16, 16), (256, 16, 16), (256, 32, 32), (256, 32, 32), (256, 32, 32), COLOUR,
    ]  # fmt: skip


def test_one_dropout_and_no_norm():
    pair = build("chollet-dcgan", COLOUR, latent=32)
    assert [m.p for m in layers(pair.discriminator, nn.Dropout)] == [0.4]
    assert layers(pair.generator, nn.Dropout) == []
    for net in (pair.generator, pair.discriminator):
        assert layers(net, (nn.BatchNorm1d, nn.BatchNorm2d)) == []
        assert {m.negative_slope for m in layers(net, nn.LeakyReLU)} == {0.3}


def test_28_by_28_fits_and_24_is_the_least():
    pair = build("chollet-dcgan", (1, 24, 24), latent=3)
    assert maps(pair, (1, 24, 24))[-1] == (128, 1, 1)
    assert through(pair.generator, zeros(2, 3))[-1] == (1, 24, 24)
    assert refusal("chollet-dcgan", (1, 28, 28)) is None


@pytest.mark.parametrize("shape", [(3, 22, 22), (3, 33, 33), (1, 8, 8), (2,)])
def test_what_does_not_fit_is_told(shape):
    assert "24 pixels or more, a multiple of 2" in refusal("chollet-dcgan", shape)
