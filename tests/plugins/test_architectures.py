"""Shapes, sizes and parameter counts of the first architectures."""

import pytest
import torch
from ganbench_plugins.architectures.dcgan import map_sizes
from torch import nn

from ganbench.plugin import Host, LatentSpec, TrainingSpec

NAMES = ["mlp", "dcgan-upsample", "dcgan-transpose"]


def build(name, shape, latent=5, **parameters):
    small = {"hidden": 8} if name == "mlp" else {"width": 4}
    architecture = Host().create("architecture", name, {**small, **parameters})
    spec = TrainingSpec(shape, LatentSpec(latent), 4, 10, {})
    (pair,) = architecture.build_pairs(spec)
    return pair


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [*range(8, 34), 47, 48, 63, 64])
@pytest.mark.parametrize("name", NAMES)
def test_every_size_from_8_to_64(name, size, channels):
    pair = build(name, (channels, size, size))
    images = pair.generator(torch.randn(2, 5))
    assert images.shape == (2, channels, size, size)
    assert images.abs().max() <= 1
    logits, features = pair.discriminator.forward_with_features(images)
    assert logits.shape == (2, 1)
    assert torch.equal(logits, pair.discriminator(images)) or pair.discriminator.training
    assert list(features) == [n for n, _ in pair.discriminator.blocks.named_children()]


@pytest.mark.parametrize(
    ("size", "expected"),
    [(8, [8, 4, 2]), (9, [9, 5, 3]), (16, [16, 8, 4]), (28, [28, 14, 7]), (64, [64, 32, 16, 8, 4])],
)
def test_maps_are_halved_to_at_most_seven(size, expected):
    assert map_sizes(size) == expected


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_parameter_counts_are_what_the_layers_add_up_to():
    pair = build("dcgan-transpose", (3, 64, 64), latent=100, width=128)
    # Radford: 100 -> 4x4x1024, then four transposed convolutions, here with 4x4 kernels.
    widths = [1024, 512, 256, 128]
    project = 100 * 4 * 4 * 1024 + 4 * 4 * 1024 + 2 * 1024
    ups = sum(a * b * 16 + b + 2 * b for a, b in zip(widths, widths[1:], strict=False))
    assert count(pair.generator) == project + ups + 128 * 3 * 16 + 3
    downs = 3 * 128 * 16 + 128
    downs += sum(b * a * 16 + a + 2 * a for a, b in zip(widths, widths[1:], strict=False))
    assert count(pair.discriminator) == downs + 1024 * 4 * 4 + 1


def test_mlp_parameter_counts():
    pair = build("mlp", (1, 8, 8), latent=10, hidden=32, layers=2)
    assert count(pair.generator) == 11 * 32 + 33 * 32 + 33 * 64
    assert count(pair.discriminator) == 65 * 32 + 33 * 32 + 33


def test_the_transposed_kernel_is_divisible_by_its_stride():
    pair = build("dcgan-transpose", (1, 33, 33))
    layers = [m for m in pair.generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert layers
    assert all(m.kernel_size[0] % m.stride[0] == 0 for m in layers)


def test_upsampling_uses_no_transposed_convolution():
    pair = build("dcgan-upsample", (1, 28, 28))
    assert not [m for m in pair.generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.mode for m in pair.generator.modules() if isinstance(m, nn.Upsample)] == [
        "nearest"
    ] * 2


def test_points_are_for_the_mlp_alone():
    pair = build("mlp", (2,))
    assert pair.generator(torch.randn(3, 5)).shape == (3, 2)
    spec = TrainingSpec((2,), LatentSpec(5), 4, 10, {})
    supported, reason = Host().create("architecture", "dcgan-upsample").supports(spec)
    assert not supported
    assert "needs images" in reason


def test_weights_are_drawn_as_the_paper_says():
    architecture = Host().create("architecture", "dcgan-upsample", {"width": 64})
    conv, norm = nn.Conv2d(64, 128, 4), nn.BatchNorm2d(4000)
    torch.manual_seed(0)
    architecture.initialise(conv)
    architecture.initialise(norm)
    assert conv.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert conv.bias.abs().max() == 0
    assert norm.weight.mean().item() == pytest.approx(1.0, abs=0.002)
    assert norm.weight.std().item() == pytest.approx(0.02, rel=0.05)
