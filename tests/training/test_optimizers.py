"""Gradients of any layout reach the fused kernels as backward() would have left them."""

import pytest
import torch

from ganbench.plugin import OptimizerSpec
from ganbench.training.optimizers import make_optimizer, set_gradients

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
