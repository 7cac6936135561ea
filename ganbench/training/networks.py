"""Building the networks of a trial so that two arms of a seed start alike."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ganbench.config.model import Execution
from ganbench.plugin import (
    HALVES,
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
from ganbench.training.calls import call_plugin, mapping_of
from ganbench.training.errors import HookResultError, NotApplicableError
from ganbench.training.hooks import overrides
from ganbench.training.linear import use_onednn
from ganbench.training.resizing import merge_upsampling
from ganbench.training.streams import Streams, seeded

_PAIR_NAME = re.compile(r"[A-Za-z0-9_-]+")


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
    _check_pairs(architecture, pairs)
    if all(pair.latent is not None for pair in pairs):
        for trick in tricks:
            if overrides(trick, "make_latent"):
                raise NotApplicableError(
                    f"{trick.name} changes the latent, and every generator of {architecture.name} "
                    "has one of its own"
                )
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

    modules: dict[Role | None, nn.ModuleDict] = {role: nn.ModuleDict() for role in (*HALVES, None)}
    halves: dict[Role, Half] = {role: role for role in HALVES}
    buffers: dict[str, Buffers] = {}
    for trick in tricks:
        own = Buffers(streams.stream(f"trick/{trick.name}/{pair.name}"))
        with seeded("init", pair.name, "trick", trick.name, seed=streams.seed):
            made = call_plugin(trick.name, trick.make_modules, context)
        for name, brought in mapping_of(trick.name, "make_modules", made).items():
            wrong = _brought_problem(trick, brought, halves)
            if wrong is not None:
                raise HookResultError(trick.name, "make_modules", wrong)
            if brought.role not in modules:
                modules[brought.role] = nn.ModuleDict()
                halves[brought.role] = brought.half
            own.modules[name] = brought.module.to(context.device)
            modules[brought.role][f"{trick.name}__{name}"] = brought.module
        declared = call_plugin(trick.name, trick.make_buffers, context)
        for name, tensor in mapping_of(trick.name, "make_buffers", declared).items():
            if not isinstance(tensor, Tensor):
                problem = f"{name}: a value of type {type(tensor).__name__}, expected a tensor"
                raise HookResultError(trick.name, "make_buffers", problem)
            own.tensors[name] = tensor.to(context.device)
        buffers[trick.name] = own
    built = replace(pair, generator=generator, discriminator=discriminator)
    result = BuiltPair(built, context, buffers, modules, halves)
    _check_roles(result, tricks)
    return result


def arrange(pair: Pair, settings: Execution) -> None:
    """Have a pair's networks computed as a study says; they keep their parameters' names."""
    for net in (pair.generator, pair.discriminator):
        if settings.merge_upsampling:
            merge_upsampling(net)
        if settings.onednn_linear:
            use_onednn(net)
        if settings.channels_last:
            net.to(memory_format=torch.channels_last)


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


def _check_pairs(architecture: Architecture, pairs: object) -> None:
    """Blame an architecture for pairs that cannot be trained or told apart."""
    problem = None
    if not isinstance(pairs, Sequence) or not pairs:
        problem = f"{pairs!r}, expected at least one Pair"
    elif any(not isinstance(pair, Pair) for pair in pairs):
        problem = f"{', '.join(type(pair).__name__ for pair in pairs)}, expected Pairs"
    else:
        names = [pair.name for pair in pairs]
        if len(set(names)) < len(names):
            problem = f"pairs of the names {', '.join(names)}, expected different ones"
        elif bad := [name for name in names if not _PAIR_NAME.fullmatch(name)]:
            problem = f"a pair of the name {bad[0]!r}, expected letters, digits, - and _"
    if problem is not None:
        raise HookResultError(architecture.name, "build_pairs", problem)


def _brought_problem(trick: Trick, brought: object, halves: Mapping[Role, Half]) -> str | None:
    """Say what is wrong with a value of ``make_modules``."""
    if not isinstance(brought, TrickModule):
        return f"a value of type {type(brought).__name__}, expected a TrickModule"
    role, half = brought.role, brought.half
    if role in (*HALVES, None):
        if half not in (None, role):
            return f"a module for {role!r} in half {half!r}: only a role of its own names a half"
        return None
    if role != trick.name and not str(role).startswith(f"{trick.name}."):
        return (
            f"a module for the role {role!r}, expected one of {HALVES}, None, or a role of its "
            f"own: {trick.name!r}, or one that begins with '{trick.name}.'"
        )
    if half not in HALVES:
        return f"the role {role!r} of its own in half {half!r}, expected one of {HALVES}"
    if halves.get(role, half) != half:
        return f"the role {role!r} in both halves, expected one"
    return None


def _check_roles(built: BuiltPair, tricks: Sequence[Trick]) -> None:
    """Blame tricks for roles that train nothing, or what another role trains already."""
    owners: dict[nn.Parameter, Role] = {}
    for role in built.halves:
        parameters = built.parameters(role)
        trick = role.partition(".")[0]
        if not parameters and role not in HALVES:
            problem = f"the role {role!r}, whose modules have no parameter to train"
            raise HookResultError(trick, "make_modules", problem)
        for parameter in parameters:
            if owners.setdefault(parameter, role) != role:
                problem = f"a module for {role!r} with a parameter that {owners[parameter]} trains"
                raise HookResultError(trick, "make_modules", problem)
    unknown = sorted(set(built.context.spec.optimizers) - set(built.halves))
    tellers = [trick.name for trick in tricks if overrides(trick, "configure")]
    for role in unknown:
        # A trick's role may be missing from a pair that the trick leaves alone.
        if tellers and not any(role.partition(".")[0] == name for name in tellers):
            problem = f"an optimizer for the role {role!r}, which nobody has"
            raise HookResultError(", ".join(tellers), "configure", problem)


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
