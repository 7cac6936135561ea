"""BatchNorm over the channels of several trials: each has what the operator gives it alone."""

import pytest
import torch
from surface_trials import make
from test_together import FOUR, TAKEN, alone, train, trials
from torch.utils._pytree import tree_flatten

from ganbench.config.model import Execution
from ganbench.testing import differing, weights
from ganbench.training.folding import folded

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
FORWARD = torch.ops.aten.native_batch_norm.default
BACKWARD = torch.ops.aten.native_batch_norm_backward.default
ROWS, CHANNELS = 3, 5
TYPES = [
    (torch.float64, torch.float64),
    (torch.float32, torch.float32),
    (torch.bfloat16, torch.float32),
    (torch.bfloat16, torch.bfloat16),
]


class WithScratch:
    """The operators as cuDNN's are: they hand on scratch memory of all channels at once."""

    def __init__(self, of_cudnn, function):
        self._schema, self._function = of_cudnn.default._schema, function

    def __call__(self, *args):
        return self._function(*args)


def flat(*args):
    """Return what ``folded`` takes, each tensor a stack."""
    values, structure = tree_flatten((args, {}))
    return values, [isinstance(value, torch.Tensor) for value in values], structure


def draw(*shape, dtype):
    return torch.randn(ROWS, *shape, dtype=torch.float64).to(dtype)


def expect_rows(found, expected):
    """Compare stacks with a list of what each row has alone."""
    for ours, theirs in zip(found, zip(*expected, strict=True), strict=True):
        if ours is None:
            assert set(theirs) == {None}
            continue
        for row, alone_ in zip(ours, theirs, strict=True):
            assert row.shape == alone_.shape
            assert row.dtype == alone_.dtype
            torch.testing.assert_close(row, alone_)


@pytest.mark.parametrize("size", [(), (4, 3)], ids=["features", "maps"])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("images", "numbers"), TYPES, ids=str)
def test_values_gradients_statistics_and_types_are_the_operators_own(
    images, numbers, training, size
):
    torch.manual_seed(1)
    x, grad = (draw(7, CHANNELS, *size, dtype=images) for _ in range(2))
    weight, bias, mean = (draw(CHANNELS, dtype=numbers) for _ in range(3))
    variance = draw(CHANNELS, dtype=numbers).square()
    settings = (training, 0.1, 1e-5)
    own = [(m.clone(), v.clone()) for m, v in zip(mean, variance, strict=True)]
    expected = [
        FORWARD(x[row], weight[row], bias[row], *own[row], *settings) for row in range(ROWS)
    ]
    found = folded(FORWARD, *flat(x, weight, bias, mean, variance, *settings))
    expect_rows(found, expected)
    expect_rows((mean, variance), own)

    wanted = (training, 1e-5, [True, training, True])
    gradients = [
        BACKWARD(grad[row], x[row], weight[row], *own[row], *expected[row][1:], *wanted)
        for row in range(ROWS)
    ]
    saved = [torch.stack(kept) for kept in list(zip(*expected, strict=True))[1:]]
    expect_rows(
        folded(BACKWARD, *flat(grad, x, weight, mean, variance, *saved, *wanted)), gradients
    )


def test_without_weights_and_statistics_it_is_the_mean_and_the_deviation():
    torch.manual_seed(1)
    x = draw(7, CHANNELS, 4, dtype=torch.float64)
    found, mean, scale = folded(FORWARD, *flat(x, None, None, None, None, True, 0.1, 0.0))
    torch.testing.assert_close(mean, x.mean((1, 3)))
    torch.testing.assert_close(scale, 1 / x.std((1, 3), correction=0))
    expected = (x - x.mean((1, 3), keepdim=True)) / x.std((1, 3), correction=0, keepdim=True)
    torch.testing.assert_close(found, expected)


