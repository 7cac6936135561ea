"""keras-dcgan, layer by layer against the source's listing and its printed totals."""

import pytest
from other_systems import build, each_block, layers, maps, refusal, through, with_statistics
from torch import nn, zeros

GREY = (1, 28, 28)


def test_every_layer_has_the_sources_weights():
    pair = build("keras-dcgan", GREY)
    assert each_block(pair.generator) == {
        "project": 100 * 6272 + 6272,
        "up1": (9 * 128 * 128 + 128) + 2 * 128,
        "up2": (9 * 128 * 64 + 64) + 2 * 64,
        "output": 9 * 64 * 1 + 1,
    }
    assert each_block(pair.discriminator.blocks) == {
        "down1": 9 * 1 * 32 + 32,
        "down2": (9 * 32 * 64 + 64) + 2 * 64,
        "down3": (9 * 64 * 128 + 128) + 2 * 128,
        "down4": (9 * 128 * 256 + 256) + 2 * 256,
    }
    assert each_block(pair.discriminator)["head"] == 4 * 4 * 256 + 1


def test_the_totals_are_those_that_keras_prints():
    pair = build("keras-dcgan", GREY)
    assert with_statistics(pair.generator) == 856_193
    assert with_statistics(pair.discriminator) == 393_729


def test_the_maps_are_the_sources():
    pair = build("keras-dcgan", GREY)
    # The zeros behind the second convolution make 8x8 of 7x7.
    assert maps(pair, GREY) == [(32, 14, 14), (64, 8, 8), (128, 4, 4), (256, 4, 4)]
    assert through(pair.generator, zeros(2, 100)) == [
        (128, 7, 7), (128, 14, 14), (64, 28, 28), GREY,
    ]  # fmt: skip


def test_the_zeros_stand_last_before_the_norm():
    block = build("keras-dcgan", GREY).discriminator.blocks.down2
    before_norm = block[: list(dict(block.named_children())).index("norm")]
    shown = before_norm(zeros(1, 32, 14, 14) + 1)
    assert shown.shape[2:] == (8, 8)
    assert shown[..., -1, :].abs().max() == shown[..., -1].abs().max() == 0
    assert shown[..., :-1, :-1].abs().min() > 0


def test_norms_slopes_and_dropout():
    pair = build("keras-dcgan", GREY)
    norms = [*layers(pair.generator, nn.BatchNorm2d), *layers(pair.discriminator, nn.BatchNorm2d)]
    assert len(norms) == 2 + 3
    assert {(round(norm.momentum, 9), norm.eps) for norm in norms} == {(0.2, 1e-3)}
    assert [m.negative_slope for m in layers(pair.discriminator, nn.LeakyReLU)] == [0.2] * 4
    assert [m.p for m in layers(pair.discriminator, nn.Dropout)] == [0.25] * 4


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (2, 12, 12), (3, 64, 64)])
def test_other_multiples_of_4_fit(shape):
    assert refusal("keras-dcgan", shape) is None
    pair = build("keras-dcgan", shape, latent=7)
    assert through(pair.generator, zeros(2, 7))[-1] == shape
    assert pair.discriminator(zeros(2, *shape)).shape == (2, 1)


@pytest.mark.parametrize("shape", [(1, 30, 30), (1, 4, 4), (1, 28, 32), (2,)])
def test_what_does_not_fit_is_told(shape):
    assert "square images of 8 pixels or more, a multiple of 4" in refusal("keras-dcgan", shape)
