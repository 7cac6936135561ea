import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ganbench.config.model import Execution
from ganbench.plugin import Host
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import Trial
from ganbench.training.resizing import DoublingConv2d, merge_upsampling

CPU = torch.device("cpu")


def grown(features, size=None, bias=True):
    """Return a network that doubles maps of 4×4, in double precision, twice alike."""
    factor = {"scale_factor": 2} if size is None else {"size": size}
    torch.manual_seed(0)
    net = nn.Sequential(nn.Upsample(**factor), nn.Conv2d(6, features, 3, padding=1, bias=bias))
    same = nn.Sequential(nn.Upsample(**factor), nn.Conv2d(6, features, 3, padding=1, bias=bias))
    same.load_state_dict(net.state_dict())
    return net.double(), same.double()


def merged(net):
    """Return whether a network has a merged layer after all that can be was merged."""
    merge_upsampling(net)
    return any(isinstance(module, DoublingConv2d) for module in net.modules())


@pytest.mark.parametrize("features", [1, 4, 5, 16])
@pytest.mark.parametrize("size", [None, (8, 8), (7, 9), (4, 4)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_merged_layer_gives_what_its_two_layers_give_with_all_gradients(features, size, layout):
    one, two = grown(features, size)
    assert merged(one)
    x = torch.randn(3, 6, 4, 4, dtype=torch.float64)
    x = x.contiguous(memory_format=layout).requires_grad_()
    found, expected = one.to(memory_format=layout)(x), two(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn_like(expected)
    pairs = zip(
        torch.autograd.grad((found * weights).sum(), [x, *one.parameters()]),
        torch.autograd.grad((expected * weights).sum(), [x, *two.parameters()]),
        strict=True,
    )
    for ours, theirs in pairs:
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_the_products_are_fewer():
    one, two = grown(16)
    merge_upsampling(one)
    x = torch.randn(1, 6, 4, 4, dtype=torch.float64)
    counts = []
    for net in (one, two):
        with FlopCounterMode(display=False) as counter:
            net(x)
        counts.append(counter.get_flop_counts()["Global"])
    ours, theirs = counts
    assert theirs == {torch.ops.aten.convolution: 2 * 8 * 8 * 16 * 6 * 9}
    assert ours[torch.ops.aten.convolution] == 2 * 8 * 8 * 16 * 6 * 4


def test_parameters_are_the_same_ones_by_the_same_names():
    net, _ = grown(5)
    before = dict(net.named_parameters())
    merge_upsampling(net)
    after = dict(net.named_parameters())
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in before)
    assert list(net.state_dict()) == list(before)


def test_a_layer_without_bias_has_none():
    one, two = grown(3, bias=False)
    assert merged(one)
    x = torch.randn(1, 6, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(one(x), two(x))


@pytest.mark.parametrize(
    "layers",
    [
        [nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(2, 2, 3, padding=1)],
        [nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 5, padding=2)],
        [nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3, padding=1, stride=2)],
        [nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3, padding=1, groups=2)],
        [nn.Upsample(scale_factor=2), nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect")],
        [nn.Upsample(scale_factor=2), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1)],
        [
            nn.Upsample(scale_factor=2),
            nn.utils.parametrizations.spectral_norm(nn.Conv2d(2, 2, 3, padding=1)),
        ],
    ],
)
def test_what_does_more_or_something_else_is_left_alone(layers):
    assert not merged(nn.Sequential(*layers))


def test_mixed_precision_rounds_the_sums_of_weights_once():
    one, two = (net.float() for net in grown(5))
    merge_upsampling(one)
    x = torch.randn(3, 6, 4, 4)
    exact = two(x)
    with torch.autocast("cpu", torch.bfloat16):
        found, plain = one(x), two(x)
    assert found.dtype == torch.bfloat16
    error, plain_error = ((y - exact).abs().mean() for y in (found, plain))
    assert error < 1.5 * plain_error


def test_an_arm_with_it_trains_alike_and_is_another_arm():
    def trial(wanted, channels_last=False):
        execution = Execution(merge_upsampling=wanted, channels_last=channels_last)
        config = tiny_config(architecture="dcgan-upsample", execution=execution)
        return Trial(config, 0, tiny_data(), Host(), CPU)

    plain, one, both = trial(False), trial(True), trial(True, channels_last=True)
    kinds = [type(module) for module in one.pairs[0].pair.generator.modules()]
    assert kinds.count(DoublingConv2d) == 2
    for run in (plain, one, both):
        run.advance(3)
    for run in (one, both):
        torch.testing.assert_close(run.loss_log, plain.loss_log, rtol=1e-4, atol=1e-5)
    assert one.config.key() != plain.config.key()
