"""Virtual batch normalisation: its formula, and a reference batch that nobody else sees."""

import copy

import numpy as np
import pytest
import torch
from ganbench_plugins.tricks.virtual_batch_norm import (
    VirtualBatchNorm,
    VirtualNorm,
    draw_latents,
    normalise_network,
    normalise_virtually,
)
from torch import nn
from torch.func import functional_call

from ganbench.plugin import Categorical, Discriminator, Host, LatentSpec, Uniform
from ganbench.testing import TrickContract, tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial


class TestVirtualBatchNorm(TrickContract):
    trick = VirtualBatchNorm


class TestVirtualBatchNormInBoth(TrickContract):
    trick = VirtualBatchNorm
    parameters = {"networks": "both", "reference": 5}
    with_tricks = {"batch_norm": {"placement": "both"}}
    architecture = "mlp"


class TestVirtualBatchNormUnderEMA(TrickContract):
    trick = VirtualBatchNorm
    with_tricks = {"ema": {"decay": 0.5}}


def trial(tricks, architecture="dcgan-upsample", shape=(1, 8, 8), **changes):
    config = tiny_config(tricks, architecture, **changes)
    return Trial(config, 0, tiny_data(shape), Host(), torch.device("cpu"))


def by_the_source(x, n, eps):
    """The authors' formula in numpy, example by example: mean squares less squared means."""
    axes = tuple(range(2, x.ndim))
    shape = (-1, *[1] * len(axes))
    mean = x[:n].mean((0, *axes)).reshape(shape)
    square = (x[:n] ** 2).mean((0, *axes)).reshape(shape)
    found = [(one - mean) / np.sqrt(eps + square - mean**2) for one in x[:n]]
    for one in x[n:]:
        own = one.mean(tuple(range(1, one.ndim))) if axes else one
        own_square = (one**2).mean(tuple(range(1, one.ndim))) if axes else one**2
        mixed = own.reshape(shape) / (n + 1) + (1 - 1 / (n + 1)) * mean
        mixed_square = own_square.reshape(shape) / (n + 1) + (1 - 1 / (n + 1)) * square
        found.append((one - mixed) / np.sqrt(eps + mixed_square - mixed**2))
    return np.stack(found)


@pytest.mark.parametrize("shape", [(7, 3, 4, 5), (7, 3)])
def test_the_moments_are_those_of_the_source(shape):
    x = np.random.default_rng(0).normal(2.0, 3.0, shape)
    got = normalise_virtually(torch.from_numpy(x), 4, 1e-5).numpy()
    np.testing.assert_allclose(got, by_the_source(x, 4, 1e-5), rtol=1e-9)


def test_an_example_does_not_depend_on_the_others_of_its_batch():
    x = torch.randn(9, 2, 3, 3, generator=torch.Generator().manual_seed(0))
    whole = normalise_virtually(x, 4, 1e-5)
    alone = normalise_virtually(x[[0, 1, 2, 3, 7]], 4, 1e-5)
    torch.testing.assert_close(alone[4], whole[7])


def test_scale_and_shift_are_those_of_the_batch_norm_it_replaces():
    norm = nn.BatchNorm2d(3)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    layer = VirtualNorm(norm, 6)
    x = torch.randn(6, 3, 2, 2)
    # The reference batch alone is normalised as BatchNorm does it.
    torch.testing.assert_close(layer(x), norm(x))
    assert layer.weight is norm.weight
    plain = VirtualNorm(nn.BatchNorm1d(3, affine=False), 6)
    assert not list(plain.parameters())


def network():
    blocks = nn.Sequential()
    blocks.add_module("one", nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU()))
    blocks.add_module("two", nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.0)))
    return Discriminator(blocks, nn.Linear(4, 1)).double()


def test_the_reference_goes_through_every_layer_and_is_seen_by_nobody():
    torch.manual_seed(0)
    net, reference, x = network(), torch.randn(5, 3).double(), torch.randn(6, 3).double()
    layers = [module for module in net.modules() if isinstance(module, nn.Linear)]
    # Layer by layer in numpy, the reference before the batch.
    rows = np.concatenate([reference.numpy(), x.numpy()])
    first, second, head = ((m.weight.detach().numpy(), m.bias.detach().numpy()) for m in layers)
    hidden = np.maximum(by_the_source(rows @ first[0].T + first[1], 5, 1e-5), 0)
    top = by_the_source(hidden @ second[0].T + second[1], 5, 1e-5)
    changed = normalise_network(net, reference, None)
    logits, features = changed.forward_with_features(x)
    np.testing.assert_allclose(features["one"].detach().numpy(), hidden[5:])
    np.testing.assert_allclose(features["two"].detach().numpy(), top[5:])
    np.testing.assert_allclose(logits.detach().numpy(), (top @ head[0].T + head[1])[5:])
    assert torch.equal(changed(x), logits)
    assert torch.equal(copy.deepcopy(changed)(x), logits)
    assert torch.equal(changed.eval()(x), logits)
    stand_ins = dict(changed.named_parameters())
    assert torch.equal(functional_call(changed, stand_ins, x), logits)


def test_a_network_stays_what_other_tricks_look_for():
    changed = normalise_network(network(), torch.randn(5, 3).double(), None)
    assert isinstance(changed, Discriminator)
    assert [name for name, _ in changed.blocks.named_children()] == ["one", "two"]


def norms(net):
    return {
        type(layer)
        for layer in net.modules()
        if isinstance(layer, VirtualNorm | nn.BatchNorm1d | nn.BatchNorm2d)
    }


