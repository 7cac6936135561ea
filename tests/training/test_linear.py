"""``execution.onednn_linear``: oneDNN computes the products of large dense layers on a CPU."""

import shutil

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad, grad
from torch.nn.utils import parametrizations
from torch.utils.flop_counter import FlopCounterMode

from ganbench.config.model import Execution, Latent
from ganbench.plugin import Host
from ganbench.testing import tiny_config, tiny_data
from ganbench.training import Company, Trial
from ganbench.training.linear import AVAILABLE, WORTHWHILE, OneDnnLinear, product, use_onednn

has_onednn = pytest.mark.skipif(not AVAILABLE, reason="PyTorch has no oneDNN here")
needs_compiler = pytest.mark.skipif(
    not any(shutil.which(name) for name in ("c++", "g++", "clang++")), reason="no C++ compiler"
)
ROWS, WIDTH = 64, 256
"""A product of these is worth it, and one of half the width is not."""
PRODUCT = torch.ops.ganbench.onednn_product
NORMS = {"rtol": 1e-4, "atol": 1e-5}


def two_alike(inputs=WIDTH, outputs=WIDTH, bias=True):
    """Return a dense layer by oneDNN, and PyTorch's with the same weights."""
    torch.manual_seed(0)
    plain, ours = (nn.Linear(inputs, outputs, bias=bias) for _ in range(2))
    ours.load_state_dict(plain.state_dict())
    use_onednn(ours)
    return ours, plain


def products(action):
    """Return how many products oneDNN computes, and how many operations all take."""
    with FlopCounterMode(display=False) as counter:
        action()
    found = counter.get_flop_counts()["Global"]
    each = 2 * ROWS * WIDTH * WIDTH
    assert all(count % each == 0 for count in found.values())
    return found.get(PRODUCT, 0) // each, counter.get_total_flops() // each


def penalised(layer, x):
    """Return a loss whose gradient needs a second derivative: a gradient penalty."""
    judged = torch.tanh(layer(x)).square()
    (slopes,) = grad(judged.sum(), x, create_graph=True)
    return judged.mean() + (slopes.norm(dim=1) - 1).square().mean()


def unrolled(layer, x):
    """Return a loss after a step of descent that is itself differentiated."""
    names = dict(layer.named_parameters())
    slopes = grad(torch.tanh(layer(x)).mean(), names.values(), create_graph=True)
    moved = {name: p - 10 * slope for (name, p), slope in zip(names.items(), slopes, strict=True)}
    return torch.tanh(torch.func.functional_call(layer, moved, (x,))).square().mean()


@has_onednn
@pytest.mark.parametrize("loss", [penalised, unrolled])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_gives_what_pytorchs_gives_with_first_and_second_derivatives(loss, bias):
    ours, plain = two_alike(outputs=WIDTH + 1, bias=bias)
    x = torch.randn(ROWS, WIDTH, requires_grad=True)
    torch.testing.assert_close(ours(x), plain(x), **NORMS)
    found = grad(loss(ours, x), [x, *ours.parameters()])
    expected = grad(loss(plain, x), [x, *plain.parameters()])
    for one, other in zip(found, expected, strict=True):
        assert other.abs().max() > 0
        # Rounding is relative to the sums, not to each of their elements.
        torch.testing.assert_close(one / other.norm(), other / other.norm(), rtol=0, atol=1e-6)


@has_onednn
def test_third_derivatives_are_right_too():
    """The curvature of a product's cube: d³ (x w)³ / dx³ = 6 w³."""
    x = torch.linspace(-1, 1, 3)[:, None].requires_grad_()
    w = torch.tensor([[2.0]])
    found = product(x, w) ** 3
    for _ in range(3):
        (found,) = grad(found.sum(), x, create_graph=True)
    torch.testing.assert_close(found, torch.full((3, 1), 48.0))


@has_onednn
@pytest.mark.parametrize(
    ("of_input", "of_weights", "expected"), [(True, False, 1), (False, True, 1), (True, True, 2)]
)
def test_gradients_that_nobody_asks_for_are_left_out(of_input, of_weights, expected):
    layer, _ = two_alike()
    x = torch.randn(ROWS, WIDTH, requires_grad=True)
    wanted = [x] * of_input + [layer.weight] * of_weights
    y = layer(x)
    assert products(lambda: grad(y.sum(), wanted)) == (expected, expected)


@has_onednn
def test_without_gradients_there_is_one_product_and_no_graph():
    layer, _ = two_alike()
    x = torch.randn(ROWS, WIDTH)
    with torch.no_grad():
        assert products(lambda: layer(x)) == (1, 1)
        assert layer(x).grad_fn is None
    layer.requires_grad_(False)
    assert not layer(x).requires_grad


@has_onednn
@pytest.mark.parametrize("of_input", [True, False])
@pytest.mark.parametrize("trained", [("weight", "bias"), ("weight",), ("bias",), ()])
def test_what_comes_after_may_work_in_place_whatever_is_trained(of_input, trained):
    x = torch.randn(ROWS, WIDTH, requires_grad=of_input)
    results = []
    for layer in two_alike():
        wanted = [x] * of_input
        for name, parameter in layer.named_parameters():
            parameter.requires_grad_(name in trained)
            wanted += [parameter] * (name in trained)
        y = nn.functional.leaky_relu_(layer(x), 0.2)
        assert y.requires_grad == bool(wanted)
        results.append([y, *(grad(y.square().mean(), wanted) if wanted else ())])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, **NORMS)


