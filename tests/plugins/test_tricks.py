"""The four first tricks: their contract, and their formulas against plain references."""

import numpy as np
import pytest
import torch
from ganbench_plugins.tricks.batch_norm import BatchNorm
from ganbench_plugins.tricks.feature_matching import FeatureMatching, feature_distance
from ganbench_plugins.tricks.instance_noise import InstanceNoise, add_noise, noise_level
from ganbench_plugins.tricks.label_smoothing import LabelSmoothing, smooth_real_targets
from torch import nn

from ganbench.plugin import Host
from ganbench.testing import TrickContract, tiny_config, tiny_data
from ganbench.training import Trial


class TestLabelSmoothing(TrickContract):
    trick = LabelSmoothing
    parameters = {"real": 0.9}

    def test_the_optimal_logit_is_that_of_the_smoothed_target(self):
        # Salimans 3.4: cross-entropy towards t is least at sigmoid(logit) = t.
        target = smooth_real_targets(torch.ones(1, 1), 0.9)
        logit = torch.logit(target).requires_grad_()
        nn.functional.binary_cross_entropy_with_logits(logit, target).backward()
        assert logit.grad.abs().item() < 1e-7

    def test_only_real_targets_in_the_discriminators_loss_change(self):
        trick, ones = LabelSmoothing(LabelSmoothing.Parameters(real=0.8)), torch.ones(2, 1)
        changed = {
            (role, is_real): trick.transform_targets(ones, is_real, role, None)[0].item()
            for role in ("generator", "discriminator")
            for is_real in (True, False)
        }
        assert changed.pop(("discriminator", True)) == pytest.approx(0.8)
        assert set(changed.values()) == {1.0}


class TestInstanceNoise(TrickContract):
    trick = InstanceNoise
    parameters = {"start": 0.2}

    def test_variances_add(self):
        stream = torch.Generator().manual_seed(0)
        x = torch.full((200_000,), 3.0)
        noisy = add_noise(x, torch.tensor(0.5), stream).double()
        assert noisy.mean().item() == pytest.approx(3.0, abs=4 * 0.5 / 200_000**0.5)
        assert noisy.std().item() == pytest.approx(0.5, rel=0.01)

    def test_the_level_falls_linearly_to_its_end_at_the_last_step(self):
        levels = [noise_level(step, 11, 0.2, 0.1) for step in range(11)]
        np.testing.assert_allclose(levels, np.linspace(0.2, 0.1, 11))
        assert noise_level(0, 1, 0.2, 0.1) == 0.2

    @pytest.mark.parametrize(("anneal", "expected"), [("linear", 0.1), ("constant", 0.2)])
    def test_the_trial_ends_at_the_level_asked_for(self, anneal, expected):
        config = tiny_config({"instance_noise": {"start": 0.2, "end": 0.1, "anneal": anneal}})
        trial = Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))
        trial.advance(trial.steps)
        deviation = trial.pairs[0].buffers["instance_noise"]["deviation"]
        assert deviation.item() == pytest.approx(expected)


class TestInstanceNoiseConstant(TrickContract):
    trick = InstanceNoise
    parameters = {"start": 0.2, "anneal": "constant"}


class TestFeatureMatching(TrickContract):
    trick = FeatureMatching
    parameters = {"weight": 1.0}

    def test_the_distance_is_equation_of_section_3_1(self):
        real, fake = np.random.default_rng(0).normal(size=(2, 16, 3, 4))
        expected = np.linalg.norm((real.mean(0) - fake.mean(0)).ravel()) ** 2
        got = feature_distance(torch.from_numpy(real), torch.from_numpy(fake)).item()
        assert got == pytest.approx(expected)

    def test_at_full_weight_the_discriminators_head_is_not_asked(self):
        config = tiny_config({"feature_matching": {}})
        trial = Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))
        head = trial.pairs[0].pair.discriminator.head
        pair_step = trial._steps[0]
        batch, z = torch.rand(8, 1, 8, 8), torch.randn(8, 4)
        one = pair_step.train("generator", 0, batch, z)
        with torch.no_grad():
            head.weight.fill_(float("nan"))
        assert torch.isfinite(one)
        assert torch.isfinite(pair_step.train("generator", 0, batch, z))


class TestFeatureMatchingMixed(TrickContract):
    trick = FeatureMatching
    parameters = {"weight": 0.5, "layer": "down1"}


class TestBatchNorm(TrickContract):
    trick = BatchNorm
    parameters = {"placement": "none"}


class TestBatchNormEverywhere(TrickContract):
    trick = BatchNorm
    parameters = {
        "placement": "both",
        "output_layer": True,
        "input_layer": True,
        "position": "after",
    }


class TestBatchNormOnMLP(TrickContract):
    trick = BatchNorm
    architecture = "mlp"
    parameters = {"placement": "both"}


def norms(architecture="dcgan-upsample", **parameters):
    config = tiny_config({"batch_norm": parameters}, architecture)
    trial = Trial(config, 0, tiny_data((1, 16, 16)), Host(), torch.device("cpu"))
    pair = trial.pairs[0].pair
    return {
        role: [
            name.removeprefix("blocks.")
            for name, layer in net.named_modules()
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
        ]
        for role, net in (("G", pair.generator), ("D", pair.discriminator))
    }


G, D = ["project.norm", "up1.norm"], ["down2.norm"]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"placement": "architecture"}, {"G": G, "D": D}),
        ({"placement": "both"}, {"G": G, "D": D}),
        ({"placement": "generator"}, {"G": G, "D": []}),
        ({"placement": "discriminator"}, {"G": [], "D": D}),
        ({"placement": "none"}, {"G": [], "D": []}),
        ({"placement": "both", "output_layer": True}, {"G": [*G, "output.norm"], "D": D}),
        ({"placement": "both", "input_layer": True}, {"G": G, "D": ["down1.norm", *D]}),
    ],
)
def test_batch_norm_stands_where_its_placement_says(parameters, expected):
    assert norms(**parameters) == expected


def test_both_is_what_the_dcgan_paper_builds_weight_for_weight():
    def state(parameters):
        config = tiny_config({"batch_norm": parameters} if parameters else {})
        trial = Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))
        trial.advance(3)
        return trial.sample(8)

    assert torch.equal(state({"placement": "both"}), state(None))


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("before", ["linear", "shape", "norm", "activation"]),
        ("after", ["linear", "shape", "activation", "norm"]),
    ],
)
def test_position_is_about_the_activation(position, expected):
    config = tiny_config({"batch_norm": {"placement": "both", "position": position}})
    trial = Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))
    generator = trial.pairs[0].pair.generator
    assert [name for name, _ in generator.project.named_children()] == expected


def test_momentum_is_the_weight_of_the_newest_batch():
    config = tiny_config({"batch_norm": {"placement": "both", "momentum": 0.3}})
    trial = Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))
    assert trial.pairs[0].pair.generator.project.norm.momentum == 0.3
