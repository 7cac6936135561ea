"""The contract of a trick, clause by clause."""

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from pydantic_core import to_jsonable_python

from ganbench.config.text import flow
from ganbench.plugin import Trick
from ganbench.testing.bitwise import (
    is_a_fixed_step,
    other_streams_are_undisturbed,
    repeats_exactly,
    resumes_exactly,
    shared_layers_start_alike,
)
from ganbench.testing.case import TrickCase, validated, variant
from ganbench.testing.differences import some
from ganbench.testing.result import Check, ContractError, NothingToCheckError
from ganbench.testing.shared_checks import ends_of_ranges, is_described, train, trains
from ganbench.testing.tiny import STEPS, differing, weights
from ganbench.training import HookError, NotApplicableError


def names_others(case: TrickCase) -> None:
    """Look for other tricks' names in ``before``, ``after``, ``conflicts`` and ``requires``."""
    trick, host = case.trick, case.make_host()
    known = host.names("trick")
    for attribute in ("before", "after", "conflicts", "requires"):
        names: Any = getattr(trick, attribute)
        if isinstance(names, str):
            raise ContractError(
                f"{attribute} = {names!r}, of which every letter is taken for a trick",
                f'Write a tuple, with a comma: `{attribute} = ("{names}",)`.',
            )
        for name in names:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.9)
            # A trick that is not installed here may well exist; only a slip is refused.
            if name not in known and (near or attribute == "requires"):
                text = f"{attribute} names {name!r}, and there is no such trick"
                hint = f"Did you mean {near[0]!r}?" if near else "Is it not installed?"
                raise ContractError(text, hint)
    for attribute in ("conflicts", "requires"):
        bare = [name for name, reason in getattr(trick, attribute).items() if not reason]
        if bare:
            raise ContractError(
                f"{attribute} gives no reason for {', '.join(bare)}",
                "The report prints it beside the arm that is n/a.",
            )


def neutral_is_the_identity(case: TrickCase) -> None:
    """Compare a trial at ``neutral`` with one without the trick, bit for bit."""
    setting = case.trick.neutral.model_dump()
    without = case.make(None)
    try:
        neutral = case.make(setting)
    except NotApplicableError as reason:
        raise ContractError(
            f"at neutral, {_shown(setting)}, it is n/a: {reason}",
            "Choose a `neutral` at which it applies and changes nothing.",
        ) from None
    without.advance(STEPS)
    neutral.advance(STEPS)
    found = differing(weights(without), weights(neutral))
    if found:
        raise ContractError(
            f"at neutral, {_shown(setting)}, it changed {some(found)}",
            "At `neutral` every hook must return exactly what it was given. Often it is a "
            "rounding (`x * 0.9 / 0.9`), or a `neutral` that is not quite off.",
        )
    if not torch.equal(without.sample(16), neutral.sample(16)):
        raise ContractError(
            f"at neutral, {_shown(setting)}, the samples differ, and the weights do not",
            "Look at `sampling_generator` and `transform_latent`.",
        )


def changes_the_step(case: TrickCase) -> None:
    """Compare a trial at ``parameters`` with one without the trick: they must differ."""
    without, switched_on = case.make(None), case.make(case.parameters)
    without.advance(STEPS)
    switched_on.advance(STEPS)
    if differing(weights(without), weights(switched_on)):
        return
    # An average of weights changes no weight, only the samples.
    if not torch.equal(without.sample(16), switched_on.sample(16)):
        return
    setting = validated(case.trick, case.parameters)
    hooks = hooks_of(case.trick)
    if not hooks:
        mend = "It overrides no hook. `ganbench.plugin.Trick` has them all."
    elif setting == case.trick.neutral:
        mend = (
            "That is its neutral setting. Name one at which it acts: `--parameters 'key: value'`"
            ", or `parameters` of its TrickContract."
        )
    else:
        mend = (
            f"It overrides {', '.join(hooks)}. Is the changed value returned? Does it act within "
            f"{STEPS} steps? If only at other parameters, name them: `--parameters 'key: value'`"
            ", or `parameters` of its TrickContract."
        )
    raise ContractError(
        f"{_shown(setting.model_dump())} changed no weight and no sample in {STEPS} steps", mend
    )


def trains_over_its_search_ranges(case: TrickCase) -> None:
    """Train at both ends of each parameter's ``Search`` range."""
    for at, setting in ends_of_ranges(case):
        try:
            train(case, setting)
        except NotApplicableError:
            continue  # It says so itself, and a tuning run would report it.
        except (ContractError, HookError) as error:
            seen = error.seen if isinstance(error, ContractError) else str(error)
            raise ContractError(
                f"{at}: {seen}",
                "Narrow the range to what can be trained with, or mend the hook.",
            ) from error


def copes_with_points(case: TrickCase) -> None:
    """Train on 2-D points with fully connected networks, or be n/a by ``skip``."""
    _other_data(variant(case, architecture="mlp", shape=(2,)), "points of shape (2,), with mlp")


def copes_with_colour(case: TrickCase) -> None:
    """Train on images of three channels, or be n/a by ``skip``."""
    if len(case.shape) == 1:
        raise NothingToCheckError(f"the trial's data are points, of shape {case.shape}")
    shape = (3 if case.shape[0] != 3 else 1, *case.shape[1:])
    _other_data(variant(case, shape=shape), f"images of shape {shape}")


def hooks_of(trick: type[Trick]) -> list[str]:
    """Return the hooks that a trick overrides, in the order in which `Trick` has them."""
    return [
        name
        for name, value in vars(Trick).items()
        if inspect.isfunction(value)
        and not name.startswith("_")
        and getattr(trick, name) is not value
    ]


TRICK_CHECKS: tuple[Check[TrickCase], ...] = (
    Check("described", "there is a method card, and a text for each parameter", is_described),
    Check("names", "the tricks that it names exist", names_others),
    Check("trains", f"{STEPS} steps, samples: no exception, all finite", trains, True),
    Check("neutral", "at `neutral` it is the identity, bit for bit", neutral_is_the_identity),
    Check("acts", "switched on, it changes the step", changes_the_step),
    Check("same start", "layers of both arms start with equal weights", shared_layers_start_alike),
    Check("streams", "nobody else's random draws are moved", other_streams_are_undisturbed),
    Check("repeats", "the same seed gives the same bits", repeats_exactly),
    Check("resumes", "stopped and resumed, it ends with the same bits", resumes_exactly),
    Check("static steps", "a step is a fixed graph", is_a_fixed_step),
    Check("search", "it trains at both ends of each Search range", trains_over_its_search_ranges),
    Check("points", "it trains on points, or says why not", copes_with_points),
    Check("colour", "it trains on other channels, or says why not", copes_with_colour),
)


def _other_data(case: TrickCase, what: str) -> None:
    try:
        trial = case.make(case.parameters)
        if trial.context.spec.shape != case.shape:
            raise NothingToCheckError("this contract's `make` builds its own data")
        trial.advance(2)
    except NotApplicableError as reason:
        raise NothingToCheckError(f"n/a for {what}: {reason}") from None
    except (HookError, RuntimeError) as error:
        raise ContractError(
            f"for {what}: {error}",
            "Make it work there, or say in `skip` why it does not apply: "
            "`return not ctx.spec.is_image, 'needs images'`.",
        ) from error


def _shown(parameters: Mapping[str, Any]) -> str:
    return flow(to_jsonable_python(dict(parameters)))
