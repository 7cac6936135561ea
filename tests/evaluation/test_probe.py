"""What D has learned, by a linear SVM on its features: the protocol, a planted case, its limits."""

from functools import partial

import numpy as np
import pytest
import torch
from ganbench_plugins.metrics import probe
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from torch import nn

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.evaluator import Evaluator
from ganbench.plugin import Data, Discriminator, Host, TrainedDiscriminator
from ganbench.testing import differing, tiny_config, weights
from ganbench.training import Trial, trained_discriminator

CPU = torch.device("cpu")
SETTINGS = Evaluation(
    samples=16, metrics=(Component(name="fid"), Component(name="probe", parameters={"images": 300}))
)


def with_sklearn(features, labels, fit, choose):
    """DCGAN's protocol once more, as scikit-learn's own tools do it."""
    known = fit + choose
    length = features.shape[1] ** 0.5
    svm = LinearSVC(loss="squared_hinge", penalty="l2", max_iter=100_000, random_state=1)
    steps = make_pipeline(StandardScaler(), FunctionTransformer(lambda x: x / length), svm)
    parts = PredefinedSplit([-1] * fit + [0] * choose)
    search = GridSearchCV(steps, {"linearsvc__C": [0.01, 0.1, 1.0, 10.0, 100.0]}, cv=parts)
    return search.fit(features[:known], labels[:known]).score(features[known:], labels[known:])


@pytest.fixture(scope="module")
def trial(digits, host):
    found = Trial(tiny_config(steps=20, architecture_parameters={"width": 8}), 3, digits, host, CPU)
    found.advance(20)
    return found


def test_maps_are_pooled_to_sixteen_maxima_and_joined():
    large, small = torch.arange(64.0).reshape(1, 1, 8, 8), torch.arange(4.0).reshape(1, 1, 2, 2)
    found = probe.pooled_features({"large": large, "small": small})
    corners = [row * 8 + column for row in (1, 3, 5, 7) for column in (1, 3, 5, 7)]
    assert found.tolist() == [[*map(float, corners), 0.0, 1.0, 2.0, 3.0]]


@pytest.mark.parametrize("width", [20, 400])  # fewer and more features than images
def test_the_svm_is_scikit_learns_whatever_the_number_of_features(width):
    draws = np.random.default_rng(width)
    labels = draws.integers(3, size=200)
    directions = draws.normal(size=(3, width)) / width**0.5
    features = directions[labels] + draws.normal(size=(200, width)) * np.arange(1, width + 1)
    features += 3 * directions[labels] * np.arange(1, width + 1)
    found = probe.svm_accuracy(features, labels, 100, 40)
    assert 0.4 < found < 1
    assert found == pytest.approx(with_sklearn(features, labels, 100, 40), abs=1 / 60 + 1e-9)


def test_figures_are_those_of_the_networks_blocks_called_by_hand(trial, digits, host, cache):
    figures = Evaluator(SETTINGS, digits, host, CPU, cache).evaluate(
        trial.sample(16), True, partial(trained_discriminator, trial)
    )
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))[:300]
    x, labels = digits.items[order].float() / 127.5 - 1, digits.labels[order].numpy()
    network, found = trial.pairs[0].pair.discriminator.eval(), []
    with torch.no_grad():
        for block in network.blocks:
            x = block(x)
            size = min(4, x.shape[2])
            found.append(nn.functional.adaptive_max_pool2d(x, size).flatten(1))
    network.train()
    wanted = with_sklearn(torch.cat(found, 1).double().numpy(), labels, 180, 60)
    assert figures["probe"] == pytest.approx(wanted, abs=1 / 60 + 1e-9)
    assert figures["probe_images"] == 60


def bars(count, draws):
    """Two classes: bars across and bars down, at any place, in noise."""
    images, labels = 0.6 * torch.randn(count, 1, 16, 16, generator=draws), torch.arange(count) % 2
    for image, label in zip(images, labels, strict=True):
        place = int(torch.randint(14, (), generator=draws))
        (image[0] if label else image[0].T)[place : place + 2] += 1
    return Data("bars", (images * 40 + 128).clamp(0, 255).byte(), labels, ("down", "across"))


def one_layer(weights):
    conv = nn.Conv2d(1, 2, 15, padding=7, bias=False)
    conv.weight.data = weights
    return Discriminator(nn.Sequential(nn.Sequential(conv)), nn.Linear(512, 1)).eval()


