"""Spectral normalisation: contract, numpy's SVD, and surgery that survives other surgery."""

import itertools

import numpy as np
import pytest
import torch
from ganbench_plugins.tricks.spectral_norm import (
    SpectralNorm,
    is_normalised,
    normalise_layers,
    open_layers,
)
from torch import nn

from ganbench.plugin import (
    Architecture,
    ArchitectureParameters,
    Discriminator,
    Host,
    Stage,
    Trick,
    TrickParameters,
)
from ganbench.testing import TrickContract, tiny_config, tiny_data, weights
from ganbench.training import Trial
from ganbench.training.errors import NotApplicableError

WEIGHTED = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)


class TestSpectralNorm(TrickContract):
    trick = SpectralNorm


class TestSpectralNormOnBoth(TrickContract):
    trick = SpectralNorm
    architecture = "dcgan-transpose"
    parameters = {"networks": "both", "power_iterations": 3}
    objective = "hinge"


class TestSpectralNormWithBatchNorm(TrickContract):
    trick = SpectralNorm
    with_tricks = {"batch_norm": {"placement": "both", "input_layer": True}}


class TestSpectralNormOnMLP(TrickContract):
    trick = SpectralNorm
    architecture = "mlp"


def trial(tricks, architecture="dcgan-upsample", shape=(1, 8, 8), classes=()):
    config = tiny_config(tricks, architecture)
    return Trial(config, 3, tiny_data(shape), Host(classes=classes), torch.device("cpu"))


def weighted(net):
    return [m for m in net.modules() if isinstance(m, WEIGHTED)]


def matrix(weight, layer):
    """A weight as the source's matrix: outputs by all the rest."""
    if isinstance(layer, nn.ConvTranspose2d):  # torch stores (in, out, height, width)
        weight = weight.transpose(0, 1)
    return weight.detach().flatten(1).numpy()


@pytest.mark.parametrize(
    "layer",
    [nn.Linear(7, 5), nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(3, 4, 4)],
    ids=lambda layer: type(layer).__name__,
)
def test_after_many_passes_sigma_is_the_largest_singular_value(layer):
    plain = layer.weight.detach().clone()
    normalise_layers(layer, power_iterations=1)
    layer.train()
    for _ in range(300):
        normalised = layer.weight
    sigma = np.linalg.svd(matrix(plain, layer), compute_uv=False)[0]
    np.testing.assert_allclose(normalised.detach(), plain / sigma, rtol=1e-4)
    got = np.linalg.svd(matrix(normalised, layer), compute_uv=False)[0]
    assert got == pytest.approx(1.0, rel=1e-4)


def test_a_pass_takes_as_many_power_iterations_as_asked_for():
    # Algorithm 1, written out: v from u, u from v; torch keeps the order u, then v.
    layer = nn.Linear(6, 5)
    normalise_layers(layer, power_iterations=3)
    step = layer.parametrizations.weight[0]
    w = layer.parametrizations.weight.original.detach().numpy()
    v = step._v.clone().numpy()
    for _ in range(3):
        u = w @ v / np.linalg.norm(w @ v)
        v = w.T @ u / np.linalg.norm(w.T @ u)
    normalised = layer.train().weight.detach()
    np.testing.assert_allclose(normalised, w / (u @ w @ v), rtol=1e-5)
    layer.eval()
    before = step._v.clone()
    layer(torch.zeros(1, 6))
    assert torch.equal(before, step._v)


def test_the_gradient_is_that_of_the_papers_analysis():
    # Section 2.3, with u and v held: the gradient of sum(A * W / sigma) by W is
    # (A - sum(A * W / sigma) u v^T) / sigma.
    layer = nn.Linear(4, 3).double()
    normalise_layers(layer, power_iterations=1)
    layer.eval()
    step = layer.parametrizations.weight[0]
    a = torch.randn(3, 4).double()
    (a * layer.weight).sum().backward()
    w = layer.parametrizations.weight.original
    u, v = step._u, step._v
    sigma = u @ w.detach() @ v
    expected = (a - (a * w.detach() / sigma).sum() * torch.outer(u, v)) / sigma
    torch.testing.assert_close(w.grad, expected)


@pytest.mark.parametrize(
    ("networks", "expected"),
    [("discriminator", (False, True)), ("both", (True, True)), ("none", (False, False))],
)
@pytest.mark.parametrize("architecture", ["mlp", "dcgan-upsample", "dcgan-transpose"])
def test_every_weighted_layer_of_the_chosen_networks_is_normalised(
    networks, expected, architecture
):
    pair = trial({"spectral_norm": {"networks": networks}}, architecture).pairs[0].pair
    for net, normalised in zip((pair.generator, pair.discriminator), expected, strict=True):
        assert weighted(net)
        assert {is_normalised(layer) for layer in weighted(net)} == {normalised}


