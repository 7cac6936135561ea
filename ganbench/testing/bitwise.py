"""The clauses of a trick's contract about bits: equal starts, streams, restarts, static steps."""

from collections.abc import Callable
from typing import Any

import torch

from ganbench.plugin import HALVES
from ganbench.plugin.spec import keeps_weights
from ganbench.testing.case import PluginCase, TrickCase, Witness, variant
from ganbench.testing.differences import attributes_that_differ, some
from ganbench.testing.result import ContractError, NothingToCheckError
from ganbench.testing.tiny import STEPS, differing, weights
from ganbench.testing.watch import SelectionWatch, Watch
from ganbench.training import Trial, dump, load
from ganbench.training.captured import MENDING
from ganbench.training.compiled import Compiled


def shared_layers_start_alike(case: TrickCase) -> None:
    """Compare the layers that trials with and without the trick have, before the first step."""
    without, switched_on = case.make(None), case.make(case.parameters)
    one, other = weights(without), weights(switched_on)
    # A layer that has another shape is another layer, its bias too.
    reshaped = {
        name.rpartition(".")[0]
        for name in one
        if name in other and one[name].shape != other[name].shape
    }
    chosen = _chosen_by_tricks(switched_on)
    found = [
        name
        for name in differing(one, other)
        if name.rpartition(".")[0] not in reshaped and name not in chosen
    ]
    if found:
        raise ContractError(
            f"layers that both trials have start differently: {some(found)}",
            "Let new layers be initialised by the builder (change no other layer's weights), or "
            "mark those whose weights the trick chooses with `keep_weights(layer)`.",
        )


def other_streams_are_undisturbed(case: TrickCase) -> None:
    """Compare where all random streams stand after trials with and without the trick."""
    tricks = {**case.with_tricks, Witness.name: {}}
    beside = variant(case, with_tricks=tricks, plugins=(*case.plugins, Witness))
    without, switched_on = beside.make(None), beside.make(case.parameters)
    watch = Watch(case.trick)
    drawn = _global_draws(without)
    with watch:
        drawn_with = _global_draws(switched_on)
    one, other = without.streams.state_dict(), switched_on.streams.state_dict()
    moved = [name for name in differing(one, other) if _is_comparable(name, without, switched_on)]
    if moved:
        raise ContractError(
            f"the trick moved streams that are not its own: {some(moved)}",
            "Draw from `buf.generator` only, and from the one that the hook was given.",
        )
    # An arm may update a half more often than another: what both did must agree.
    differ = any(drawn[half] != drawn_with[half] for half in drawn.keys() & drawn_with.keys())
    if watch.draws or (differ and not watch.layers_draw):
        where = f" at {some(watch.draws)}" if watch.draws else ""
        raise ContractError(
            f"the trick draws from torch's global stream{where}; pass generator=buf.generator",
            "`torch.randn(x.shape, generator=buf.generator, device=x.device)`: randn_like and "
            "its kin take no generator. Then arms of a seed still share all other draws.",
        )


def repeats_exactly(case: PluginCase) -> None:
    """Compare two trials of one seed."""
    one, other = (case.make(case.parameters) for _ in range(2))
    one.advance(case.steps)
    other.advance(case.steps)
    found = differing(weights(one), weights(other))
    if found:
        raise ContractError(
            f"two trials of one seed differ in {some(found)}",
            "Something outlives a trial, or is not seeded: a class attribute or a global that "
            "is changed, Python's `random`, `numpy.random`, the clock, a set's order.",
        )


