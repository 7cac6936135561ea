"""The Laplacian pyramid, its networks at every level, and the tricks that meet several pairs."""

import numpy as np
import pytest
import torch
from ganbench_plugins.architectures.lapgan import (
    band_pass,
    expand,
    image_at,
    level_sizes,
    limited_kernel,
    low_pass,
    shrink,
)
from torch import nn

from ganbench.plugin import Host, LatentSpec, TrainingSpec
from ganbench.testing import STEPS, differing, tiny_config, tiny_data, weights
from ganbench.training import NotApplicableError, Trial

SMALL = {"width": 4, "generator_hidden": 8, "discriminator_hidden": 8}


def build(shape, latent=100, **parameters):
    architecture = Host().create("architecture", "lapgan", parameters)
    spec = TrainingSpec(shape, LatentSpec(latent), 4, 10, {})
    assert architecture.supports(spec) == (True, "")
    return architecture, {pair.name: pair for pair in architecture.build_pairs(spec)}


def trial(tricks=None, shape=(1, 8, 8), seed=0, **changes):
    parameters = {**SMALL, **changes.pop("architecture_parameters", {})}
    config = tiny_config(tricks, "lapgan", parameters, **changes)
    return Trial(config, seed, tiny_data(shape), Host(), torch.device("cpu"))


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


# -- the pyramid ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "levels", "expected"),
    [
        (8, None, [8, 4]),
        (16, None, [16, 8]),
        (28, None, [28, 14, 7]),
        (32, None, [32, 16, 8]),
        (33, None, [33, 17, 9, 5]),
        (64, None, [64, 32, 16, 8]),
        (32, 2, [32, 16]),
        (64, 5, [64, 32, 16, 8, 4]),
    ],
)
def test_images_are_halved_until_they_are_small(size, levels, expected):
    assert level_sizes(size, levels) == expected


def numpy_shrink(x):
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))


def numpy_expand(x):
    """Interpolate each axis between the centres of its first and its last pixel."""
    for axis in (2, 3):
        n = x.shape[axis]
        places = np.linspace(0, n - 1, 2 * n)
        interpolate = lambda row, at=places, n=n: np.interp(at, np.arange(n), row)  # noqa: E731
        x = np.apply_along_axis(interpolate, axis, x)
    return x


@pytest.mark.parametrize(("channels", "size", "levels"), [(1, 8, 2), (3, 16, 3), (3, 32, 3)])
def test_each_pairs_views_are_those_of_an_independent_pyramid(channels, size, levels):
    _, pairs = build((channels, size, size), levels=levels, **SMALL)
    images = np.random.default_rng(0).uniform(-1, 1, (5, channels, size, size))
    gaussian = [images]
    for _ in range(levels - 1):
        gaussian.append(numpy_shrink(gaussian[-1]))
    batch = torch.from_numpy(images)
    for fine, coarse in zip(gaussian, gaussian[1:], strict=False):
        pair = pairs[f"{fine.shape[2]}x{fine.shape[2]}"]
        blurred = numpy_expand(coarse)
        np.testing.assert_allclose(pair.condition(batch).numpy(), blurred, atol=1e-12)
        np.testing.assert_allclose(pair.real_view(batch).numpy(), fine - blurred, atol=1e-12)
        assert pair.real_view(batch).shape[1:] == pair.shape
    coarsest = next(iter(pairs.values()))
    assert coarsest.condition is None
    np.testing.assert_allclose(coarsest.real_view(batch).numpy(), gaussian[-1], atol=1e-12)


