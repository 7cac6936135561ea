"""Main effects and interactions: by arithmetic, against ordinary least squares, with gaps."""

from itertools import product
from math import exp, log

import numpy as np
import pytest
import statsmodels.api as sm
from made_up_results import trial

from ganbench.config.combinations import fraction
from ganbench.study.aliases import resolution_of
from ganbench.study.effects import effects_of, term_name
from ganbench.study.results import ArmResult, StudyResults

KEYS = ("ema", "noise", "soft", "wide", "deep", "slow")


def study_of(cells, logs, kind="factorial", skipped=(), levels=None, outcomes=None):
    """Make results: cell -> log figures by seed."""
    keys = KEYS[: len(cells[0])]
    arms, trials = [], []
    seeds = len(next(iter(logs.values())))
    for cell in cells:
        name = "".join(map(str, cell))
        reason = "conflicts" if cell in skipped else None
        arms.append(ArmResult(name, {}, name, reason, dict(zip(keys, cell, strict=True))))
        for seed in range(0 if reason else seeds):
            outcome = (outcomes or {}).get((cell, seed), "complete")
            fid = exp(logs[cell][seed]) if outcome == "complete" else None
            trials.append(trial(name, seed, fid, outcome))
    return StudyResults(
        study={
            "evaluation": {"primary": "fid", "judgement": {"alpha": 0.05, "margin": 0.05}},
            "seeds": list(range(seeds)),
            "design": {"kind": kind},
            "factors": levels or {key: ["off", {"rate": 1}] for key in keys},
        },
        origins={},
        arms=tuple(arms),
        trials=tuple(trials),
        protocol={},
        environment={},
        command="",
    )


def additive(cells, sizes, pairs=(), seeds=8, noise=0.05):
    """Return logs in which factor i adds sizes[i], and (i, j, size) of pairs adds both's size."""
    stream = np.random.default_rng(5)
    logs = {}
    for cell in cells:
        value = 3 + sum(size for size, on in zip(sizes, cell, strict=True) if on)
        value += sum(size for i, j, size in pairs if cell[i] and cell[j])
        logs[cell] = [value + 0.1 * seed + noise * stream.normal() for seed in range(seeds)]
    return logs


TWO_BY_TWO = [(0, 0), (1, 0), (0, 1), (1, 1)]


def test_effects_of_two_factors_by_hand():
    # Seed 0: ema 1 alone, 3 with noise: 2 on average, 2 more; noise 4 alone, 6: 5 on average.
    # Seed 1: ema 2 alone, 2 with noise; noise 1 alone, 1.
    logs = {(0, 0): [0.0, 5.0], (1, 0): [1.0, 7.0], (0, 1): [4.0, 6.0], (1, 1): [7.0, 8.0]}
    effects = effects_of(study_of(TWO_BY_TWO, logs))
    ema, noise = effects.mains
    (both,) = effects.interactions
    assert [ema.name, noise.name, both.name] == ["ema", "noise", "ema × noise"]
    assert ema.effect.differences == pytest.approx({0: 2.0, 1: 2.0})
    assert noise.effect.differences == pytest.approx({0: 5.0, 1: 1.0})
    assert both.effect.differences == pytest.approx({0: 2.0, 1: 0.0})
    # Mean 3; sd of (5, 1) is 2.83, its error 2; t at 97.5 % with one degree is 12.706.
    assert noise.effect.estimate == pytest.approx(3.0)
    assert noise.effect.high == pytest.approx(3 + 12.7062 * 2, abs=1e-3)
    assert noise.effect.p == 0.5  # 2 of the 4 assignments of signs are as far from 0
    assert (effects.arms, effects.combinations) == (4, 4)


def test_effects_are_those_of_least_squares():
    cells = list(product((0, 1), repeat=3))
    logs = additive(cells, (-0.3, 0.1, 0.0), [(0, 1, 0.2)], noise=0.2)
    effects = effects_of(study_of(cells, logs))
    # Coded -1 and 1, a main effect is twice its coefficient, an interaction four times.
    for seed in range(8):
        signs = np.array([[2 * place - 1 for place in cell] for cell in cells])
        columns = [signs[:, i] for i in range(3)]
        columns += [signs[:, i] * signs[:, j] for i, j in ((0, 1), (0, 2), (1, 2))]
        fitted = sm.OLS(
            [logs[cell][seed] for cell in cells], sm.add_constant(np.column_stack(columns))
        ).fit()
        found = [item.effect.differences[seed] for item in effects.mains + effects.interactions]
        assert found == pytest.approx(fitted.params[1:] * [2, 2, 2, 4, 4, 4])


