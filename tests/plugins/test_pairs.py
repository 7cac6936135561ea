"""Every two tricks together, and every trick in other surroundings: no combination may raise.

Each trains, or is refused or n/a with a reason; and where it trains, each of the tricks makes a
difference: to the networks' weights, or, as for an average of weights, to the samples. What a
trick keeps for itself does not count: a broken one may well keep it.
"""

from functools import cache
from itertools import combinations

import pytest
import torch

from ganbench.plugin import Host, Trick
from ganbench.testing import differing, tiny_config, tiny_data, weights
from ganbench.testing.trick_checks import hooks_of
from ganbench.training import NotApplicableError, Trial

CPU = torch.device("cpu")
STEPS, SAMPLES = 2, 4
HOST = Host()
TRICKS = sorted(found.name for found in HOST.all("trick") if found.builtin)
OBJECTIVES = sorted(found.name for found in HOST.all("objective") if found.builtin)
ARCHITECTURES = sorted(found.name for found in HOST.all("architecture") if found.builtin)
SETTINGS = {
    # Where the defaults do nothing, or nothing within two steps, or take long.
    "adaptive_d": {"discriminator": 0.0, "generator": 5.0},  # none of G's losses is above it
    "batch_norm": {"placement": "none"},
    "ema": {"decay": 0.999, "ramp": 0.0},  # in two steps it stays where G began
    "gradient_clipping": {"generator": 1e-4, "discriminator": 1e-4},
    # As many steps of D as show that it looks further than the next; the default takes long.
    "unrolled": {"steps": 2},
}
PLACES = {
    # What each architecture is asked to make, as small as it can; each is as narrow as it can.
    "dense-conv": {"shape": (1, 16, 16)},
    "pacgan-dcgan": {"shape": (1, 16, 16)},
    "pacgan-mlp": {"shape": (2,)},
    # Its G has 256 channels at full size: few images, one step, and no figures, for which
    # infogan makes hundreds.
    "chollet-dcgan": {"shape": (1, 24, 24), "batch_size": 4, "steps": 1, "figures": False},
    "lapgan": {
        "architecture_parameters": {"width": 4, "generator_hidden": 8, "discriminator_hidden": 8}
    },
}
SURROUNDINGS = {
    "points": {"architecture": "mlp", "shape": (2,)},
    "three channels": {"architecture": "dcgan-transpose", "shape": (3, 12, 12)},
    **{name: {"architecture": name, **PLACES.get(name, {})} for name in ARCHITECTURES},
}


def trained(tricks, shape=(1, 8, 8), steps=STEPS, figures=True, **changes):
    """Return the networks and samples that two steps give, or the reason why there are none."""
    given = {name: SETTINGS.get(name, {}) for name in tricks}
    config = tiny_config(given, steps=steps, **changes)
    try:
        trial = Trial(config, 0, tiny_data(shape), HOST, CPU)
    except NotApplicableError as error:
        return str(error)
    trial.advance(steps)
    assert trial.diverged_at is None
    if figures:
        trial.extra_figures()
    parts = [f"{built.pair.name}.{role}." for built in trial.pairs for role in built.halves]
    networks = {
        name: value for name, value in weights(trial).items() if name.startswith(tuple(parts))
    }
    return {**networks, "samples": trial.sample(SAMPLES)}


@cache
def alone(trick):
    return trained((trick,))


def outcome(tricks, **changes):
    result = trained(tricks, **changes)
    if isinstance(result, str):
        assert any(trick in result for trick in tricks), f"a reason that names no trick: {result}"
        assert len(result.split()) > 4, f"no reason: {result}"
    return result


@pytest.mark.parametrize("trick", TRICKS)
def test_a_switched_on_trick_changes_the_step(trick):
    result = outcome((trick,))
    assert isinstance(result, str) or differing(trained(()), result)


@pytest.mark.parametrize(("one", "other"), list(combinations(TRICKS, 2)))
def test_every_two_tricks_train_or_are_refused_with_a_reason(one, other):
    together = outcome((one, other))
    if isinstance(together, str):
        return
    for trick, rest in ((one, other), (other, one)):
        without = alone(rest)
        if not isinstance(without, str):
            assert differing(without, together), f"beside {rest}, {trick} does nothing"


@pytest.mark.parametrize("beside", [(), ("instance_noise",)])
@pytest.mark.parametrize("trick", TRICKS)
def test_a_broken_trick_would_be_seen(trick, beside, monkeypatch):
    # It declares what it keeps, buffers and modules, and then does nothing.
    if trick in beside:
        pytest.skip("the trick itself")
    cls = HOST.find("trick", trick).cls
    for hook in hooks_of(cls):
        if hook not in ("make_buffers", "make_modules"):
            monkeypatch.setattr(cls, hook, getattr(Trick, hook))
    assert not differing(trained(beside), trained((trick, *beside)))


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.parametrize("trick", TRICKS)
def test_every_trick_trains_or_is_not_applicable_elsewhere(trick, surroundings):
    outcome((trick,), **SURROUNDINGS[surroundings])


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("trick", TRICKS)
def test_every_trick_trains_or_is_not_applicable_under_every_objective(trick, objective):
    outcome((trick,), objective=objective)