class _Gives(nn.Module):
    """A generator that knows the answer."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, z, condition=None):
        return self.answer


@pytest.mark.parametrize("size", [8, 28, 33, 64])
def test_collapsing_the_pyramid_gives_the_image_back(size):
    architecture, pairs = build((2, size, size), **SMALL)
    batch = torch.rand(3, 2, size, size) * 2 - 1
    generators = {name: _Gives(pair.real_view(batch)) for name, pair in pairs.items()}
    latents = {name: torch.zeros(3, 1) for name in pairs}
    rebuilt = architecture.sample(generators, latents)
    assert torch.allclose(rebuilt, batch, atol=1e-6)


def test_a_difference_of_extreme_images_needs_more_than_tanh_gives():
    board = torch.ones(1, 1, 8, 8)
    board[..., ::2, 1::2] = board[..., 1::2, ::2] = -1
    board[..., 0:2, 0:2] = torch.tensor([[-1.0, 1.0], [1.0, 1.0]])
    assert band_pass(board, [8, 4]).abs().max() > 1
    assert torch.equal(low_pass(board, [8, 4]), expand(shrink(board, 4), 8))
    assert torch.equal(image_at(board, [8]), board)


def test_sampling_conditions_on_what_the_coarser_level_made():
    architecture, pairs = build((1, 8, 8), latent=5, **SMALL)
    latents = {"4x4": torch.randn(2, 5), "8x8": torch.rand(2, 64) * 2 - 1}
    generators = {name: pair.generator for name, pair in pairs.items()}
    blurred = expand(generators["4x4"](latents["4x4"]), 8)
    expected = blurred + generators["8x8"](latents["8x8"], blurred)
    assert torch.equal(architecture.sample(generators, latents), expected)


# -- the networks --------------------------------------------------------------------------


def test_parameter_counts_at_16_to_32_are_those_of_the_authors_code():
    _, pairs = build((3, 32, 32))
    assert list(pairs) == ["8x8", "16x16", "32x32"]
    fine = pairs["32x32"]
    # G: conv7 of 3 colours and noise to 64, conv7 64 to 64, conv5 to 3; D: conv5 to 28x28,
    # conv5 with stride 2 to 12x12.
    assert count(fine.generator) == (4 * 49 + 1) * 64 + (64 * 49 + 1) * 64 + (64 * 25 + 1) * 3
    features = 64 * 12 * 12
    assert count(fine.discriminator) == (3 * 25 + 1) * 64 + (64 * 25 + 1) * 64 + features + 1
    norms = [m for m in fine.generator.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not norms


def test_parameter_counts_of_the_coarsest_level_are_those_of_the_paper():
    _, pairs = build((3, 32, 32))
    coarsest = pairs["8x8"]
    assert count(coarsest.generator) == 101 * 1200 + 1201 * 1200 + 1201 * 192
    assert count(coarsest.discriminator) == 193 * 600 + 601 * 600 + 601
    assert coarsest.latent is None
    assert pairs["16x16"].latent == LatentSpec(256, "uniform")


def test_weights_of_the_coarsest_level_are_drawn_as_the_code_does():
    built = trial(shape=(3, 32, 32), architecture_parameters={"generator_hidden": 400}).pairs[0]
    linear = built.pair.generator.hidden2.linear
    assert linear.weight.std().item() == pytest.approx(0.05, rel=0.01)
    assert linear.bias.abs().max() == 0
    assert built.pair.discriminator.blocks.hidden1.linear.weight.abs().max() < 0.005 * 5


@pytest.mark.parametrize(
    ("kernel", "size", "expected"), [(7, 32, 7), (7, 14, 7), (7, 13, 5), (5, 8, 3), (7, 6, 3)]
)
def test_kernels_are_at_most_half_as_wide_as_their_map(kernel, size, expected):
    assert limited_kernel(kernel, size) == expected


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [*range(8, 34), 47, 48, 63, 64])
def test_every_size_from_8_to_64(size, channels):
    architecture, pairs = build((channels, size, size), latent=5, **SMALL)
    batch = torch.rand(2, channels, size, size) * 2 - 1
    latents = {}
    for name, pair in pairs.items():
        latents[name] = torch.randn(2, (pair.latent or LatentSpec(5)).dimension)
        condition = () if pair.condition is None else (pair.condition(batch),)
        made = pair.generator(latents[name], *condition)
        assert made.shape == pair.real_view(batch).shape
        pair.discriminator.eval()
        logits, features = pair.discriminator.forward_with_features(made, *condition)
        assert torch.equal(logits, pair.discriminator(made, *condition))
        assert logits.shape == (2, 1)
        assert list(features) == [n for n, _ in pair.discriminator.blocks.named_children()]
    generators = {name: pair.generator for name, pair in pairs.items()}
    assert architecture.sample(generators, latents).shape == batch.shape


def test_a_conditional_discriminator_judges_the_sum():
    _, pairs = build((1, 8, 8), **SMALL)
    net = pairs["8x8"].discriminator.eval()
    one, other = torch.rand(2, 2, 1, 8, 8)
    assert torch.allclose(net(one, other), net(one + other, torch.zeros_like(one)))


@pytest.mark.parametrize(
    ("shape", "levels", "reason"),
    [((2,), None, "needs images"), ((1, 8, 8), 3, "its 3 levels would end at 2 pixels, under 4")],
)
def test_what_has_no_levels_is_refused_with_the_reason(shape, levels, reason):
    architecture = Host().create("architecture", "lapgan", {"levels": levels})
    supported, why = architecture.supports(TrainingSpec(shape, LatentSpec(5), 4, 10, {}))
    assert not supported
    assert reason in why


# -- trials --------------------------------------------------------------------------------


def test_a_trial_trains_every_level_and_repeats_itself():
    one, other = trial(shape=(1, 16, 16)), trial(shape=(1, 16, 16))
    before = weights(one)
    for each in (one, other):
        each.advance(STEPS)
    trained = {name.split(".")[0] for name in differing(before, weights(one))}
    assert trained == {"8x8", "16x16"}
    assert not differing(weights(one), weights(other))
    assert torch.equal(one.sample(8), other.sample(8))
    assert one.sample(8).shape == (8, 1, 16, 16)
    assert set(one.losses(0)) == {
        f"{level}.{half}" for level in ("8x8", "16x16") for half in ("generator", "discriminator")
    }


@pytest.mark.parametrize(
    "tricks",
    [
        {"feature_matching": {"weight": 0.5}},
        {"batch_norm": {"placement": "both", "output_layer": True, "input_layer": True}},
        {"instance_noise": {"start": 0.2}},
        {"label_smoothing": {"real": 0.9}},
        {
            "feature_matching": {},
            "batch_norm": {},
            "instance_noise": {},
            "label_smoothing": {},
        },
    ],
)
def test_the_first_tricks_train_at_every_level(tricks):
    one = trial(tricks)
    one.advance(STEPS)
    assert one.diverged_at is None
    plain = trial()
    plain.advance(STEPS)
    changed = {name.split(".")[0] for name in differing(weights(plain), weights(one))}
    assert changed == {"4x4", "8x8"}


def test_a_pack_of_conditional_images_is_refused():
    with pytest.raises(NotApplicableError, match="packing"):
        trial({"packing": {"images": 2}})


def test_the_picture_shows_every_level_and_ends_with_the_samples():
    one = trial(shape=(3, 16, 16), architecture_parameters={"levels": 3})
    one.advance(2)
    picture = one.pictures()["lapgan.levels"]
    assert picture.images.shape == (8, 3, 3, 16, 16)
    assert picture.column_labels == ("4×4", "8×8", "16×16")
    coarsest = picture.images[:, 0]
    tiles = coarsest.reshape(8, 3, 4, 4, 4, 4)
    assert torch.equal(tiles, tiles[:, :, :, :1, :, :1].expand_as(tiles))
    samples = (one.sample(8).float() / 127.5) - 1
    assert torch.allclose(picture.images[:, -1], samples, atol=1 / 127)