def resumes_exactly(case: PluginCase) -> None:
    """Save a trial in its middle, load it into a new one, and compare with one that ran on."""
    whole, first, second = (case.make(case.parameters) for _ in range(3))
    whole.advance(case.steps)
    first.advance(case.steps // 2)
    load(second, dump(first))
    second.advance(case.steps)
    found = differing(weights(whole), weights(second))
    same = torch.equal(whole.loss_log, second.loss_log)
    if not found and same and torch.equal(whole.sample(16), second.sample(16)):
        return
    lost = attributes_that_differ(case.plugin_in(whole), case.plugin_in(second))
    where = some(found) if found else "the samples" if same else "the losses"
    if lost:
        raise ContractError(
            f"self.{', self.'.join(lost)} not restored: a resumed trial differs in {where}",
            "State that is not in a buffer, a module or state_dict is lost. Declare a tensor in "
            "`make_buffers` (fill it, `buf['name'].copy_(x)`), return a plain value from "
            "`state_dict` and take it back in `load_state_dict`.",
        )
    raise ContractError(
        f"a resumed trial differs in {where}: state that is not in a buffer, a module or "
        "state_dict",
        "Look for what a hook keeps from step to step: a variable of the module, a tensor that "
        "was not declared, an argument that is changed in place.",
    )


def _as_it_is(graph: Callable[..., Any], arguments: object) -> Callable[..., Any]:
    return graph


def is_a_fixed_step(case: TrickCase) -> None:
    """Watch the step hooks for looks at values and selections; capture the step as a graph."""
    if not case.trick.capturable:
        raise NothingToCheckError("it declares capturable = False, so its steps run eagerly")
    trial = case.make(case.parameters)
    watch, selections = Watch(case.trick), SelectionWatch(case.trick)
    with watch, selections:
        trial.advance(2)
    if watch.looks:
        raise ContractError(
            f"a step hook looks at a value at {some(watch.looks)}",
            "Keep it a tensor (`torch.where` in place of `if`; what depends on the step goes into "
            "a buffer in `before_step`), or declare `capturable = False`.",
        )
    if selections.found:
        raise ContractError(
            f"a step hook {some(selections.found)}, so that a shape depends on values",
            "Compute all and choose: `torch.where(mask, one, other)`, or multiply by the mask "
            "(`x[mask] = 0.0` keeps its shape, and may stay); or declare `capturable = False`.",
        )
    trial = case.make(case.parameters)
    trial.capture_with(Compiled(_as_it_is))
    trial.advance(STEPS)
    reason = trial.execution.get("reason")
    if reason is not None:
        raise ContractError(
            f"a step with it is no fixed graph: {reason.replace(MENDING, '')}",
            "What changes from step to step goes into a buffer of `make_buffers`, which "
            "`before_step` fills in place; or declare `capturable = False`.",
        )


def _chosen_by_tricks(trial: Trial) -> set[str]:
    """Return the names of weights that tricks chose themselves, as `weights` names them."""
    return {
        f"{built.pair.name}.{part}.{layer}.{name}".replace("..", ".")
        for built in trial.pairs
        for part in HALVES
        for layer, module in getattr(built.pair, part).named_modules()
        if keeps_weights(module)
        for name in module.state_dict()
    }


def _is_comparable(stream: str, without: Trial, switched_on: Trial) -> bool:
    """Say whether a stream must stand where it stands without the trick.

    Not where the trick makes another number of draws of it by right: in a half that it has
    updated less or more often, or of latents and batches whose size it has changed.
    """
    one, other = without.context.spec, switched_on.context.spec
    kind, *names = stream.split("/")
    if kind == "trick" and names[0] == Witness.name and names[-1] != "discriminator":
        # Whatever a trick makes of G's half, there the witness may be asked more or less often.
        return False
    if kind == "data":
        return one.batch_size == other.batch_size
    if kind == "latent" and (one.batch_size, one.latent) != (other.batch_size, other.latent):
        return False
    return not any(
        half in names
        and not torch.equal(without.update_log[..., i], switched_on.update_log[..., i])
        for i, half in enumerate(HALVES)
    )


def _global_draws(trial: Trial) -> dict[tuple[str, ...], bytes]:
    """Train a trial, and return where the global stream stood at the end of each half-step.

    The keys are the names that it was seeded with. The last half-step is left out.
    """
    stood: dict[tuple[str, ...], bytes] = {}
    seed_layers = trial.streams.seed_layers
    open_half: tuple[str, ...] = ()

    def note_and_seed(*names: str) -> None:
        nonlocal open_half
        stood[open_half] = torch.get_rng_state().numpy().tobytes()
        open_half = names
        seed_layers(*names)

    # A method of this one object: the trial is thrown away after.
    object.__setattr__(trial.streams, "seed_layers", note_and_seed)
    trial.advance(STEPS)
    del stood[()]
    return stood
