"""EMA: its contract, the average against a plain loop, and what of G it averages."""

import math

import numpy as np
import pytest
import torch
from ganbench_plugins.tricks.ema import EMA, ramped_decay, split_state, update_average
from torch import nn

from ganbench.plugin import Host
from ganbench.testing import STEPS, TrickContract, differing, tiny_config, tiny_data, weights
from ganbench.training import Trial


class TestEMA(TrickContract):
    trick = EMA
    parameters = {"decay": 0.9}

    def test_training_does_not_see_the_average(self):
        without, switched_on = self.make(None), self.make(self.parameters)
        without.advance(STEPS)
        switched_on.advance(STEPS)
        assert not differing(weights(without), weights(switched_on))
        assert torch.equal(without.sample(16), switched_on.sample(16, "trained"))
        assert not torch.equal(without.sample(16), switched_on.sample(16))


class TestEMAWithoutRampOnMLP(TrickContract):
    trick = EMA
    architecture = "mlp"
    parameters = {"decay": 0.5, "ramp": 0.0}


def trial(**parameters):
    config = tiny_config({"ema": parameters})
    return Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))


def generator_state(made):
    state = made.pairs[0].pair.generator.state_dict()
    return {name: value.double().numpy().copy() for name, value in state.items()}


def average_state(made):
    state = made.pairs[0].buffers["ema"].modules["average"].state_dict()
    return {name: value.double().numpy() for name, value in state.items()}


def test_the_average_is_the_recursion_over_the_generators_of_all_steps():
    made = trial(decay=0.7, ramp=0.0)
    expected = generator_state(made)
    for _ in range(4):
        made.advance(1)
        for name, value in generator_state(made).items():
            kept = 0.0 if name.endswith("num_batches_tracked") else 0.7
            expected[name] = kept * expected[name] + (1 - kept) * value
    for name, value in average_state(made).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-7)


def test_without_decay_the_generator_itself_is_sampled_from():
    made = trial(decay=0.0)
    built = made.pairs[0]
    assert not built.buffers["ema"].modules
    trick = next(one for one in made.tricks if isinstance(one, EMA))
    sampled = trick.sampling_generator(built.context, built.buffers["ema"])
    assert sampled is built.pair.generator


def test_with_a_ramp_the_first_step_forgets_the_initial_weights():
    made = trial(decay=0.999, ramp=0.05)
    made.advance(1)
    assert_equal = np.testing.assert_array_equal
    for name, value in average_state(made).items():
        assert_equal(value, generator_state(made)[name])


def test_the_ramp_holds_the_half_life_to_a_share_of_the_steps():
    def half_life(step):
        return math.log(0.5) / math.log(ramped_decay(step, 0.999, 0.05))

    # The half-life of 0.999 is ln 2 / 0.0010005 = 692.8 steps.
    assert half_life(200) == pytest.approx(10)
    assert half_life(100_000) == pytest.approx(692.8, abs=0.1)
    assert ramped_decay(0, 0.999, 0.05) == 0
    assert ramped_decay(0, 0.999, 0) == 0.999
    assert ramped_decay(5, 0.0, 0.05) == 0


def test_at_a_share_of_one_the_average_is_the_weights_bit_for_bit():
    stream = torch.Generator().manual_seed(0)
    average, current = torch.randn(2, 10_000, generator=stream) * 1e3
    update_average([average], [current], torch.ones(()))
    assert torch.equal(average, current)


def test_batch_norms_statistics_are_averaged_and_other_buffers_copied():
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    net.register_buffer("direction", torch.ones(3))
    averaged, copied = split_state(net)
    norm = net[1]
    expected = [*net.parameters(), norm.running_mean, norm.running_var]
    assert {id(tensor) for tensor in averaged} == {id(tensor) for tensor in expected}
    assert {id(tensor) for tensor in copied} == {id(net.direction), id(norm.num_batches_tracked)}
