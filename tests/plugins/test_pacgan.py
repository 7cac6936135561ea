"""pacgan-mlp and pacgan-dcgan, layer by layer against the authors' code."""

import pytest
import torch
from other_systems import build, each_block, layers, maps, refusal, through
from torch import nn, zeros

from ganbench.config.load import load_study
from ganbench.plugin import Host
from ganbench.study.design import expand
from ganbench.testing import tiny_data
from ganbench.training import Trial

COLOUR = (3, 28, 28)


@pytest.fixture(scope="module")
def points():
    return build("pacgan-mlp", (2,), latent=2)


@pytest.fixture(scope="module")
def images():
    return build("pacgan-dcgan", COLOUR)


def test_every_layer_for_points_has_the_sources_weights(points):
    # Linear layers without bias, and BatchNorm's scale and shift.
    assert each_block(points.generator) == {
        "hidden1": 2 * 400 + 2 * 400,
        "hidden2": 400 * 400 + 2 * 400,
        "hidden3": 400 * 400 + 2 * 400,
        "hidden4": 400 * 400 + 2 * 400,
        "output": 400 * 2 + 2,
    }
    assert each_block(points.discriminator.blocks) == {
        "hidden1": 2 * 1000 + 1000,
        "hidden2": 200 * 1000 + 1000,
        "hidden3": 200 * 1000 + 1000,
    }
    assert each_block(points.discriminator)["head"] == 200 + 1


def test_every_layer_for_images_has_the_sources_weights(images):
    # deconv2d and conv2d have biases, batch_norm scale and shift; kernels are 5×5.
    assert each_block(images.generator) == {
        "project": 100 * 2048 + 2048 + 2 * 512,
        "up1": 512 * 256 * 25 + 256 + 2 * 256,
        "up2": 256 * 128 * 25 + 128 + 2 * 128,
        "up3": 128 * 64 * 25 + 64 + 2 * 64,
        "output": 64 * 3 * 25 + 3,
    }
    assert each_block(images.discriminator.blocks) == {
        "down1": 3 * 64 * 25 + 64,
        "down2": 64 * 128 * 25 + 128 + 2 * 128,
        "down3": 128 * 256 * 25 + 256 + 2 * 256,
        "down4": 256 * 512 * 25 + 512 + 2 * 512,
    }
    assert each_block(images.discriminator)["head"] == 2 * 2 * 512 + 1


def test_the_maps_are_the_sources(images):
    assert maps(images, COLOUR) == [(64, 14, 14), (128, 7, 7), (256, 4, 4), (512, 2, 2)]
    assert through(images.generator, zeros(2, 100)) == [
        (512, 2, 2), (256, 4, 4), (128, 7, 7), (64, 14, 14), COLOUR,
    ]  # fmt: skip


@pytest.mark.parametrize("size", [16, 17, 28, 31, 32, 64])
def test_every_size_from_16_on_is_met(size):
    pair = build("pacgan-dcgan", (1, size, size), latent=3, width=4)
    made = pair.generator(torch.randn(2, 3))
    assert made.shape == (2, 1, size, size)
    assert pair.discriminator(made).shape == (2, 1)


@pytest.mark.parametrize("size", [7, 14, 28])
def test_growing_is_the_gradient_of_halving(size):
    """TensorFlow defines a transposed convolution of one padding as the other's gradient."""
    halve = build("pacgan-dcgan", (1, 28, 28), width=4).discriminator.blocks
    grow = build("pacgan-dcgan", (1, 28, 28), width=4).generator
    level = {28: 1, 14: 2, 7: 3}[size]
    down, up = halve[level - 1], grow[-level]
    with torch.no_grad():
        down.conv.bias.zero_()
        up.conv.bias.zero_()
        up.conv.weight.copy_(down.conv.weight)
    x = torch.randn(2, down.conv.in_channels, size, size, requires_grad=True)
    small = down.conv(down.pad(x))
    y = torch.randn_like(small)
    (expected,) = torch.autograd.grad(small, x, y)
    torch.testing.assert_close(up.crop(up.conv(y)), expected)


def test_norms_slopes_and_units(points, images):
    assert {(n.eps, n.momentum) for n in layers(points.generator, nn.BatchNorm1d)} == {(1e-4, 0.05)}
    assert layers(points.discriminator, nn.BatchNorm1d) == []
    norms = layers(images.generator, nn.BatchNorm2d) + layers(images.discriminator, nn.BatchNorm2d)
    assert [n.num_features for n in norms] == [512, 256, 128, 64, 128, 256, 512]
    assert {(n.eps, n.momentum) for n in norms} == {(1e-5, 0.1)}
    assert all((n.weight == 1).all() for n in norms)
    assert [m.negative_slope for m in layers(images.discriminator, nn.LeakyReLU)] == [0.2] * 4


def test_weights_are_drawn_as_in_the_sources(points, images):
    deconvolutions = layers(images.generator, nn.ConvTranspose2d)
    for layer in [*deconvolutions[:3], points.generator.hidden2.linear]:
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.02)
    for layer in layers(images.discriminator, nn.Conv2d):
        # A normal distribution cut off at two deviations has 0.8796 of its own.
        assert layer.weight.abs().max() <= 0.04
        assert layer.weight.std().item() == pytest.approx(0.8796 * 0.02, rel=0.03)
    for net in (images.generator, images.discriminator, points.discriminator):
        for layer in layers(net, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            assert (layer.bias == 0).all()


def test_what_does_not_fit_is_told():
    assert "needs points" in refusal("pacgan-mlp", COLOUR)
    assert "16 pixels or more" in refusal("pacgan-dcgan", (1, 8, 8))
    assert "square images" in refusal("pacgan-dcgan", (2,))


SMALL = {
    "modes-2d": ((2,), ["generator_width=8", "width=8"]),
    "modes-2d-grid": ((2,), ["generator_width=8", "width=8"]),
    "modes-stacked": (COLOUR, ["width=4"]),
}


@pytest.mark.parametrize("name", SMALL)
def test_the_published_set_ups_are_studies_whose_arms_all_train(name):
    shape, small = SMALL[name]
    host = Host()
    study = load_study(name, host, [f"baseline.architecture.{each}" for each in small]).study
    arms = expand(study, host)
    assert [arm.name for arm in arms] == ["baseline", "packing 2", "packing 3", "packing 4"]
    batch = study.baseline.batch_size
    for images, arm in enumerate(arms, 1):
        # The authors' batch is of so many packs, whatever is in them.
        assert arm.config.batch_size == images * batch
        trial = Trial(arm.config, 0, tiny_data(shape, 4 * batch), host, torch.device("cpu"))
        trial.advance(1)
        assert trial.diverged_at is None