def test_a_factor_of_three_levels_has_two_main_effects():
    cells = list(product((0, 1, 2), (0, 1)))
    logs = {cell: [1.0 * cell[0] ** 2 + cell[1] + cell[0] * cell[1]] * 2 for cell in cells}
    levels = {"ema": [64, 128, 256], "noise": ["off", {"rate": 1}]}
    effects = effects_of(study_of(cells, logs, levels=levels))
    assert {item.name: item.effect.estimate for item in effects.mains} == pytest.approx(
        {"ema 128": 1.5, "ema 256": 5.0, "noise": 2.0}
    )
    assert {item.name: item.effect.estimate for item in effects.interactions} == pytest.approx(
        {"ema 128 × noise": 1.0, "ema 256 × noise": 2.0}
    )


def test_pairs_have_interactions_and_no_main_effects():
    cells = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (1, 0, 1), (0, 1, 1)]
    logs = additive(cells, (0.1, 0.2, 0.4), [(0, 1, 0.3), (1, 2, -0.2)], noise=0)
    effects = effects_of(study_of(cells, logs, "pairs"))
    assert effects.mains == ()
    assert [item.effect.estimate for item in effects.interactions] == pytest.approx([0.3, 0, -0.2])


@pytest.mark.parametrize(("factors", "resolution"), [(3, "III"), (4, "IV"), (5, "V"), (6, "IV")])
def test_a_fraction_tells_what_its_resolution_promises(factors, resolution):
    cells = fraction(factors, resolution)
    assert resolution_of(cells) == resolution
    sizes = [0.1 * (i + 1) for i in range(factors)]
    effects = effects_of(study_of(cells, additive(cells, sizes, noise=0), "fractional"))
    assert [item.effect.estimate for item in effects.mains] == pytest.approx(sizes)
    assert (effects.arms, effects.combinations) == (len(cells), 2**factors)
    mixed_mains = [item for item in effects.mains if item.aliases]
    mixed = [item for item in effects.interactions if item.aliases]
    assert bool(mixed_mains) == (resolution == "III")
    assert bool(mixed) == (resolution == "IV")


@pytest.mark.parametrize(("factors", "resolution"), [(3, "III"), (4, "IV"), (6, "III")])
def test_an_alias_is_in_the_estimate_with_the_share_that_is_told(factors, resolution):
    cells = fraction(factors, resolution)
    # An interaction of the first two factors, and nothing else at all.
    pairs = [(0, 1, 1.0)]
    effects = effects_of(
        study_of(cells, additive(cells, [0] * factors, pairs, noise=0), "fractional")
    )
    for item in effects.mains + effects.interactions:
        # A main effect has half of each interaction that it is part of.
        expected = 0.5 if item.name in ("ema", "noise") else float(item.name == "ema × noise")
        expected += dict(item.aliases).get("ema × noise", 0.0)
        assert item.effect.estimate == pytest.approx(expected, abs=1e-9)


def test_main_effects_are_one_family_and_judged_like_arms():
    cells = list(product((0, 1), repeat=3))
    logs = additive(cells, (-0.5, 0.0, 0.3), noise=0.02)
    helps, nothing, hurts = effects_of(study_of(cells, logs)).mains
    assert [item.verdict for item in (helps, nothing, hurts)] == ["helps", "no effect", "hurts"]
    # 8 seeds all on one side: 2 of 256; three in the family, the two smallest tie.
    assert helps.effect.p == 2 / 256
    assert helps.p_holm == pytest.approx(3 * 2 / 256)


def test_an_effect_is_averaged_over_the_combinations_that_apply():
    cells = list(product((0, 1), repeat=3))
    logs = additive(cells, (0.1, 0.2, 0.4), [(0, 1, 1.0)], noise=0)
    effects = effects_of(study_of(cells, logs, skipped=[(1, 1, 1)]))
    ema, noise, soft = effects.mains
    # Without (1, 1, 1), ema is seen with noise once in three combinations.
    assert (ema.sets, ema.wanted) == (3, 4)
    assert ema.effect.estimate == pytest.approx(0.1 + 1 / 3)
    assert noise.effect.estimate == pytest.approx(0.2 + 1 / 3)
    assert soft.effect.estimate == pytest.approx(0.4)
    assert effects.interactions[0].sets == 1
    assert effects.interactions[0].effect.estimate == pytest.approx(1.0)


