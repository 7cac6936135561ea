"""Minibatch standard deviation: its contract, its number, and where it cannot stand."""

import numpy as np
import pytest
import torch
from ganbench_plugins.architectures.mlp import MLP
from ganbench_plugins.tricks.minibatch_stddev import (
    MinibatchStandardDeviation,
    MinibatchStddev,
    group_deviation,
    largest_divisor,
)
from torch import nn

from ganbench.plugin import Discriminator, Host
from ganbench.testing import TrickContract, tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial


class TestMinibatchStddev(TrickContract):
    trick = MinibatchStandardDeviation
    parameters = {"group_size": 4}


class TestMinibatchStddevOfTheBatchOnMLP(TrickContract):
    trick = MinibatchStandardDeviation
    architecture = "mlp"
    parameters = {"group_size": 0}


@pytest.mark.parametrize("size", [2, 4, 8])
def test_the_deviation_is_that_of_each_feature_in_the_group_averaged(size):
    features = np.random.default_rng(0).normal(size=(8, 3, 2, 2))
    groups = 8 // size
    # numpy's population deviation over the images i, i + groups, i + 2 groups, ...
    each = [features[first::groups].std(axis=0).mean() for first in range(groups)]
    expected = [each[i % groups] for i in range(8)]
    got = group_deviation(torch.from_numpy(features), size)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5)


def test_equal_images_have_none_and_a_finite_gradient():
    features = torch.ones(4, 3, requires_grad=True)
    deviation = group_deviation(features, 4)
    deviation.sum().backward()
    np.testing.assert_allclose(deviation.detach(), 1e-4, rtol=1e-5)  # the root of 1e-8
    assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize(
    ("batch", "size", "expected"), [(8, 4, 4), (6, 4, 3), (2, 4, 2), (7, 4, 1)]
)
def test_a_smaller_batch_is_grouped_by_its_largest_divisor(batch, size, expected):
    assert largest_divisor(batch, size) == expected


def test_maps_get_a_map_and_features_a_feature_constant_within_the_group():
    layer = MinibatchStddev(4)
    maps, features = torch.randn(8, 3, 2, 2), torch.randn(8, 5)
    shown, flat = layer(maps), layer(features)
    assert shown.shape == (8, 4, 2, 2)
    assert flat.shape == (8, 6)
    assert torch.equal(shown[:, :3], maps)
    assert torch.equal(flat[:, :5], features)
    assert (shown[:, 3] == shown[:, 3, :1, :1]).all()
    assert torch.equal(flat[0:8:2, 5], flat[0, 5].expand(4))


def trial(group_size=4, architecture="dcgan-upsample", shape=(1, 8, 8), plugins=()):
    config = tiny_config({"minibatch_stddev": {"group_size": group_size}}, architecture)
    return Trial(config, 0, tiny_data(shape), Host(classes=plugins), torch.device("cpu"))


@pytest.mark.parametrize(
    ("architecture", "shape", "inputs"),
    # DCGAN of width 4: 4 channels at 16x16 and 8 at 8x8, here 2x2 maps after two halvings.
    [("dcgan-upsample", (1, 8, 8), 8 * 4 + 4), ("mlp", (1, 8, 8), 8 + 1), ("mlp", (2,), 8 + 1)],
)
def test_the_head_takes_one_more_map_or_feature(architecture, shape, inputs):
    made = trial(4, architecture, shape)
    net = made.pairs[0].pair.discriminator
    assert net.head.in_features == inputs
    assert list(dict(net.blocks.named_children()))[-1] == "minibatch_stddev"
    made.advance(1)


class TwoLayerHead(MLP):
    """D's head has two layers."""

    name = "two-layer-head"

    def build_discriminator(self, spec):
        blocks = nn.Sequential(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)))
        return Discriminator(blocks, nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1)))


class NoHead(TwoLayerHead):
    """D is one Sequential."""

    name = "no-head"

    def build_discriminator(self, spec):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 1))


@pytest.mark.parametrize(
    ("group_size", "architecture", "reason"),
    [
        (3, "dcgan-upsample", "groups of 3 do not divide a batch of 8"),
        (4, "two-layer-head", "the head of D is a Sequential"),
        (4, "no-head", "has no blocks and head"),
    ],
)
def test_it_does_not_apply_and_says_why(group_size, architecture, reason):
    with pytest.raises(NotApplicableError, match=reason):
        trial(group_size, architecture, plugins=[TwoLayerHead, NoHead])


@pytest.mark.parametrize(
    ("batch", "images", "applies"),
    # Packs of D's batch: 8, 4, 2, 1; of 20 images in packs of 4: 5, a prime above 4.
    [(8, 1, True), (8, 2, True), (8, 4, True), (8, 8, False), (20, 4, False), (1, 1, False)],
)
@pytest.mark.parametrize("architecture", ["dcgan-upsample", "mlp"])
def test_where_ds_batch_has_no_groups_it_does_not_apply(architecture, batch, images, applies):
    tricks = {"minibatch_stddev": {"group_size": 4 if batch > 1 else 0}, "packing": {}}
    tricks["packing"]["images"] = images
    config = tiny_config(tricks, architecture, batch_size=batch)
    host, device = Host(), torch.device("cpu")
    if applies:
        made = Trial(config, 0, tiny_data(), host, device)
        features = made.pairs[0].pair.discriminator.blocks(torch.randn(8, images, 8, 8))
        assert features.flatten(1)[:, -1].min() > 1e-3  # and not the root of EPSILON
        return
    with pytest.raises(NotApplicableError, match="does not fall into groups"):
        Trial(config, 0, tiny_data(), host, device)


def test_a_group_of_a_mixed_batch_would_tell_real_from_fake_no_more():
    # The reason for the conflict: item i is in group i mod (2 B / size), so is item i + B.
    real, fake = torch.randn(8, 5), 3 * torch.randn(8, 5)
    deviation = group_deviation(torch.cat([real, fake]), 4)
    assert torch.equal(deviation[:8], deviation[8:])
    config = tiny_config({"minibatch_stddev": {}, "mixed_batches": {}})
    with pytest.raises(NotApplicableError, match="as many real images as fakes"):
        Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))


def test_off_it_applies_everywhere():
    trial(1, "no-head", plugins=[NoHead]).advance(1)
