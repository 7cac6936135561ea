"""Keras' padding, transposed convolutions and weights, against definitions in NumPy."""

import numpy as np
import pytest
import torch
from ganbench_plugins.architectures._keras import crop_same, glorot, pad_same, same_padding
from torch import nn


def direct(x, kernel, stride, before, out):
    """Convolve one axis by hand: out[i] = sum_k kernel[k] * x[i * stride + k - before]."""
    taps = range(len(kernel))
    at = [[i * stride + k - before for k in taps] for i in range(out)]
    value = [[x[j] if 0 <= j < len(x) else 0.0 for j in row] for row in at]
    return np.array(value) @ kernel


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "expected"),
    # TensorFlow's documentation: total = (ceil(n / s) - 1) s + k - n, the greater half last.
    [(28, 3, 2, (0, 1)), (14, 3, 2, (0, 1)), (8, 3, 2, (0, 1)), (7, 3, 2, (1, 1)),
     (4, 3, 1, (1, 1)), (28, 5, 2, (1, 2)), (14, 5, 2, (1, 2)), (7, 5, 1, (2, 2)),
     (32, 4, 2, (1, 1))],
)  # fmt: skip
def test_same_padding_is_tensorflows(size, kernel, stride, expected):
    assert same_padding(size, kernel, stride) == expected


@pytest.mark.parametrize(("size", "kernel"), [(28, 3), (7, 3), (14, 5)])
def test_a_padded_convolution_is_the_one_by_hand(size, kernel):
    x, weights = np.random.default_rng(0).normal(size=size), np.arange(1.0, kernel + 1)
    conv = nn.Conv2d(1, 1, kernel, stride=2, bias=False)
    conv.weight.data.zero_()
    conv.weight.data[0, 0, same_padding(size, kernel, 2)[0]] = torch.tensor(weights).float()
    image = torch.zeros(1, 1, size, size)
    image[0, 0, 0] = torch.tensor(x).float()  # one row, which the kernel's row 0 of zeros meets
    row = conv(pad_same(size, kernel, 2)(image))[0, 0, 0]
    before, _ = same_padding(size, kernel, 2)
    expected = direct(x, weights, 2, before, -(-size // 2))
    np.testing.assert_allclose(row.detach().numpy(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("size", "stride"), [(7, 1), (7, 2), (14, 2), (5, 2)])
def test_a_transposed_convolution_is_the_gradient_of_the_padded_one(size, stride):
    """It is how TensorFlow defines the layer; PyTorch's own padding would shift it."""
    torch.manual_seed(0)
    big = size * stride
    forward = nn.Sequential(pad_same(big, 5, stride), nn.Conv2d(3, 2, 5, stride=stride, bias=False))
    backward = nn.ConvTranspose2d(2, 3, 5, stride=stride, bias=False)
    backward.weight.data.copy_(forward[1].weight.data)
    image = torch.randn(1, 3, big, big, requires_grad=True)
    small = torch.randn(1, 2, size, size)
    (gradient,) = torch.autograd.grad(forward(image), image, small)
    ours = crop_same(size, 5, stride)(backward(small))
    torch.testing.assert_close(ours, gradient)


@pytest.mark.parametrize(
    ("layer", "fans"),
    [
        (nn.Linear(300, 500), 300 + 500),
        (nn.Conv2d(20, 40, 5), 25 * (20 + 40)),
        (nn.ConvTranspose2d(40, 20, 5, bias=False), 25 * (20 + 40)),
    ],
)
def test_weights_are_glorots(layer, fans):
    torch.manual_seed(0)
    assert glorot(layer)
    reach = np.sqrt(6 / fans)
    assert layer.weight.abs().max().item() <= reach
    assert layer.weight.std().item() == pytest.approx(reach / np.sqrt(3), rel=0.02)
    assert layer.bias is None or layer.bias.abs().max() == 0
    assert not glorot(nn.BatchNorm2d(3))