def test_what_never_applies_together_has_no_interaction():
    logs = additive(TWO_BY_TWO, (0.1, 0.2), noise=0)
    effects = effects_of(study_of(TWO_BY_TWO, logs, skipped=[(1, 1)]))
    assert effects.interactions[0].effect is None
    assert effects.interactions[0].reason == "an arm that it needs does not apply"
    assert effects.mains[0].effect.estimate == pytest.approx(0.1)


def test_a_fraction_of_which_an_arm_does_not_apply_has_no_effects():
    cells = fraction(4, "IV")
    logs = additive(cells, [0.1] * 4)
    effects = effects_of(study_of(cells, logs, "fractional", skipped=[cells[3]]))
    assert {item.effect for item in effects.mains + effects.interactions} == {None}
    assert {item.verdict for item in effects.mains} == {"n/a"}


def test_a_diverged_trial_counts_as_the_worst_other_one_and_has_no_interaction():
    logs = {(0, 0): [1.0] * 3, (1, 0): [3.0] * 3, (0, 1): [7.0] * 3, (1, 1): [8.0] * 3}
    effects = effects_of(study_of(TWO_BY_TWO, logs, outcomes={((1, 0), 2): "diverged"}))
    ema, noise = effects.mains
    # At seed 2, (1, 0) counts as 8: ((8 - 1) + (8 - 7)) / 2, and ((7 - 1) + (8 - 8)) / 2.
    assert ema.effect.differences == pytest.approx({0: 1.5, 1: 1.5, 2: 4.0})
    assert noise.effect.differences == pytest.approx({0: 5.5, 1: 5.5, 2: 3.0})
    assert (ema.bounded, noise.bounded) == (1, 1)
    assert 2 not in effects.interactions[0].effect.differences
    assert effects.interactions[0].left_out == 1


def test_a_seed_at_which_every_trial_diverged_says_nothing():
    logs = additive(TWO_BY_TWO, (-0.5, 0.3))
    lost = {(cell, 1): "diverged" for cell in TWO_BY_TWO}
    for item in effects_of(study_of(TWO_BY_TWO, logs, outcomes=lost)).mains:
        assert 1 not in item.effect.differences


def test_an_arm_that_always_diverges_weighs_no_more_than_its_share():
    cells = fraction(4, "IV")
    logs = additive(cells, (-0.8, 0.0, 0.0, 0.0))
    lost = {(cells[-1], seed): "diverged" for seed in range(8)}
    effects = effects_of(study_of(cells, logs, "fractional", outcomes=lost))
    helps, *nothing = effects.mains
    assert all(item.bounded == 8 for item in effects.mains)
    # In a quarter of its arms the trial is worse than what it counts as, so nothing is said.
    assert (helps.verdict, helps.effect.estimate < -0.5) == ("inconclusive", True)
    # A quarter of the difference between the worst other trial and what this one would have been.
    assert all(abs(item.effect.estimate) < 0.8 / 3 for item in nothing)


def test_a_factor_that_always_diverges_hurts():
    logs = additive(TWO_BY_TWO, (0.0, 0.0), noise=0.3)
    lost = {(cell, seed): "diverged" for cell in TWO_BY_TWO if cell[0] for seed in range(8)}
    ema, noise = effects_of(study_of(TWO_BY_TWO, logs, outcomes=lost)).mains
    assert ema.verdict == "hurts"
    assert noise.verdict != "hurts"


def test_a_factor_that_diverges_in_half_of_its_arms_is_not_called_helpful_for_the_others():
    logs = additive(TWO_BY_TWO, (-2.0, 0.0))
    calm = effects_of(study_of(TWO_BY_TWO, logs)).mains[0]
    lost = {((1, 1), seed): "diverged" for seed in range(8)}
    ema = effects_of(study_of(TWO_BY_TWO, logs, outcomes=lost)).mains[0]
    # What diverged counts as the other arms, and so the effect is half of what it was.
    assert ema.effect.estimate == pytest.approx(-1.0, abs=0.1)
    assert (calm.verdict, ema.verdict) == ("helps", "inconclusive")
    assert ema.reason == "a trial that ranks last is worse than what it counts as"


