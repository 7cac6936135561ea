"""Every two tricks together, and every trick in other surroundings: no combination may raise.

Each trains, or is refused or n/a with a reason; and where it trains, each of the tricks makes a
difference: to the weights, or, as for an average of weights, to the samples.
"""

from functools import cache
from itertools import combinations

import pytest
import torch

from ganbench.plugin import Host
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.training import NotApplicableError, Trial

CPU = torch.device("cpu")
STEPS = 2
HOST = Host()
TRICKS = sorted(found.name for found in HOST.all("trick") if found.builtin)
OBJECTIVES = sorted(found.name for found in HOST.all("objective") if found.builtin)
SETTINGS = {
    # Where the defaults do nothing, or nothing within two steps.
    "adaptive_d": {"discriminator": 1.39},
    "batch_norm": {"placement": "none"},
    "gradient_clipping": {"generator": 1e-4, "discriminator": 1e-4},
}
SURROUNDINGS = {
    "points": {"architecture": "mlp", "shape": (2,)},
    "three channels": {"architecture": "dcgan-transpose", "shape": (3, 12, 12)},
    "several conditional pairs": {
        "architecture": "lapgan",
        "architecture_parameters": {
            "width": 4,
            "generator_hidden": 8,
            "discriminator_hidden": 8,
        },
        "shape": (1, 8, 8),
    },
}


def trained(tricks, shape=(1, 8, 8), **changes):
    """Return all that two steps give, or the reason for which there is nothing."""
    given = {name: SETTINGS.get(name, {}) for name in tricks}
    config = tiny_config(given, steps=STEPS, **changes)
    try:
        trial = Trial(config, 0, tiny_data(shape), HOST, CPU)
    except NotApplicableError as error:
        return str(error)
    trial.advance(STEPS)
    assert trial.diverged_at is None
    trial.extra_figures()
    return {**weights(trial), "samples": trial.sample(8)}


@cache
def alone(trick):
    return trained((trick,))


def outcome(tricks, **changes):
    result = trained(tricks, **changes)
    if isinstance(result, str):
        assert any(trick in result for trick in tricks), f"a reason that names no trick: {result}"
        assert len(result.split()) > 4, f"no reason: {result}"
    return result


def changes_anything(one, other):
    return bool(differing(one, other)) or set(one) != set(other)


@pytest.mark.parametrize("trick", TRICKS)
def test_a_switched_on_trick_changes_the_step(trick):
    result = outcome((trick,))
    assert isinstance(result, str) or changes_anything(trained(()), result)


@pytest.mark.parametrize(("one", "other"), list(combinations(TRICKS, 2)))
def test_every_two_tricks_train_or_are_refused_with_a_reason(one, other):
    together = outcome((one, other))
    if isinstance(together, str):
        return
    for trick, rest in ((one, other), (other, one)):
        without = alone(rest)
        if not isinstance(without, str):
            assert changes_anything(without, together), f"beside {rest}, {trick} does nothing"


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.parametrize("trick", TRICKS)
def test_every_trick_trains_or_is_not_applicable_elsewhere(trick, surroundings):
    outcome((trick,), **SURROUNDINGS[surroundings])


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("trick", TRICKS)
def test_every_trick_trains_or_is_not_applicable_under_every_objective(trick, objective):
    outcome((trick,), objective=objective)
