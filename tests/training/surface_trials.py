"""Tricks of a few lines, and tiny trials of them, for the tests of the hook surface."""

import torch

from ganbench.plugin import Host, Trick, TrickParameters
from ganbench.testing import STEPS, tiny_config, tiny_data
from ganbench.training import Trial, dump, load

CPU = torch.device("cpu")


def make(name, **members):
    return type(name, (Trick,), {"name": name, "neutral": TrickParameters(), **members})


def in_double():
    """Return a trick that has everything computed in float64."""
    return make(
        "in_double",
        transform_generator=lambda self, net, ctx: net.double(),
        transform_discriminator=lambda self, net, ctx: net.double(),
        transform_latent=lambda self, z, buf: z.double(),
        transform_images=lambda self, x, is_real, buf: x.double(),
        transform_targets=lambda self, t, is_real, role, buf: t.double(),
    )


def trial(*classes, seed=3, **changes):
    config = tiny_config({cls.name: {} for cls in classes}, **changes)
    return Trial(config, seed, tiny_data(), Host(classes=classes), CPU)


def resumed(*classes, **changes):
    whole, first, second = (trial(*classes, **changes) for _ in range(3))
    whole.advance(STEPS)
    first.advance(STEPS // 2)
    load(second, dump(first))
    second.advance(STEPS)
    return whole, second


def plan(*halves):
    return make("planned", plan_updates=lambda self, step, updates, buf: halves)


def gate(open_halves):
    def gate_update(self, half, loss, buf):
        assert loss.ndim == 0
        return torch.tensor(half in open_halves)

    return make("gate", gate_update=gate_update)