@pytest.mark.parametrize(("seeds", "verdict"), [(8, "inconclusive"), (16, "helps")])
def test_a_factor_of_which_a_trial_diverged_helps_if_it_does_by_ranks(seeds, verdict):
    logs = additive(TWO_BY_TWO, (-2.0, 0.0), seeds=seeds)
    ema = effects_of(study_of(TWO_BY_TWO, logs, outcomes={((1, 1), 3): "diverged"})).mains[0]
    # The worst rank alone is on the other side: n, or less, of n (n + 1) / 2 in 2^n signs.
    signs = np.array(list(product((0, 1), repeat=seeds)), dtype=np.int16)
    share = np.mean(signs @ np.arange(1, seeds + 1) <= seeds)
    assert ema.ranked.p == pytest.approx(2 * share)
    assert (ema.p_holm, ema.verdict) == (pytest.approx(4 * share), verdict)


def test_what_diverged_without_a_factor_does_not_take_from_its_help():
    logs = additive(TWO_BY_TWO, (-2.0, 0.0))
    lost = {((0, 1), seed): "diverged" for seed in range(8)}
    assert effects_of(study_of(TWO_BY_TWO, logs, outcomes=lost)).mains[0].verdict == "helps"


def test_what_diverged_is_never_called_no_effect():
    logs = {cell: [log(20.0) + 1e-4 * seed for seed in range(8)] for cell in TWO_BY_TWO}
    calm = effects_of(study_of(TWO_BY_TWO, logs)).mains
    lost = {((1, 1), 3): "diverged"}
    shaken = effects_of(study_of(TWO_BY_TWO, logs, outcomes=lost)).mains
    assert {item.verdict for item in calm} == {"no effect"}
    assert {item.verdict for item in shaken} == {"inconclusive"}


@pytest.mark.parametrize("outcome", ["failed", "pending"])
def test_a_seed_whose_trials_are_not_all_there_has_no_effects(outcome):
    logs = additive(TWO_BY_TWO, (-0.5, 0.3))
    effects = effects_of(study_of(TWO_BY_TWO, logs, outcomes={((0, 0), 1): outcome}))
    for item in effects.mains + effects.interactions:
        assert item.left_out == 1
        assert 1 not in item.effect.differences


def test_without_two_seeds_there_is_no_verdict():
    logs = {cell: [log(20.0)] for cell in TWO_BY_TWO}
    (ema, _) = effects_of(study_of(TWO_BY_TWO, logs)).mains
    assert (ema.verdict, ema.p_holm) == ("n/a", None)
    assert ema.reason == "fewer than two seeds have all the trials that it needs"


@pytest.mark.parametrize("kind", ["one-at-a-time", "leave-one-out", "arms"])
def test_other_designs_have_no_effects(kind):
    logs = additive(TWO_BY_TWO, (0.1, 0.1))
    assert effects_of(study_of(TWO_BY_TWO, logs, kind)) is None


@pytest.mark.parametrize(
    ("levels", "names"),
    [
        (["off", {"real": 0.9}], ["ema"]),
        (["off", {"a": 1, "b": 2}, {"a": 3, "b": 2}], ["ema a 1", "ema a 3"]),
        ([{"a": 1, "b": 2}, "off"], ["ema off"]),
        ([64, 128], ["ema 128"]),
        ([{"name": "mlp", "hidden": 3}, {"name": "conv", "width": 4}], ["ema conv"]),
        ([{"name": "mlp", "hidden": 3}, {"name": "mlp", "hidden": 4}], ["ema hidden 4"]),
    ],
)
def test_a_level_is_called_what_tells_it_from_the_others(levels, names):
    assert [term_name("ema", levels, place) for place in range(1, len(levels))] == names


def test_two_settings_of_another_component_have_names_and_corrections_of_their_own():
    widths = [{"name": "mlp", "hidden": width} for width in (64, 128)]
    levels = {"ema": [{"name": "dcgan"}, *widths], "noise": ["off", {"rate": 1}]}
    cells = list(product(range(3), range(2)))
    logs = {cell: [3.0 + 0.1 * seed for seed in range(5)] for cell in cells}
    for cell in cells:  # Only the second of the two changes anything, and at every seed.
        logs[cell] = [log + (cell[0] == 2) * (1 + 0.01 * s) for s, log in enumerate(logs[cell])]
    first, second, _ = effects_of(study_of(cells, logs, levels=levels)).mains
    assert (first.name, second.name) == ("ema mlp, hidden 64", "ema mlp, hidden 128")
    # The smallest p of five pairs is 2 / 2^5; it is the smallest of three.
    assert (first.p_holm, second.p_holm) == (1.0, pytest.approx(3 * 2 / 2**5))