def test_planted_features_beat_random_ones(host):
    draws = torch.Generator().manual_seed(0)
    data = bars(400, draws)
    planted = torch.zeros(2, 1, 15, 15)
    planted[0, 0, 7], planted[1, 0, :, 7] = 1, 1
    shown = TrainedDiscriminator(
        "main",
        one_layer(planted),
        lambda: one_layer(torch.randn(2, 1, 15, 15, generator=draws)),
        lambda items: (items.float() / 127.5 - 1,),
    )

    class Context:
        def discriminator(self):
            return shown

    Context.data = data
    with torch.no_grad():
        figures = host.create("metric", "probe").compute(Context())
    assert figures["probe_images"] == 80
    assert figures["probe"] > 0.95
    assert figures["probe_random"] < figures["probe"] - 0.1


def test_the_control_is_the_network_that_the_trial_began_with(trial, digits, host):
    shown, fresh = trained_discriminator(trial), Trial(trial.config, 3, digits, host, CPU)
    began = dict(fresh.pairs[0].pair.discriminator.named_parameters())
    control = shown.untrained()
    assert shown.untrained() is control
    assert {n for n, p in control.named_parameters() if not torch.equal(p, began[n])} == set()
    assert not any(p.requires_grad for p in [*control.parameters(), *shown.network.parameters()])
    # Its BatchNorm has statistics of data: its normalised maps have mean 0 and deviation 1.
    maps = shown.feature_maps(nn.Sequential(), digits.items[:2])
    assert maps == {}
    norm = control.blocks[1].norm
    order = torch.randperm(1797, generator=torch.Generator().manual_seed(0))[:1000]
    real = digits.items[order].float() / 127.5 - 1
    before = control.blocks[1].conv(control.blocks[0](real))
    assert torch.allclose(norm.running_mean, before.mean((0, 2, 3)), atol=1e-4)
    assert torch.allclose(norm.running_var, before.var((0, 2, 3)), rtol=0.05)


def test_looking_at_a_discriminator_leaves_the_trial_as_it_was(digits, host):
    plain, seen = (Trial(tiny_config(), 3, digits, host, CPU) for _ in range(2))
    for running in (plain, seen):
        running.advance(3)
    before = torch.get_rng_state()
    shown = trained_discriminator(seen)
    for network in (shown.network, shown.untrained()):
        shown.feature_maps(network, digits.items[:8])
        network.train()
        for parameter in network.parameters():
            parameter.fill_(7.0)
    assert torch.equal(torch.get_rng_state(), before)
    for running in (plain, seen):
        running.advance(3)
    assert differing(weights(plain), weights(seen)) == []


@pytest.mark.parametrize(
    "config", [tiny_config({"packing": {"images": 2}}), tiny_config(architecture="mlp")]
)
def test_without_maps_of_single_images_there_are_no_figures(config, digits, host, cache):
    running = Trial(config, 3, digits, host, CPU)
    figures = Evaluator(SETTINGS, digits, host, CPU, cache).evaluate(
        running.sample(16), True, partial(trained_discriminator, running)
    )
    assert set(figures) == {"fid"}


def test_a_pyramids_finest_discriminator_is_the_one_shown(digits, host):
    running = Trial(tiny_config(architecture="lapgan"), 3, digits, host, CPU)
    shown = trained_discriminator(running)
    assert (shown.pair, shown.obstacle) == ("8x8", "")
    assert [maps.shape[0] for maps in shown.feature_maps(shown.network, digits.items[:5]).values()]


def test_it_is_computed_at_the_last_evaluation_alone(trial, digits, host, cache):
    measure = Evaluator(SETTINGS, digits, host, CPU, cache)
    shown = partial(trained_discriminator, trial)
    assert set(measure.evaluate(trial.sample(16), False, shown)) == {"fid"}
    assert set(measure.evaluate(trial.sample(16), True)) == {"fid"}  # nobody's samples
    names = {"fid", "probe", "probe_random", "probe_images"}
    assert set(measure.evaluate(trial.sample(16), True, shown)) == names


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda d: Data("x", d.items), "these have no labels"),
        (lambda d: Data("x", d.items, d.labels * 0, ("0",)), "the images are of one"),
        (lambda d: Data("x", d.items[:99], d.labels[:99], d.classes), "10 images a class, and has"),
        (lambda d: Data("x", d.items.flatten(1).float(), d.labels, d.classes), "these are points"),
    ],
)
def test_data_that_it_cannot_use_are_refused_with_a_reason(change, reason, digits):
    metric = Host().create("metric", "probe")
    applies, told = metric.applies(change(digits))
    assert not applies
    assert reason in told