def test_the_weights_behind_start_as_they_do_without_the_trick():
    tricks = {"batch_norm": {"placement": "both", "input_layer": True}}
    without = weights(trial(tricks))
    normalised = weights(trial({**tricks, "spectral_norm": {"networks": "both"}}))
    behind = {
        name.replace("parametrizations.weight.original", "weight"): value
        for name, value in normalised.items()
        if not name.endswith(("._u", "._v"))
    }
    assert without.keys() == behind.keys()
    assert all(torch.equal(without[name], behind[name]) for name in without)


def test_normalising_twice_is_normalising_once():
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    normalise_layers(net, 1)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    normalise_layers(net, 5)
    assert open_layers(net) == []
    assert list(net.state_dict()) == list(state)
    assert all(torch.equal(net.state_dict()[name], value) for name, value in state.items())


class OldStyle(Architecture):
    """A D whose layers are normalised already, by the older of PyTorch's ways."""

    name = "old-style"
    Parameters = ArchitectureParameters
    whole = True

    def build_generator(self, spec):
        return nn.Linear(spec.latent.dimension, spec.shape[0])

    def build_discriminator(self, spec):
        old = torch.nn.utils.spectral_norm
        body, head = nn.Linear(spec.shape[0], 4), nn.Linear(4, 1)
        blocks = nn.Sequential(nn.Sequential(old(body), nn.ReLU()))
        return Discriminator(blocks, old(head) if self.whole else head)

    def initialise(self, module):
        pass


class PartlyOldStyle(OldStyle):
    """The same, but for its head."""

    name = "partly-old-style"
    whole = False


def old_style(architecture):
    config = tiny_config({"spectral_norm": {}}, architecture.name)
    config = config.model_copy(
        update={"architecture": config.architecture.model_copy(update={"parameters": {}})}
    )
    host = Host(classes=[architecture])
    return Trial(config, 0, tiny_data((2,)), host, torch.device("cpu"))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of the older way
def test_layers_that_the_architecture_normalised_are_left_as_they_are():
    with pytest.raises(NotApplicableError, match="no layer that is not normalised yet"):
        old_style(OldStyle)
    running = old_style(PartlyOldStyle)
    net = running.pairs[0].pair.discriminator
    assert not hasattr(net.blocks[0][0], "parametrizations")
    assert hasattr(net.head, "parametrizations")
    running.advance(2)
    assert torch.isfinite(running.loss_log[:2]).all()


class NewHead(Trick):
    """Replaces a layer of D."""

    name = "z_new_head"
    neutral = TrickParameters()
    stage = Stage.NORMAL

    def transform_discriminator(self, net, ctx):
        net.head = nn.Sequential(nn.Linear(net.head.in_features, 3), nn.ReLU(), nn.Linear(3, 1))
        return net


def test_layers_that_other_tricks_put_in_are_normalised_too():
    tricks = {"spectral_norm": {}, "z_new_head": {}, "batch_norm": {"placement": "both"}}
    running = trial(tricks, classes=[NewHead])
    net = running.pairs[0].pair.discriminator
    assert len(weighted(net)) == 4
    assert all(map(is_normalised, weighted(net)))
    assert running.order["transform_discriminator"][-1] == "spectral_norm"


def test_the_declared_followers_hold_whatever_the_stage():
    # A third party's stage may be LAST too: the tricks known to change layers are named.
    assert {"batch_norm", "packing", "minibatch_discrimination", "virtual_batch_norm"} <= set(
        SpectralNorm.after
    )


def test_the_discriminator_cannot_stretch_distances():
    # Section 2: slopes of at most 1 and spectral norms of 1 give a Lipschitz constant of 1.
    running = trial({"spectral_norm": {"power_iterations": 5}}, "mlp", (2,))
    running.advance(6)
    net = running.pairs[0].pair.discriminator
    points = torch.randn(40, 2) * 5
    with torch.no_grad():
        for _ in range(50):
            outputs = net(points)
    for i, j in itertools.combinations(range(40), 2):
        distance = (points[i] - points[j]).norm()
        assert (outputs[i] - outputs[j]).abs() <= 1.001 * distance


def test_sampling_leaves_the_vectors_of_a_normalised_generator_alone():
    running = trial({"spectral_norm": {"networks": "both"}})
    before = weights(running)
    running.sample(8)
    assert all(torch.equal(before[name], value) for name, value in weights(running).items())
