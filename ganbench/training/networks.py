"""Building the networks of a trial so that two arms of a seed start alike."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from ganbench.plugin import Architecture, Buffers, BuildContext, Pair, Role, Trick
from ganbench.training.errors import NotApplicableError
from ganbench.training.hooks import call_plugin, overrides
from ganbench.training.streams import Streams, seeded


@dataclass(frozen=True)
class BuiltPair:
    """A pair with every transform applied, on its device.

    Attributes
    ----------
    pair : Pair
    context : BuildContext
        With the finished networks.
    buffers : dict of str to Buffers
        By trick.
    modules : dict of role to ModuleDict
        What tricks brought, by the role that trains it.
    """

    pair: Pair
    context: BuildContext
    buffers: dict[str, Buffers]
    modules: dict[Role, nn.ModuleDict]

    def parameters(self, role: Role) -> list[nn.Parameter]:
        """Return what a role's optimizer trains: its network, then the tricks' modules."""
        network = self.pair.generator if role == "generator" else self.pair.discriminator
        return [*network.parameters(), *self.modules[role].parameters()]


def build_pairs(
    architecture: Architecture, tricks: Sequence[Trick], context: BuildContext, streams: Streams
) -> tuple[BuiltPair, ...]:
    """Build every pair, let the tricks transform it, and draw its weights by name.

    Raises
    ------
    NotApplicableError
        If the architecture or a trick declares that it does not apply.
    """
    supported, reason = call_plugin(architecture.name, architecture.supports, context.spec)
    if not supported:
        raise NotApplicableError(f"{architecture.name}: {reason}")
    with seeded("construction", seed=streams.seed):
        pairs = call_plugin(architecture.name, architecture.build_pairs, context.spec)
    return tuple(_build(pair, architecture, tricks, context, streams) for pair in pairs)


def _build(
    pair: Pair,
    architecture: Architecture,
    tricks: Sequence[Trick],
    context: BuildContext,
    streams: Streams,
) -> BuiltPair:
    # The modules themselves, not their ids: a removed layer's id may be given out again.
    drawn: set[nn.Module] = set()

    def draw(net: nn.Module, role: str) -> None:
        for name, module in net.named_modules():
            own = list(module.parameters(recurse=False))
            if own and module not in drawn:
                drawn.add(module)
                with seeded("init", pair.name, role, name, seed=streams.seed):
                    architecture.initialise(module)

    generator, discriminator = pair.generator, pair.discriminator
    draw(generator, "generator")
    draw(discriminator, "discriminator")
    context = replace(context, pair=pair.name, generator=generator, discriminator=discriminator)
    for trick in tricks:
        skipped, reason = call_plugin(trick.name, trick.skip, context)
        if skipped:
            raise NotApplicableError(f"{trick.name}: {reason}")
    for trick in tricks:
        with seeded("construction", trick.name, seed=streams.seed):
            if overrides(trick, "transform_generator"):
                generator = call_plugin(trick.name, trick.transform_generator, generator, context)
                draw(generator, "generator")
                context = replace(context, generator=generator)
            if overrides(trick, "transform_discriminator"):
                discriminator = call_plugin(
                    trick.name, trick.transform_discriminator, discriminator, context
                )
                draw(discriminator, "discriminator")
                context = replace(context, discriminator=discriminator)
    generator.to(context.device)
    discriminator.to(context.device)

    modules: dict[Role, nn.ModuleDict] = {
        "generator": nn.ModuleDict(),
        "discriminator": nn.ModuleDict(),
    }
    buffers: dict[str, Buffers] = {}
    for trick in tricks:
        stream = f"trick/{trick.name}/{pair.name}"
        own = Buffers(streams.stream(stream))
        with seeded("init", pair.name, "trick", trick.name, seed=streams.seed):
            made = call_plugin(trick.name, trick.make_modules, context)
        for name, brought in made.items():
            own.modules[name] = brought.module.to(context.device)
            modules[brought.role][f"{trick.name}__{name}"] = brought.module
        for name, tensor in call_plugin(trick.name, trick.make_buffers, context).items():
            own[name] = tensor.to(context.device)
        buffers[trick.name] = own
    built = replace(pair, generator=generator, discriminator=discriminator)
    return BuiltPair(built, context, buffers, modules)


def torch_device(name: str) -> torch.device:
    """Return the device of a name; ``auto`` is CUDA, else MPS, else the CPU."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
