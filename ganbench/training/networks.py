"""Building the networks of a trial so that two arms of a seed start alike."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from ganbench.plugin import (
    ROLES,
    Architecture,
    Buffers,
    BuildContext,
    Half,
    Pair,
    Role,
    Trick,
    TrickModule,
)
from ganbench.plugin.spec import keeps_weights
from ganbench.training.errors import HookResultError, NotApplicableError
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
    modules : dict of role or None to ModuleDict
        What tricks brought, by the role that trains it.
    halves : dict of role to half
        Every role of the pair, the tricks' own among them, and the half that trains it.
    """

    pair: Pair
    context: BuildContext
    buffers: dict[str, Buffers]
    modules: dict[Role | None, nn.ModuleDict]
    halves: dict[Role, Half]

    def parameters(self, role: Role) -> list[nn.Parameter]:
        """Return what a role's optimizer trains: its network, then the tricks' modules."""
        networks = {"generator": self.pair.generator, "discriminator": self.pair.discriminator}
        own = networks[role].parameters() if role in networks else ()
        found = [*own, *self.modules[role].parameters()]
        return [parameter for parameter in found if parameter.requires_grad]


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
            if own and module not in drawn and not keeps_weights(module):
                drawn.add(module)
                with seeded("init", pair.name, role, name, seed=streams.seed):
                    architecture.initialise(module)

    generator, discriminator = pair.generator, pair.discriminator
    draw(generator, "generator")
    draw(discriminator, "discriminator")
    context = replace(
        context,
        pair=pair.name,
        spec=context.spec.with_changes(
            latent=pair.latent or context.spec.latent, shape=pair.shape or context.spec.shape
        ),
        real_batch=_view(pair, context),
        generator=generator,
        discriminator=discriminator,
    )
    for trick in tricks:
        _refuse_if_skipped(trick, context)
        with seeded("construction", trick.name, seed=streams.seed):
            if overrides(trick, "transform_generator"):
                generator = _network(trick, trick.transform_generator, generator, context)
                draw(generator, "generator")
                context = replace(context, generator=generator)
            if overrides(trick, "transform_discriminator"):
                discriminator = _network(
                    trick, trick.transform_discriminator, discriminator, context
                )
                draw(discriminator, "discriminator")
                context = replace(context, discriminator=discriminator)
    generator.to(context.device)
    discriminator.to(context.device)

    modules: dict[Role | None, nn.ModuleDict] = {role: nn.ModuleDict() for role in (*ROLES, None)}
    halves: dict[Role, Half] = {role: role for role in ROLES}
    buffers: dict[str, Buffers] = {}
    for trick in tricks:
        own = Buffers(streams.stream(f"trick/{trick.name}/{pair.name}"))
        with seeded("init", pair.name, "trick", trick.name, seed=streams.seed):
            made: Mapping[str, Any] = call_plugin(trick.name, trick.make_modules, context)
        for name, brought in made.items():
            wrong = _brought_problem(trick, brought)
            if wrong is not None:
                raise HookResultError(trick.name, "make_modules", wrong)
            if brought.role not in modules:
                modules[brought.role] = nn.ModuleDict()
                halves[brought.role] = brought.half
            own.modules[name] = brought.module.to(context.device)
            modules[brought.role][f"{trick.name}__{name}"] = brought.module
        for name, tensor in call_plugin(trick.name, trick.make_buffers, context).items():
            own.tensors[name] = tensor.to(context.device)
        buffers[trick.name] = own
    built = replace(pair, generator=generator, discriminator=discriminator)
    return BuiltPair(built, context, buffers, modules, halves)


def _refuse_if_skipped(trick: Trick, context: BuildContext) -> None:
    answer = call_plugin(trick.name, trick.skip, context)
    if not (isinstance(answer, tuple) and len(answer) == 2):
        problem = f"{answer!r}, expected a pair such as (False, '')"
        raise HookResultError(trick.name, "skip", problem)
    skipped, reason = answer
    if skipped:
        raise NotApplicableError(f"{trick.name}: {reason}")


def _view(pair: Pair, context: BuildContext) -> Callable[[Tensor], tuple[Tensor, Tensor | None]]:
    """Return what gives a pair its real images, and condition, from indices of the data."""
    whole = context.real_batch

    def real_batch(indices: Tensor) -> tuple[Tensor, Tensor | None]:
        return views(pair, whole(indices)[0])

    return real_batch


def views(pair: Pair, batch: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return what a pair takes as real, and its condition, from a batch of the data."""
    real = batch if pair.real_view is None else pair.real_view(batch)
    condition = None if pair.condition is None else pair.condition(batch)
    return real, condition


def _brought_problem(trick: Trick, brought: object) -> str | None:
    """Say what is wrong with a value of ``make_modules``."""
    if not isinstance(brought, TrickModule):
        return f"a value of type {type(brought).__name__}, expected a TrickModule"
    if brought.role in (*ROLES, None):
        return None
    if trick.name not in str(brought.role):
        return (
            f"a module for the role {brought.role!r}, expected one of {ROLES}, None, or a role "
            f"of its own with the trick's name in it, such as {trick.name!r}"
        )
    if brought.half not in ROLES:
        return f"the role {brought.role!r} of its own in half {brought.half!r}, expected {ROLES}"
    return None


def _network(
    trick: Trick,
    transform: Callable[[nn.Module, BuildContext], nn.Module],
    net: nn.Module,
    context: BuildContext,
) -> nn.Module:
    changed = call_plugin(trick.name, transform, net, context)
    if not isinstance(changed, nn.Module):
        problem = f"a value of type {type(changed).__name__}, expected the network"
        raise HookResultError(trick.name, transform.__name__, problem)
    return changed
