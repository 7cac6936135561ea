"""DiffAugment: its contract, and each operation against numpy, image by image."""

import numpy as np
import pytest
import torch
from ganbench_plugins.tricks.diffaugment import (
    DiffAugment,
    cut_out,
    scale_contrast,
    scale_saturation,
    shift_brightness,
    translate,
)

from ganbench.plugin import Buffers, Host
from ganbench.testing import TrickContract, tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial


class TestDiffAugment(TrickContract):
    trick = DiffAugment


class TestDiffAugmentTranslationOnMLP(TrickContract):
    trick = DiffAugment
    architecture = "mlp"
    parameters = {"policy": ["translation"]}


class TestDiffAugmentColorAndCutout(TrickContract):
    trick = DiffAugment
    parameters = {"policy": ["cutout", "color"]}


IMAGES = np.random.default_rng(0).uniform(-1, 1, size=(5, 3, 6, 8))
X = torch.from_numpy(IMAGES)
AMOUNTS = np.array([-0.5, 0.0, 0.3, 1.0, 2.0])


def check(got, expected):
    np.testing.assert_allclose(got.numpy(), np.stack(expected), rtol=1e-9, atol=1e-12)


def test_brightness_adds_one_number_an_image():
    check(
        shift_brightness(X, torch.from_numpy(AMOUNTS)),
        [image + amount for image, amount in zip(IMAGES, AMOUNTS, strict=True)],
    )


def test_saturation_scales_the_distance_from_grey():
    def reference(image, factor):
        grey = (image[0] + image[1] + image[2]) / 3
        return np.stack([grey + factor * (channel - grey) for channel in image])

    factors = torch.from_numpy(AMOUNTS)
    check(
        scale_saturation(X, factors),
        [reference(i, a) for i, a in zip(IMAGES, AMOUNTS, strict=True)],
    )


def test_contrast_scales_the_distance_from_the_images_mean():
    factors = torch.from_numpy(AMOUNTS)
    expected = [i.mean() + a * (i - i.mean()) for i, a in zip(IMAGES, AMOUNTS, strict=True)]
    check(scale_contrast(X, factors), expected)


def test_translation_moves_zeros_in():
    down, right = [0, 2, -1, 6, -3], [0, -1, 3, 0, 8]

    def reference(image, dy, dx):
        wide = np.pad(image, ((0, 0), (9, 9), (9, 9)))
        return wide[:, 9 - dy : 9 - dy + 6, 9 - dx : 9 - dx + 8]

    got = translate(X, torch.tensor(down), torch.tensor(right))
    check(got, [reference(*given) for given in zip(IMAGES, down, right, strict=True)])


def test_a_cutout_hides_its_part_of_the_image():
    top, left = [0, -2, 4, 2, 5], [0, -1, 6, 3, 7]

    def reference(image, y, x):
        image = image.copy()
        image[:, max(y, 0) : max(y + 3, 0), max(x, 0) : max(x + 4, 0)] = 0
        return image

    got = cut_out(X, torch.tensor(top), torch.tensor(left), 3, 4)
    check(got, [reference(*given) for given in zip(IMAGES, top, left, strict=True)])


def augment(x, seed=0, **parameters):
    trick = DiffAugment(DiffAugment.Parameters(**parameters))
    return trick.transform_images(x, False, Buffers(torch.Generator().manual_seed(seed)))


def test_on_grey_images_color_is_brightness_and_contrast_alone():
    grey = torch.rand(64, 1, 4, 4, dtype=torch.float64) * 2 - 1
    got = augment(grey, policy=("color",))
    # mean' = mean + shift, and values' - mean' = factor · (values - mean).
    shift = (got - grey).mean((1, 2, 3))
    factor = (got - got.mean((1, 2, 3), keepdim=True)).std((1, 2, 3)) / grey.std((1, 2, 3))
    assert shift.abs().max() <= 0.5
    assert factor.min() >= 0.5
    assert factor.max() <= 1.5
    assert shift.std() > 0.2
    assert factor.std() > 0.2


def test_translations_reach_an_eighth_of_the_size_both_ways_and_no_further():
    x = torch.zeros(2000, 1, 16, 16)
    x[:, :, 8, 8] = 1
    place = augment(x, policy=("translation",))[:, 0].flatten(1).argmax(1)
    rows, columns = place // 16, place % 16
    assert rows.unique().tolist() == [6, 7, 8, 9, 10]
    assert columns.unique().tolist() == [6, 7, 8, 9, 10]


def test_cutouts_are_centred_anywhere():
    x = torch.ones(4000, 1, 8, 8)
    hidden = augment(x, policy=("cutout",))[:, 0] == 0
    # A 4x4 square whose centre is at 0 to 8, clipped: 2, 3, 4, ... 4, 3, 2 pixels a side.
    sides = hidden.any(2).sum(1)
    shares = [(sides == side).float().mean().item() for side in (2, 3, 4)]
    assert shares == pytest.approx([2 / 9, 2 / 9, 5 / 9], abs=0.04)
    assert hidden.any(0).all()


@pytest.mark.parametrize("policy", [("color",), ("translation",), ("cutout",)])
def test_gradients_flow_to_the_image(policy):
    x = torch.rand(3, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda given: augment(given, policy=policy), x)


def trial(shape=(3, 8, 8), architecture="dcgan-upsample"):
    config = tiny_config({"diffaugment": {}}, architecture)
    return Trial(config, 0, tiny_data(shape), Host(), torch.device("cpu"))


def test_real_and_fake_are_augmented_in_both_halves_of_the_step():
    made, seen = trial(), []
    trick = made.tricks[0]
    original = trick._cutout

    def spy(x, stream):
        seen.append(x.requires_grad)
        return original(x, stream)

    trick._cutout = spy
    made.advance(1)
    # D: real, fake without gradient; G: fake with it.
    assert seen == [False, False, True]


def test_points_cannot_be_augmented():
    with pytest.raises(NotApplicableError, match="it augments images, and these are points"):
        trial((2,), "mlp")
