import pytest
import torch
from ganbench_plugins.architectures._resize import NearestUpsample, double
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

MAPS = {
    "doubled": ((3, 5, 4, 4), {"size": (8, 8)}, True),
    "doubled by a factor": ((3, 5, 7, 3), {"scale_factor": 2}, True),
    "one pixel": ((3, 5, 1, 1), {"size": (2, 2)}, False),
    "one channel": ((3, 1, 4, 4), {"size": (8, 8)}, False),
    "an odd size": ((3, 5, 4, 4), {"size": (7, 7)}, False),
    "doubled one way": ((3, 5, 4, 4), {"size": (8, 4)}, False),
    "another factor": ((3, 5, 4, 4), {"scale_factor": 3}, False),
    "unbatched lines": ((3, 5, 4), {"scale_factor": 2}, False),
}


@pytest.fixture(params=MAPS)
def case(request):
    return MAPS[request.param]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_maps_and_gradients_are_pytorch_s_own_to_the_last_bit(case, dtype, layout):
    shape, size, _ = case
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=dtype)
    x = (x.contiguous(memory_format=layout) if x.ndim == 4 else x).requires_grad_()
    ours, theirs = NearestUpsample(**size)(x), nn.Upsample(**size)(x)
    assert torch.equal(ours, theirs)
    assert ours.stride() == theirs.stride()
    weights = torch.randn_like(theirs)
    (found,) = torch.autograd.grad((ours * weights).sum(), x)
    (expected,) = torch.autograd.grad((theirs * weights).sum(), x)
    assert torch.equal(found, expected)


def test_what_is_not_doubled_in_the_usual_layout_is_left_to_pytorch(case):
    shape, size, is_ours = case
    x = torch.randn(shape, requires_grad=True)
    assert ("_Double" in type(NearestUpsample(**size)(x).grad_fn).__name__) == is_ours
    if x.ndim == 4:
        x = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        assert "_Double" not in type(NearestUpsample(**size)(x).grad_fn).__name__


def test_gradients_have_gradients():
    x = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(NearestUpsample(scale_factor=2), (x,))


def test_each_pixel_becomes_a_square():
    x = torch.arange(6.0).view(1, 1, 2, 3)
    rows = [[0.0, 0, 1, 1, 2, 2]] * 2 + [[3.0, 3, 4, 4, 5, 5]] * 2
    assert torch.equal(double(x), torch.tensor([[rows]]))


def test_a_trace_has_the_plain_operation():
    x = torch.randn(2, 3, 4, 4)
    graph = make_fx(NearestUpsample(scale_factor=2))(x).graph
    called = [str(node.target) for node in graph.nodes if node.op == "call_function"]
    assert [name.rpartition(".")[0] for name in called] == ["aten.upsample_nearest2d"]