@has_onednn
@pytest.mark.parametrize("changed", ["weight", "input"])
def test_what_was_changed_since_gives_no_wrong_gradient(changed):
    """As PyTorch's layer: an optimizer may have taken a step between the passes."""
    layer, _ = two_alike()
    x = torch.randn(ROWS, WIDTH, requires_grad=True)
    inside = x * 1
    y = layer(inside)
    with torch.no_grad():
        (layer.weight if changed == "weight" else inside).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        grad(y.sum(), [x, layer.weight])


def small(layer):
    return layer(torch.randn(WORTHWHILE // WIDTH**2 - 1, WIDTH))


def in_more_dimensions(layer):
    return layer(torch.randn(1, ROWS, WIDTH))


def in_double_precision(layer):
    return layer.double()(torch.randn(ROWS, WIDTH, dtype=torch.float64))


def in_mixed_precision(layer):
    with torch.autocast("cpu", torch.bfloat16):
        return layer(torch.randn(ROWS, WIDTH))


def vectorised(layer):
    return torch.vmap(layer)(torch.randn(2, ROWS, WIDTH))


def in_forward_mode(layer):
    with forward_ad.dual_level():
        x = forward_ad.make_dual(torch.randn(ROWS, WIDTH), torch.ones(ROWS, WIDTH))
        assert forward_ad.unpack_dual(layer(x)).tangent.norm() > 0


ELSEWHERE = (
    *(small, in_more_dimensions, in_double_precision),
    *(in_mixed_precision, vectorised, in_forward_mode),
)


@pytest.mark.filterwarnings("ignore:.torch.jit.script:FutureWarning")  # forward mode's own
@pytest.mark.parametrize("call", ELSEWHERE)
def test_elsewhere_a_layer_is_pytorchs_own(call):
    layer, _ = two_alike()
    with FlopCounterMode(display=False) as counter:
        call(layer)
    assert set(counter.get_flop_counts()["Global"]) <= {
        torch.ops.aten.addmm,
        torch.ops.aten.mm,
        torch.ops.aten.baddbmm,
        torch.ops.aten.bmm,
    }
    assert counter.get_total_flops() > 0


def test_inputs_that_do_not_fit_are_told_by_pytorch():
    layer, _ = two_alike()
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        layer(torch.randn(2 * ROWS, WIDTH // 2))


def test_without_onednn_a_layer_is_pytorchs_to_the_bit(monkeypatch):
    monkeypatch.setattr("ganbench.training.linear.AVAILABLE", False)
    ours, plain = two_alike()
    x = torch.randn(ROWS, WIDTH)
    assert torch.equal(ours(x), plain(x))


def test_layers_stay_the_same_modules_and_others_are_left_alone():
    plain = nn.Linear(2, 2)
    computed = parametrizations.spectral_norm(nn.Linear(2, 2))
    net = nn.Sequential(plain, computed, nn.Conv1d(1, 1, 1))
    names = list(net.state_dict())
    use_onednn(net)
    assert net[0] is plain
    assert type(plain) is OneDnnLinear
    assert not isinstance(computed, OneDnnLinear)
    assert list(net.state_dict()) == names


def trial(wanted, tricks=None, seed=0, **execution):
    config = tiny_config(
        tricks,
        "mlp",
        {"hidden": WIDTH},
        batch_size=ROWS,
        latent=Latent(dimension=WIDTH, reuse=True),
        execution=Execution(onednn_linear=wanted, join_batches=True, **execution),
    )
    return Trial(config, seed, tiny_data(items=200), Host(), torch.device("cpu"))


@has_onednn
@pytest.mark.parametrize("tricks", [{}, {"gradient_penalty": {}}, {"unrolled": {}}])
def test_an_arm_with_it_trains_alike_and_is_another_arm(tricks):
    ours, plain = trial(True, tricks), trial(False, tricks)
    for run in (ours, plain):
        run.advance(5)
    torch.testing.assert_close(ours.loss_log, plain.loss_log, rtol=1e-4, atol=1e-4)
    assert ours.config.key() != plain.config.key()
    assert "onednn_linear" not in ours.execution.get("without_effect", {})


@has_onednn
def test_a_step_computes_no_gradient_of_ds_weights_in_gs_half():
    """Most products of a step are oneDNN's, and there are as many as in a plain step."""
    counts = []
    for run in (trial(True), trial(False)):
        run.advance(2)
        with FlopCounterMode(display=False) as counter:
            run.advance(1)
        counts.append(counter)
    ours, plain = counts
    assert ours.get_total_flops() == plain.get_total_flops()
    assert PRODUCT not in plain.get_flop_counts()["Global"]
    by_onednn = ours.get_flop_counts()["Global"][PRODUCT]
    assert by_onednn > 0.5 * ours.get_total_flops()


@has_onednn
@pytest.mark.parametrize("backend", ["eager", pytest.param("compiled", marks=needs_compiler)])
def test_captured_and_stacked_steps_have_it_too(backend):
    alone = [trial(True, seed=seed) for seed in (0, 1)]
    both = [trial(True, seed=seed, backend=backend, together=2) for seed in (0, 1)]
    company = Company(both, 2)
    for run in alone:
        run.advance(5)
    company.advance(5)
    for one, other in zip(alone, both, strict=True):
        assert other.execution["backend"] == f"{backend}, 2 trials at once"
        assert "reason" not in other.execution
        torch.testing.assert_close(one.loss_log, other.loss_log, rtol=1e-4, atol=1e-5)
    counts = []
    for run in (alone[0], company):
        with FlopCounterMode(display=False) as counter:
            run.advance(1)
        counts.append(counter.get_flop_counts()["Global"][PRODUCT])
    assert counts[1] == 2 * counts[0]
