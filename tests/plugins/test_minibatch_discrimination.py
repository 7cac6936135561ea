"""Minibatch discrimination: its contract, the paper's formula, and the tensor's training."""

import numpy as np
import pytest
import torch
from ganbench_plugins.architectures.mlp import MLP
from ganbench_plugins.tricks.minibatch_discrimination import (
    MinibatchDiscrimination,
    MinibatchFeatures,
    closeness,
)
from torch import nn

from ganbench.plugin import Host
from ganbench.testing import TrickContract, tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial


class TestMinibatchDiscrimination(TrickContract):
    trick = MinibatchDiscrimination
    parameters = {"kernels": 3, "dimensions": 2}


class TestMinibatchDiscriminationOnMLP(TrickContract):
    trick = MinibatchDiscrimination
    architecture = "mlp"
    parameters = {}


def test_the_layer_is_the_formula_of_section_3_2():
    layer = MinibatchFeatures(6, 4, 3)
    x = torch.randn(5, 2, 3)
    tensor = layer.tensor.detach().double().numpy()
    f = x.double().numpy().reshape(5, 6)
    rows = [sum(f[i, a] * tensor[a] for a in range(6)) for i in range(5)]
    expected = [
        [sum(np.exp(-np.abs(rows[i][b] - rows[j][b]).sum()) for j in range(5)) for b in range(4)]
        for i in range(5)
    ]
    got = layer(x).detach().numpy()
    np.testing.assert_allclose(got[:, :6], f, rtol=1e-6)
    np.testing.assert_allclose(got[:, 6:], expected, rtol=1e-5)


def test_equal_images_are_as_close_as_can_be_and_far_ones_only_to_themselves():
    equal, far = torch.zeros(4, 1, 2), 1000.0 * torch.arange(4.0).reshape(4, 1, 1).expand(4, 1, 2)
    assert closeness(equal).tolist() == [[4.0]] * 4
    assert closeness(far).tolist() == [[1.0]] * 4


def test_the_tensors_columns_begin_with_a_norm_of_one_on_average():
    torch.manual_seed(0)
    squares = MinibatchFeatures(50, 100, 20).tensor.detach().square().sum(0)
    # Means of 2,000 sums of 50 squares: relative deviation sqrt(2 / 50 / 2000).
    assert squares.mean().item() == pytest.approx(1, abs=5 * (2 / 50 / 2000) ** 0.5)


def trial(architecture="dcgan-upsample", plugins=(), **tricks):
    config = tiny_config({"minibatch_discrimination": {"kernels": 3}, **tricks}, architecture)
    return Trial(config, 0, tiny_data(), Host(classes=plugins), torch.device("cpu"))


def test_the_tensor_is_trained_with_d():
    made = trial()
    net = made.pairs[0].pair.discriminator
    tensor = net.blocks.minibatch_discrimination.tensor
    before = tensor.detach().clone()
    assert any(parameter is tensor for parameter in made.pairs[0].parameters("discriminator"))
    made.advance(1)
    assert not torch.equal(before, tensor)
    assert net.head.in_features == 8 * 4 + 3


def test_stddev_comes_first_so_that_maps_are_still_maps():
    net = trial(minibatch_stddev={}).pairs[0].pair.discriminator
    names = [name for name, _ in net.blocks.named_children()]
    assert names[-2:] == ["minibatch_stddev", "minibatch_discrimination"]
    assert net.head.in_features == (8 + 1) * 4 + 3


class NoHead(MLP):
    """D is one Sequential."""

    name = "no-head"

    def build_discriminator(self, spec):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 1))


def test_it_does_not_apply_to_a_d_without_a_head():
    with pytest.raises(NotApplicableError, match="has no blocks and head"):
        trial("no-head", [NoHead])
