"""Optimizers are those that a study names, whatever the layout of the gradients."""

import copy

import numpy as np
import pytest
import torch

from ganbench.config.model import Optimizer as Settings
from ganbench.plugin import OptimizerSpec
from ganbench.training.optimizers import make_optimizer, optimizer_spec, set_gradients

SPECS = {
    "adam": OptimizerSpec("adam", {"lr": 0.1, "betas": (0.5, 0.9)}),
    "adamw": OptimizerSpec("adamw", {"lr": 0.1, "weight_decay": 0.1}),
    "sgd": OptimizerSpec("sgd", {"lr": 0.1, "momentum": 0.5}),
    "rmsprop": OptimizerSpec("rmsprop", {"lr": 0.1}),
}
KINDS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
GRADIENTS = {
    "transposed": torch.arange(36.0).reshape(6, 6).t() / 36,
    "expanded": torch.tensor(0.5).expand(6, 6),
    "double": torch.arange(36.0, dtype=torch.float64).reshape(6, 6) / 36,
}


@pytest.mark.parametrize("layout", GRADIENTS)
@pytest.mark.parametrize("name", SPECS)
def test_a_gradients_layout_does_not_change_the_update(name, layout):
    start = torch.linspace(-1, 1, 36).reshape(6, 6)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    optimizer = make_optimizer(SPECS[name], [ours])
    # The reference: PyTorch's plain implementation on a plain gradient.
    reference = KINDS[name](
        [theirs], **SPECS[name].arguments, **({} if name == "rmsprop" else {"fused": False})
    )
    for _ in range(3):
        set_gradients([ours], [GRADIENTS[layout]])
        optimizer.step()
        theirs.grad = GRADIENTS[layout].float().contiguous()
        reference.step()
    torch.testing.assert_close(ours, theirs)


def test_a_channels_last_weight_gradient_is_brought_into_the_weights_layout():
    weight = torch.nn.Parameter(torch.zeros(4, 3, 2, 2))
    gradient = torch.arange(48.0).reshape(4, 3, 2, 2)
    set_gradients([weight], [gradient.to(memory_format=torch.channels_last)])
    assert weight.grad.stride() == weight.stride()
    assert torch.equal(weight.grad, gradient)


def trained(settings, gradients, start=1.0):
    """Return the values of one weight after each update."""
    weight = torch.nn.Parameter(torch.tensor([start]))
    optimizer = make_optimizer(optimizer_spec(settings), [weight])
    values = []
    for gradient in gradients:
        set_gradients([weight], [torch.tensor([gradient])])
        optimizer.step()
        values.append(weight.item())
    return values


GIVEN = [0.5, -0.25, 2.0, 0.125]


def test_rmsprop_is_keras_own_with_its_rho_epsilon_and_decay():
    # Keras 2: a = rho a + (1 - rho) g^2; p -= lr / (1 + decay t) * g / (sqrt(a) + epsilon).
    rho, epsilon, decay, lr, value, square = 0.9, 1e-3, 0.5, 0.1, 1.0, 0.0
    expected = []
    for t, g in enumerate(GIVEN):
        square = rho * square + (1 - rho) * g**2
        value -= lr / (1 + decay * t) * g / (np.sqrt(square) + epsilon)
        expected.append(value)
    settings = Settings(name="rmsprop", lr=lr, alpha=rho, eps=epsilon, decay=decay)
    assert trained(settings, GIVEN) == pytest.approx(expected, rel=1e-5)


def test_exponential_decay_is_pylearn2s():
    # pylearn2: after t updates the rate is lr / factor^t; plain SGD with a constant gradient.
    expected = 1.0 - 0.1 * np.cumsum([1 / 1.5**t for t in range(5)])
    settings = Settings(name="sgd", lr=0.1, decay=0.5, decay_law="exponential")
    assert trained(settings, [1.0] * 5) == pytest.approx(list(expected), rel=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_divides_by_the_root_plus_eps(name):
    # The first update of Adam: m / (1 - b1) = g and v / (1 - b2) = g^2, so g / (|g| + eps).
    (value,) = trained(Settings(name=name, lr=0.1, eps=0.5), [0.5])
    assert value == pytest.approx(1.0 - 0.1 * 0.5 / (0.5 + 0.5), rel=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop"])
def test_defaults_are_pytorchs_own(name):
    weight = torch.nn.Parameter(torch.ones(1))
    ours = make_optimizer(optimizer_spec(Settings(name=name)), [weight]).param_groups[0]
    theirs = KINDS[name]([weight]).param_groups[0]
    for key in {"eps", "alpha", "weight_decay", "momentum"} & theirs.keys() - {"weight_decay"}:
        assert ours[key] == theirs[key]
    assert "updates" not in ours


def test_a_decayed_rate_goes_on_from_a_state_dict():
    settings = Settings(name="sgd", lr=0.1, decay=0.5)
    weights = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    first, second = (make_optimizer(optimizer_spec(settings), [w]) for w in weights)
    for _ in range(3):
        set_gradients([weights[0]], [torch.ones(1)])
        first.step()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    weights[1].data.copy_(weights[0].data)
    for weight, optimizer in zip(weights, (first, second), strict=True):
        set_gradients([weight], [torch.ones(1)])
        optimizer.step()
    assert torch.equal(*weights)
    assert second.param_groups[0]["lr"] == 0.1 / (1 + 0.5 * 3)
