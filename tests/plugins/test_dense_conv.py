"""dense-conv, layer by layer against the code of the WGAN paper."""

import numpy as np
import pytest
import torch
from other_systems import build, each_block, layers, maps, refusal
from torch import nn

COLOUR = (3, 64, 64)


def test_every_layer_has_the_codes_weights():
    pair = build("dense-conv", COLOUR)
    assert each_block(pair.generator) == {
        "hidden1": 100 * 512 + 512,
        "hidden2": 512 * 512 + 512,
        "hidden3": 512 * 512 + 512,
        "output": 512 * 12288 + 12288,
    }
    assert each_block(pair.discriminator.blocks) == {
        "down1": 3 * 64 * 16,
        "down2": 64 * 128 * 16 + 2 * 128,
        "down3": 128 * 256 * 16 + 2 * 256,
        "down4": 256 * 512 * 16 + 2 * 512,
    }
    # The code's last layer: a 4x4 convolution of a 4x4 map to one number, without bias.
    assert each_block(pair.discriminator)["head"] == 512 * 4 * 4
    assert maps(pair, COLOUR) == [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]


def test_ds_weights_are_drawn_and_gs_are_pytorchs_own():
    pair = build("dense-conv", COLOUR)
    assert pair.discriminator.blocks.down4.conv.weight.std().item() == pytest.approx(0.02, rel=0.01)
    assert pair.discriminator.head.weight.std().item() == pytest.approx(0.02, rel=0.05)
    # nn.Linear's own: U(-1 / sqrt(inputs), 1 / sqrt(inputs)), biases too.
    for layer in layers(pair.generator, nn.Linear):
        reach = 1 / np.sqrt(layer.in_features)
        assert layer.weight.abs().max().item() == pytest.approx(reach, rel=0.01)
        assert 0 < layer.bias.abs().max().item() <= reach


def test_what_g_ends_in_is_chosen():
    latents = 1e3 * torch.randn(8, 5)
    ends = {
        output: build("dense-conv", (1, 16, 16), latent=5, output=output).generator(latents)
        for output in ("tanh", "linear")
    }
    torch.testing.assert_close(ends["tanh"], ends["linear"].tanh())
    assert ends["linear"].abs().max() > 1


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 8, 8), (3, 48, 48), (2,)])
def test_what_does_not_fit_is_told(shape):
    assert "a power of two, 16 or more" in refusal("dense-conv", shape)
