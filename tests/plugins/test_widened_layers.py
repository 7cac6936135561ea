"""A layer that a trick widens gets its initial weights by the architecture's rule for it."""

import math

import pytest
import torch
from ganbench_plugins.tricks._networks import with_inputs
from torch import nn

from ganbench.plugin import Host
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial

HOST = Host()
ARCHITECTURES = sorted(found.name for found in HOST.all("architecture") if found.builtin)
SHAPES = {
    "chollet-dcgan": (1, 24, 24),
    "dense-conv": (1, 16, 16),
    "pacgan-dcgan": (1, 16, 16),
    "pacgan-mlp": (2,),
}
WIDENING = {
    "packing": ("first", {"images": 4}),
    "minibatch_stddev": ("head", {}),
    "minibatch_discrimination": ("head", {"kernels": 400}),
}


def fans(layer):
    places = math.prod(layer.weight.shape[2:])
    return layer.weight.shape[1] * places, layer.weight.shape[0] * places


def constant(deviation):
    return lambda layer: (deviation, 0.0)


def glorot(layer):
    # U(-a, a) with a² = 6 / (fan in + fan out) has the variance a² / 3.
    return (2 / sum(fans(layer))) ** 0.5, 0.0


def cut_off(layer):
    # A normal distribution cut off at two deviations has 0.8796 of its own.
    return 0.02 * (0.8796 if isinstance(layer, nn.Conv2d) else 1), 0.0


def pytorch(layer):
    # U(-a, a) with a² = 1 / fan in, for weights and biases.
    inputs, _ = fans(layer)
    return (1 / (3 * inputs)) ** 0.5, inputs**-0.5


RULES = {
    # The standard deviation of the weights and the bound of the biases, as the sources have it.
    "chollet-dcgan": glorot,
    "dcgan-transpose": constant(0.02),
    "dcgan-upsample": constant(0.02),
    "dense-conv": constant(0.02),
    "goodfellow-mlp": constant(0.005 / 3**0.5),
    "keras-dcgan": glorot,
    "lapgan": constant(0.005),
    "mlp": pytorch,
    "pacgan-dcgan": cut_off,
    "pacgan-mlp": constant(0.02),
    "radford-dcgan": constant(0.02),
    "tf-dcgan": glorot,
}


def layer_of(architecture, tricks, which):
    shape = SHAPES.get(architecture, (1, 8, 8))
    config = tiny_config(tricks, architecture)
    trial = Trial(config, 0, tiny_data(shape), HOST, torch.device("cpu"))
    net = trial.pairs[0].pair.discriminator
    weighted = [layer for layer in net.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    return net.head if which == "head" else weighted[0]


def test_every_architecture_has_a_rule_here():
    assert sorted(RULES) == ARCHITECTURES


@pytest.mark.parametrize("trick", [None, *WIDENING])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_widened_layer_is_drawn_as_the_one_it_replaces(architecture, trick):
    which, parameters = WIDENING.get(trick, ("head", {}))
    tricks = {} if trick is None else {trick: parameters}
    try:
        layer = layer_of(architecture, tricks, which)
    except NotApplicableError as reason:
        pytest.skip(str(reason))
    without = layer_of(architecture, {}, which)
    if trick is not None:
        assert layer.weight.shape[1] > without.weight.shape[1]
    deviation, bound = RULES[architecture](layer)
    # The deviation of n weights has a standard error of about a share of 1 / sqrt(2 n).
    error = 5 / (2 * layer.weight.numel()) ** 0.5
    assert layer.weight.std().item() == pytest.approx(deviation, rel=error)
    assert (layer.bias is None) == (without.bias is None)
    if layer.bias is not None:
        assert layer.bias.abs().max().item() <= bound


def test_marks_of_an_architecture_come_along_and_those_of_ganbench_do_not():
    layer = nn.Conv2d(1, 2, 3)
    layer.rule = "small"
    layer._ganbench_note = "drawn"
    layer.register_forward_hook(lambda *_: None)
    wider = with_inputs(layer, 5)
    assert wider.rule == "small"
    assert not hasattr(wider, "_ganbench_note")
    assert wider.weight.shape == (2, 5, 3, 3)
    assert wider.in_channels == 5
