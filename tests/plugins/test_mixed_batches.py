"""Mixed batches: what D's BatchNorm sees, and that nothing else sees a difference."""

import numpy as np
import pytest
import torch
from ganbench_plugins.tricks.mixed_batches import MixedBatches, judge_together, judges_alone
from torch import nn

from ganbench.plugin import Host
from ganbench.testing import TrickContract, tiny_config, tiny_data
from ganbench.training import NotApplicableError, Trial


class TestMixedBatches(TrickContract):
    trick = MixedBatches


class TestMixedBatchesOfPacks(TrickContract):
    trick = MixedBatches
    with_tricks = {"packing": {"images": 2}, "instance_noise": {"start": 0.1}}


def test_batch_norm_normalises_by_both_kinds_together():
    # numpy: one mean and one deviation over real and fake, in place of one each.
    real, fake = np.random.default_rng(0).normal([[[0.0]], [[3.0]]], 1, size=(2, 6, 1))
    both = np.concatenate([real, fake])
    expected = (both - both.mean()) / np.sqrt(both.var() + 1e-5)
    norm = nn.BatchNorm1d(1).double()
    got = judge_together(norm, torch.from_numpy(real), torch.from_numpy(fake))
    np.testing.assert_allclose(torch.cat(got).detach().numpy(), expected)
    assert norm.num_batches_tracked == 1


@pytest.mark.parametrize("sizes", [(4, 4), (4, 2)])
def test_logits_come_back_to_their_images(sizes):
    real, fake = torch.arange(10.0)[:, None].split([sizes[0], 10 - sizes[0]])
    fake = fake[: sizes[1]]
    got = judge_together(lambda x: 2 * x, real, fake)
    assert torch.equal(got[0], 2 * real)
    assert torch.equal(got[1], 2 * fake)


@pytest.mark.parametrize(
    ("tricks", "architecture"),
    [
        ({}, "mlp"),
        ({"batch_norm": {"placement": "none"}}, "dcgan-upsample"),
        ({"batch_norm": {"placement": "generator"}, "spectral_norm": {}}, "dcgan-upsample"),
        ({"batch_norm": {"placement": "none"}, "packing": {}}, "dcgan-upsample"),
        ({"batch_norm": {"placement": "none"}}, "lapgan"),
        # Each item is normalised by the reference and itself.
        ({"virtual_batch_norm": {"networks": "discriminator"}}, "dcgan-upsample"),
        # Maxout is no layer of PyTorch's, and looks at one item all the same.
        ({}, "goodfellow-mlp"),
    ],
)
def test_without_layers_across_the_batch_it_is_not_applicable(tricks, architecture):
    with pytest.raises(NotApplicableError, match="no layer that looks across the batch"):
        trial({"mixed_batches": {}, **tricks}, architecture)


@pytest.mark.parametrize("others", [{}, {"spectral_norm": {}}, {"packing": {}}])
@pytest.mark.parametrize("trick", ["batch_norm", "minibatch_discrimination"])
def test_layers_that_tricks_put_in_are_seen(trick, others):
    trial({"mixed_batches": {}, trick: {}, **others}, "mlp").advance(1)


class FromZero(nn.Module):
    """Compares items with their mean, by a factor that begins at 0."""

    def __init__(self):
        super().__init__()
        self.factor = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x + self.factor * (x - x.mean(0))


@pytest.mark.parametrize(
    ("layer", "alone"),
    [
        (nn.Identity(), True),
        (nn.Dropout(0.5), True),
        (nn.LayerNorm(6), True),
        (nn.BatchNorm1d(6), False),
        (FromZero(), False),
    ],
)
def test_what_a_layer_does_decides_and_the_network_is_left_alone(layer, alone):
    net = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(5, 6)), layer)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    stream = torch.get_rng_state()
    assert judges_alone(net.eval(), torch.randn(4, 5, generator=torch.Generator()), None) is alone
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), stream)
    assert not net.training


@pytest.mark.parametrize(
    "tricks", [{}, {"virtual_batch_norm": {"networks": "both"}, "batch_norm": {}}]
)
def test_there_only_rounding_would_change(tricks, monkeypatch):
    monkeypatch.setattr(MixedBatches, "skip", lambda *_: (False, ""))
    made = [
        trial({"mixed_batches": {"mode": mode}, **tricks}, "mlp") for mode in ("separate", "mixed")
    ]
    for one in made:
        one.advance(one.steps)
    torch.testing.assert_close(made[1].loss_log, made[0].loss_log, rtol=1e-4, atol=1e-5)


def trial(tricks, architecture):
    config = tiny_config(tricks, architecture)
    return Trial(config, 0, tiny_data(), Host(), torch.device("cpu"))
