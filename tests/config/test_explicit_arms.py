"""Arms that are listed in the study are completed and checked like levels."""

import pytest

ARMS = """
design:
  kind: arms
  arms:
"""


def arms_study(load_or_errors, good, arms):
    start, rest = good.index("factors:"), good[good.index("seeds:") :]
    return load_or_errors(good[:start] + ARMS.lstrip() + arms + rest)


def test_explicit_arms_are_completed_like_levels(load, good):
    arms = "    - {name: both, set: {noise: on, latent.dimension: 64, norm: off}}\n"
    arm = arms_study(load, good, arms).resolved["design"]["arms"][0]
    assert arm["set"]["noise"] == {"start": 0.1, "end": 0.0, "anneal": "linear"}
    assert arm["set"]["norm"] == "off"


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        (
            "    - {name: a, set: {nois: on}}\n",
            "18:23: design.arms.0.set.nois: neither a trick nor",
        ),
        (
            "    - {name: a, set: {noise: {start: -1}}}\n",
            "design.arms.0.set.noise.start: out of ran",
        ),
        ("    - {name: a, set: [noise]}\n", "design.arms.0.set: wrong type, got [noise]"),
        (
            "    - {name: a, set: {norm: off, norm.placement: none}}\n",
            "design.arms.0.set.norm.placement: cannot be set: norm is off here",
        ),
        ("    - {name: a, set: {}}\n", "design.arms.0: the same as baseline"),
        ("    - {name: a, set: {latent.dimension: 32}}\n", "design.arms.0: the same as baseline"),
        (
            "    - {name: a, set: {noise: on}}\n    - {name: b, set: {noise: {}}}\n",
            "design.arms.1: the same as design.arms.0",
        ),
        (
            "    - {name: a, set: {noise: on}}\n    - {name: a, set: {norm: off}}\n",
            "design.arms.1.name: 'a' is taken: arm 0 has it",
        ),
        ("    - {name: baseline, set: {noise: on}}\n", "'baseline' is taken: the baseline has it"),
        ("    - {set: {noise: on}}\n", "design.arms.0.name: is missing"),
        (
            "    - {name: a/b, set: {noise: on}}\n",
            "design.arms.0.name: not valid, got 'a/b', expec",
        ),
        ("    - noise\n", "design.arms.0: wrong type, got 'noise' (text), expected a mapping"),
        ("    {a: b}\n", "design.arms: wrong type"),
    ],
)
def test_a_mistake_in_an_arm_is_told(errors, good, arms, message):
    lines = arms_study(errors, good, arms)
    assert any(message in line for line in lines), lines
