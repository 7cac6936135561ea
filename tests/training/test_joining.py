"""``execution.join_batches``: D judges real and fake images as one batch."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm

from ganbench.config.model import Execution
from ganbench.plugin import Discriminator, Host
from ganbench.testing import BATCH, tiny_config, tiny_data
from ganbench.training import Trial
from ganbench.training.joining import judges_each_alone

JOINED = Execution(join_batches=True)


def mlp(execution, tricks=None, architecture="mlp"):
    config = tiny_config(tricks, architecture, execution=execution)
    return Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))


def sizes_of_batches(running):
    """Return how many images D is shown in each of its forward passes of a step."""
    sizes = []
    shown = running.pairs[0].pair.discriminator
    handle = shown.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    running.advance(1)
    handle.remove()
    return sizes


@pytest.mark.parametrize(
    ("tricks", "architecture", "expected"),
    [
        ({}, "mlp", [2 * BATCH, BATCH]),
        ({"label_smoothing": {"real": 0.9}}, "mlp", [2 * BATCH, BATCH]),
        ({"batch_norm": {"placement": "discriminator"}}, "mlp", [BATCH] * 3),
        ({"spectral_norm": {}}, "mlp", [BATCH] * 3),
        ({}, "dcgan-upsample", [BATCH] * 3),
    ],
)
def test_d_judges_one_batch_where_it_judges_each_image_alone(tricks, architecture, expected):
    assert sizes_of_batches(mlp(JOINED, tricks, architecture)) == expected
    assert sizes_of_batches(mlp(Execution(), tricks, architecture)) == [BATCH] * 3


def test_it_trains_alike_and_is_another_arm():
    joined, plain = mlp(JOINED), mlp(Execution())
    for run in (joined, plain):
        run.advance(5)
    torch.testing.assert_close(joined.loss_log, plain.loss_log, rtol=1e-4, atol=1e-5)
    assert joined.config.key() != plain.config.key()


def rows(*layers):
    return nn.Sequential(nn.Conv2d(2, 4, 3), *layers)


@pytest.mark.parametrize(
    "layers",
    [
        [nn.LeakyReLU(0.2), nn.AvgPool2d(2), nn.Flatten(), nn.LayerNorm(4)],
        [nn.GroupNorm(2, 4), nn.MaxPool2d(2), nn.Flatten()],
        [nn.ZeroPad2d(1), nn.Upsample(scale_factor=2), nn.Tanh(), nn.ConvTranspose2d(4, 2, 2)],
    ],
)
def test_what_is_known_to_judge_each_alone_gives_each_what_it_gives_it_in_a_batch(layers):
    net = rows(*layers).double()
    assert judges_each_alone(net)
    x = torch.randn(6, 2, 4, 4, dtype=torch.float64)
    alone = torch.cat([net(one[None]) for one in x])
    torch.testing.assert_close(net(x), alone, rtol=1e-12, atol=1e-12)


class Own(nn.ReLU):
    """Does more than its base."""


def with_forward_of_its_own():
    layer = nn.ReLU()
    layer.forward = lambda x: x - x.mean(0)
    return layer


@pytest.mark.parametrize(
    "layer",
    [
        nn.BatchNorm2d(4),
        nn.Dropout(),
        nn.InstanceNorm2d(4, track_running_stats=True),
        spectral_norm(nn.Conv2d(4, 4, 1)),
        parametrizations.spectral_norm(nn.Conv2d(4, 4, 1)),
        Own(),
        with_forward_of_its_own(),
    ],
)
def test_what_looks_across_a_batch_or_draws_or_is_unknown_is_not_known_to(layer):
    assert judges_each_alone(Discriminator(rows(), nn.Linear(4, 1)))
    assert not judges_each_alone(Discriminator(rows(layer), nn.Linear(4, 1)))


def test_a_hook_on_a_layer_may_do_anything():
    layer = nn.ReLU()
    layer.register_forward_hook(lambda module, inputs, output: output - output.mean(0))
    assert not judges_each_alone(rows(layer))
