"""Historical averaging: its contract, the formula of the paper, and whose weights it holds."""

import numpy as np
import pytest
import torch
from ganbench_plugins.tricks.historical_averaging import (
    HistoricalAveraging,
    squared_distance,
    update_means,
)

from ganbench.plugin import Host
from ganbench.testing import TrickContract, differing, tiny_config, tiny_data, weights
from ganbench.training import Trial


class TestHistoricalAveraging(TrickContract):
    trick = HistoricalAveraging
    parameters = {"weight": 1.0}


class TestHistoricalAveragingOfG(TrickContract):
    trick = HistoricalAveraging
    architecture = "mlp"
    parameters = {"weight": 1.0, "networks": "generator"}


class TestHistoricalAveragingOfD(TrickContract):
    trick = HistoricalAveraging
    parameters = {"weight": 1.0, "networks": "discriminator"}


def test_the_distance_is_the_squared_norm_over_all_weights():
    stream = np.random.default_rng(0)
    one = [stream.normal(size=shape) for shape in ((3, 4), (5,))]
    other = [stream.normal(size=part.shape) for part in one]
    apart = [(a - b).ravel() for a, b in zip(one, other, strict=True)]
    expected = np.linalg.norm(np.concatenate(apart)) ** 2
    tensors = [[torch.from_numpy(part) for part in parts] for parts in (one, other)]
    assert squared_distance(*tensors).item() == pytest.approx(expected)


def test_the_running_mean_is_the_mean_of_the_history():
    history = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    mean, count = history[0].clone(), torch.ones(())
    for value in history[1:]:
        update_means([mean], [value], count)
    np.testing.assert_allclose(mean, history.double().mean(0), rtol=1e-5, atol=1e-6)
    assert count.item() == 7


def trial(**parameters):
    config = tiny_config({"historical_averaging": parameters})
    return Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))


def test_a_step_pulls_towards_the_mean_of_all_weights_so_far():
    made = trial(weight=1.0)
    generator = made.pairs[0].pair.generator
    names = [name for name, _ in generator.named_parameters()]
    history = []
    for _ in range(3):
        history.append({name: w.detach().clone() for name, w in generator.named_parameters()})
        made.advance(1)
    history.append({name: w.detach().clone() for name, w in generator.named_parameters()})
    buffers = made.pairs[0].buffers["historical_averaging"]
    for name in names:
        expected = torch.stack([weights[name] for weights in history]).double().mean(0)
        got = buffers[f"generator/mean/{name}"]
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_the_first_step_has_no_past_to_be_pulled_to():
    made, without = trial(weight=5.0), trial(weight=0.0)
    made.advance(1)
    without.advance(1)
    assert not differing(weights(made), weights(without))


def test_the_gradient_is_twice_the_distance_to_the_mean():
    weight = torch.tensor([1.0, -2.0], requires_grad=True)
    squared_distance([weight], [torch.tensor([0.5, 1.0])]).backward()
    assert weight.grad.tolist() == [1.0, -6.0]


@pytest.mark.parametrize("held", ["generator", "discriminator"])
def test_only_the_chosen_network_has_a_history(held):
    buffers = trial(weight=1.0, networks=held).pairs[0].buffers["historical_averaging"]
    assert {name.split("/")[0] for name in buffers} == {held}


def test_weights_of_other_tricks_modules_do_not_confuse_it():
    tricks = {"historical_averaging": {}, "minibatch_discrimination": {"kernels": 2}}
    made = Trial(tiny_config(tricks), 0, tiny_data(), Host(), torch.device("cpu"))
    made.advance(2)
    assert made.diverged_at is None