def test_what_the_trials_have_in_common_is_each_ones():
    torch.manual_seed(1)
    x, weight = draw(7, CHANNELS, dtype=torch.float32), torch.randn(CHANNELS)
    values, stacks, structure = flat(x, weight, None, None, None, True, 0.1, 1e-5)
    stacks[1] = False
    expected = [FORWARD(row, weight, None, None, None, True, 0.1, 1e-5) for row in x]
    expect_rows(folded(FORWARD, values, stacks, structure), expected)


def test_the_scratch_of_cudnn_is_handed_on_as_it_is():
    scratch = torch.tensor([1, 2, 3, 4], dtype=torch.uint8)
    given = []

    def forward(x, *rest):
        return (*FORWARD(x, *rest), scratch)

    def backward(x, grad, *rest):
        given.append((x.shape, rest[-1]))
        return (grad, rest[0], rest[0])

    x = draw(7, CHANNELS, 4, 3, dtype=torch.float32)
    weight, bias = (draw(CHANNELS, dtype=torch.float32) for _ in range(2))
    of_cudnn = WithScratch(torch.ops.aten.cudnn_batch_norm, forward)
    *found, kept = folded(of_cudnn, *flat(x, weight, bias, None, None, True, 0.1, 1e-5))
    expected = [
        FORWARD(x[row], weight[row], bias[row], None, None, True, 0.1, 1e-5) for row in range(ROWS)
    ]
    expect_rows(found, expected)
    assert kept is scratch
    of_cudnn = WithScratch(torch.ops.aten.cudnn_batch_norm_backward, backward)
    gradients = folded(of_cudnn, *flat(x, x, weight, None, None, *found[1:], 1e-5, kept))
    assert given == [((7, ROWS * CHANNELS, 4, 3), scratch)]
    assert torch.equal(gradients[0], x)
    assert torch.equal(gradients[1], weight)


@pytest.mark.parametrize(
    ("architecture", "settings"),
    [("dcgan-transpose", {}), ("dcgan-upsample", {"channels_last": True})],
)
def test_bfloat16_with_batch_norm_is_taken_together(architecture, settings):
    execution = Execution(together=4, amp="bf16", **settings)
    ours = trials(execution=execution, architecture=architecture)
    train(ours, 12)
    solos = trials(execution=Execution(amp="bf16", **settings), architecture=architecture)
    for run, solo in zip(ours, solos, strict=True):
        solo.advance(12)
        assert run.execution == TAKEN
        # Numbers of eight bits, added in another order.
        torch.testing.assert_close(run.loss_log, solo.loss_log, rtol=2**-8, atol=2**-8)
        trained = weights(run)
        assert {name: value.dtype for name, value in weights(solo).items()} == {
            name: value.dtype for name, value in trained.items()
        }


def test_in_bfloat16_who_else_is_there_makes_no_difference_to_a_bit():
    execution = Execution(together=4, amp="bf16")
    groups = [
        trials(seeds=seeds, execution=execution, architecture="dcgan-transpose")
        for seeds in ((7, 8, 9), (7,), (2, 4, 5, 7))
    ]
    for runs in groups:
        train(runs, 6)
    of_seven = [groups[0][0], groups[1][0], groups[2][3]]
    for other in of_seven:
        assert other.execution == TAKEN
        assert differing(weights(of_seven[0]), weights(other)) == []


def test_statistics_of_an_undeclared_layer_are_not_written_in_a_graph():
    # The operator does not say that it writes to them.
    hidden = make(
        "hidden",
        make_buffers=lambda self, ctx: self.__dict__.update(kept=[torch.nn.BatchNorm2d(1)]) or {},
        transform_images=lambda self, x, is_real, buf: self.kept[0](x),
    )
    ours = trials(hidden, execution=FOUR)
    train(ours, 5)
    assert "writes to a tensor that is no declared buffer" in ours[0].execution["reason"]
    for run, solo in zip(ours, alone(hidden), strict=True):
        solo.advance(5)
        assert differing(weights(run), weights(solo)) == []