@pytest.mark.parametrize(
    ("networks", "g", "d"),
    [
        ("generator", VirtualNorm, nn.BatchNorm2d),
        ("discriminator", nn.BatchNorm2d, VirtualNorm),
        ("both", VirtualNorm, VirtualNorm),
        ("none", nn.BatchNorm2d, nn.BatchNorm2d),
    ],
)
def test_networks_says_whose_layers_are_replaced(networks, g, d):
    pair = trial({"virtual_batch_norm": {"networks": networks}}).pairs[0].pair
    assert norms(pair.generator) == {g}
    assert norms(pair.discriminator) == {d}


def test_the_reference_is_fixed_for_the_trial_and_of_its_seed():
    one, other = (trial({"virtual_batch_norm": {"networks": "both"}}) for _ in range(2))
    nets = [getattr(one.pairs[0].pair, role) for role in ("generator", "discriminator")]
    before = [net.virtual_inputs.clone() for net in nets]
    assert [tuple(x.shape) for x in before] == [(8, 4), (8, 1, 8, 8)]
    one.advance(3)
    assert all(torch.equal(net.virtual_inputs, x) for net, x in zip(nets, before, strict=True))
    assert torch.equal(other.pairs[0].pair.generator.virtual_inputs, before[0])
    images = one.context.real_batch(torch.arange(40))[0]
    assert all(any(torch.equal(x, image) for image in images) for x in before[1])


@pytest.mark.parametrize("architecture", ["dcgan-upsample", "lapgan"])
def test_only_ds_reference_is_limited_by_the_data(architecture):
    # 40 images; latents can be drawn without end.
    tricks = {"virtual_batch_norm": {"networks": "both", "reference": 100}, "batch_norm": {}}
    made = trial(tricks, architecture)
    made.advance(1)
    for built in made.pairs:
        generator, discriminator = built.pair.generator, built.pair.discriminator
        assert len(generator.virtual_inputs) == 100
        assert len(generator.virtual_inputs.unique(dim=0)) == 100
        assert len(discriminator.virtual_inputs) == 40
        if generator.virtual_condition is not None:
            assert len(generator.virtual_condition) == 100
            assert torch.equal(generator.virtual_condition[40:80], generator.virtual_condition[:40])


def test_scale_and_shift_start_as_in_the_arm_without_it():
    plain, virtual = (
        trial(tricks).pairs[0].pair.generator.state_dict()
        for tricks in ({}, {"virtual_batch_norm": {}})
    )
    names = [name for name in plain if name.endswith(("norm.weight", "norm.bias"))]
    assert names
    assert all(torch.equal(plain[name], virtual[name]) for name in names)


def test_a_sample_does_not_depend_on_the_mode_of_batch_norm():
    made = trial({"virtual_batch_norm": {}})
    made.advance(3)
    generator, z = made.pairs[0].pair.generator, torch.randn(4, 4)
    torch.testing.assert_close(generator.eval()(z), generator.train()(z), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("tricks", "architecture", "reason"),
    [
        ({"virtual_batch_norm": {}}, "mlp", "no BatchNorm"),
        ({"virtual_batch_norm": {}, "batch_norm": {"placement": "none"}}, "dcgan-upsample", "no B"),
        (
            {"virtual_batch_norm": {"networks": "both"}, "minibatch_discrimination": {}},
            "dcgan-upsample",
            "minibatch_discrimination would see",
        ),
        (
            {"virtual_batch_norm": {"networks": "discriminator"}, "packing": {}},
            "dcgan-upsample",
            "packing would see",
        ),
    ],
)
def test_where_it_does_not_apply_the_reason_is_said(tricks, architecture, reason):
    with pytest.raises(NotApplicableError, match=reason):
        trial(tricks, architecture)


def test_it_sees_the_layers_that_batch_norm_puts_in():
    made = trial({"virtual_batch_norm": {}, "batch_norm": {}}, "mlp", (2,))
    assert norms(made.pairs[0].pair.generator) == {VirtualNorm}
    made.advance(2)


@pytest.mark.parametrize(
    "others",
    [
        {"minibatch_discrimination": {}, "packing": {}},
        {"spectral_norm": {"networks": "both"}},
        {"feature_matching": {"layer": "down1"}},
        {"gradient_penalty": {}},
        {"unrolled": {"steps": 1}},
        {"mixed_batches": {}},
    ],
)
def test_it_trains_beside_tricks_that_look_into_the_networks(others):
    # Packs cannot go beside a reference in D, and a mixed batch makes no difference there.
    networks = "generator" if {"packing", "mixed_batches"} & set(others) else "both"
    made = trial({"virtual_batch_norm": {"networks": networks}, **others})
    made.advance(2)
    assert made.diverged_at is None


def test_a_conditional_network_gets_the_conditions_of_its_reference():
    made = trial(
        {"virtual_batch_norm": {"networks": "both"}, "batch_norm": {}},
        "lapgan",
        (1, 16, 16),
        architecture_parameters={"width": 4, "generator_hidden": 8, "discriminator_hidden": 8},
    )
    made.advance(2)
    finest = made.pairs[-1].pair
    assert finest.generator.virtual_condition.shape == (8, 1, 16, 16)
    assert finest.discriminator.virtual_condition.shape == (8, 1, 16, 16)
    assert made.sample(4).shape == (4, 1, 16, 16)


def test_reference_latents_follow_the_prior():
    torch.manual_seed(0)
    z = draw_latents(LatentSpec(3, "uniform", (Categorical(4), Uniform(2))), 2000)
    assert z.shape == (2000, 9)
    assert torch.equal(z[:, 3:7].sum(1), torch.ones(2000))
    parts = torch.cat([z[:, :3], z[:, 7:]], 1)
    assert -1 <= parts.min() < -0.99 < 0.99 < parts.max() <= 1
    normal = draw_latents(LatentSpec(3), 4000)
    assert normal.std().item() == pytest.approx(1, abs=0.05)
