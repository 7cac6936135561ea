"""Studies that add seeds: against arithmetic, and against simulated studies by the thousand."""

from dataclasses import replace

import numpy as np
import pytest
from made_up_results import study_of, trial

from ganbench.study.exploratory import explore
from ganbench.study.paired import sign_flip_test
from ganbench.study.planning import detectable_effect
from ganbench.study.sequential import (
    Look,
    Schedule,
    can_conclude,
    looks_in_words,
    plan_looks,
    progress_of,
    take_looks,
)
from ganbench.study.statistics import compare

ALPHA, MARGIN = 0.05, 0.05
CALLED = {"helps", "hurts"}
SCHEDULE = {"min": 5, "max": 20, "step": 5}


def test_looks_are_at_the_seeds_that_were_asked_for_and_the_last_one_is_at_the_most():
    assert Schedule(5, 20, 5).seeds == (5, 10, 15, 20)
    assert Schedule(5, 12, 3).seeds == (5, 8, 11, 12)
    assert Schedule(5, 20).seeds == (5, 10, 15, 20)
    assert Schedule(8, 8).seeds == (8,)


@pytest.mark.parametrize(("fewest", "most", "step"), [(1, 5, 1), (6, 5, 1), (5, 9, 0)])
def test_a_schedule_refuses_what_makes_no_sense(fewest, most, step):
    with pytest.raises(ValueError, match=f"{fewest} to {most} seeds"):
        Schedule(fewest, most, step)


def test_a_look_at_which_no_p_is_small_enough_is_left_out_and_its_share_goes_to_the_next():
    # With t^2, a look at half of the seeds has a quarter of .05: over 6 arms .05 / 4 / 6 =
    # .00208, and 10 pairs can give 2 / 2^10 = .00195, but 5 pairs .0625 at best.
    assert plan_looks(Schedule(5, 20, 5), 6, ALPHA) == (
        Look(10, 0.25),
        Look(15, 0.3125),
        Look(20, 0.4375),
    )
    # Over 7 arms .00179 is out of reach.
    assert plan_looks(Schedule(5, 20, 5), 7, ALPHA) == (Look(15, 0.5625), Look(20, 0.4375))


@pytest.mark.parametrize("arms", [0, 1, 6, 50])
@pytest.mark.parametrize("schedule", [Schedule(5, 20, 1), Schedule(6, 14, 3), Schedule(10, 40)])
def test_the_shares_sum_to_the_whole_error_rate(schedule, arms):
    looks = plan_looks(schedule, arms, ALPHA)
    assert sum(look.share for look in looks) == pytest.approx(1)
    assert all(look.share > 0 for look in looks)


def test_a_schedule_that_cannot_reach_the_error_rate_is_told():
    short = Schedule(5, 8, 1)
    assert not can_conclude(plan_looks(short, 10, ALPHA), 10, ALPHA)
    # With 9 seeds the last look alone, at 8 none, has all of the .05: over 10 arms .005, and
    # 9 pairs can give 2 / 2^9 = .0039.
    assert looks_in_words(short, 10, ALPHA).endswith("`max: 9` would do.")
    long = Schedule(5, 20, 5)
    assert can_conclude(plan_looks(long, 6, ALPHA), 6, ALPHA)
    assert looks_in_words(long, 6, ALPHA).startswith(
        "Looks at 10, 15 and 20 seeds share the error rate of 0.05 (25%, 31% and 44%); at 5 no p "
        "could be small enough for a verdict."
    )


def reader(differences):
    """Read differences that are all there: arm -> a row of them."""
    return lambda arm, amount: dict(enumerate(differences[arm][:amount]))


def judged(differences, looks):
    return take_looks(list(differences), looks, reader(differences), ALPHA, MARGIN)[1]


LOOKS = (Look(10, 0.25), Look(15, 0.3125), Look(20, 0.4375))
CLEAR = -0.5 + np.linspace(-0.1, 0.1, 20)
NOTHING = np.tile([0.3, -0.31], 10)
TINY = np.tile([0.01, -0.01], 10)


def test_an_arm_that_is_settled_takes_no_further_look_and_the_others_go_on():
    found = judged({"clear": CLEAR, "tiny": TINY, "nothing": NOTHING}, LOOKS)
    clear, tiny, nothing = found.values()
    assert (clear.verdict, clear.looks, clear.look.seeds) == ("helps", 1, 10)
    assert (tiny.verdict, tiny.looks) == ("no effect", 1)
    assert (nothing.verdict, nothing.looks, nothing.is_open) == ("inconclusive", 3, False)
    # All ten signs agree: 2 / 2^10 over a quarter, then Holm over all three arms.
    assert clear.p == 2 / 2**10 / 0.25
    assert clear.p_holm == 3 * clear.p


def test_the_interval_of_a_look_has_the_level_of_what_it_spends():
    row = judged({"clear": CLEAR}, LOOKS)["clear"].effect
    spread = CLEAR[:10].std(ddof=1) / 10**0.5
    # Student's t of 9 degrees of freedom at 1 - .0125 / 2: 3.111 by tables of .0125.
    assert (row.high - row.low) / 2 / spread == pytest.approx(3.1109, abs=1e-3)


def test_an_arm_that_is_called_later_lightens_holms_burden_on_what_others_showed_before():
    # Turning either of the two small signs, both or none: 8 of 1024 outcomes are as far out,
    # .0078, and over a quarter .031. That is below .05, but not twice, so neither is called.
    start = [-1.0] * 8 + [0.05, 0.06]
    first, second = judged(
        {"steady": [*start, *[-1.0] * 10], "fading": [*start, *[-1.0] * 2, *[0.5] * 8]}, LOOKS
    ).values()
    assert (first.verdict, first.looks, second.verdict, second.looks) == ("helps", 2, "helps", 2)
    assert second.p == second.p_holm == 8 / 1024 / 0.25
    alone = judged({"fading": [*start, *[-1.0] * 2, *[0.5] * 8]}, LOOKS)["fading"]
    assert (alone.verdict, alone.looks) == ("helps", 1)


def test_a_look_is_taken_only_when_all_its_trials_have_ended():
    def read(arm, amount):
        return None if arm == "slow" and amount > 10 else dict(enumerate(NOTHING[:amount]))

    taken, courses = take_looks(["quick", "slow"], LOOKS, read, ALPHA, MARGIN)
    assert taken == 1
    assert all((course.looks, course.is_open) == (1, True) for course in courses.values())


def simulate(rng, studies, arms, schedule, effects=0.0, looks=None):
    """Return verdicts and seeds, a row a study, of arms that share their baseline."""
    names = [f"a{place}" for place in range(arms)]
    looks = looks or plan_looks(schedule, arms, ALPHA)
    verdicts, seeds = [], []
    for _ in range(studies):
        baseline, own = rng.normal(0, 0.2, schedule.most), rng.normal(0, 0.2, (arms, schedule.most))
        changes = own - baseline + 0.2 * 2**0.5 * np.reshape(effects, (-1, 1))
        found = judged(dict(zip(names, changes, strict=True)), looks)
        verdicts.append([course.verdict for course in found.values()])
        seeds.append([course.look.seeds for course in found.values()])
    return np.array(verdicts), np.array(seeds)


def false_calls(verdicts):
    return np.isin(verdicts, list(CALLED)).any(axis=1).mean()


@pytest.mark.parametrize(
    ("arms", "schedule"), [(4, Schedule(6, 14, 2)), (1, Schedule(5, 20, 5))], ids=str
)
def test_at_most_one_null_study_in_twenty_calls_an_arm_however_often_it_looks(arms, schedule):
    verdicts, _ = simulate(np.random.default_rng(1), 2000, arms, schedule)
    assert 0.005 < false_calls(verdicts) <= 0.05


def test_looks_that_share_nothing_would_call_too_many():
    # So that the simulation above is one that can fail.
    looks = tuple(Look(seeds, 1.0) for seeds in range(6, 15))
    verdicts, _ = simulate(np.random.default_rng(2), 500, 1, Schedule(6, 14, 1), looks=looks)
    assert false_calls(verdicts) > 0.08


def test_the_intervals_of_all_looks_together_hold_the_truth_as_often_as_they_say():
    rng, held = np.random.default_rng(3), 0
    for _ in range(1000):
        values = rng.normal(0.1, 0.3, 20)
        effects = [judged({"a": values}, (look,))["a"].effect for look in LOOKS]
        held += all(effect.low <= 0.1 <= effect.high for effect in effects)
    assert held / 1000 >= 0.95 - 0.007


def test_a_clear_effect_is_found_with_about_half_of_the_seeds():
    effects = [-2.0, 0.0, 0.0, 0.0]
    verdicts, seeds = simulate(np.random.default_rng(4), 300, 4, Schedule(5, 20, 5), effects)
    assert (verdicts[:, 0] == "helps").mean() > 0.98
    # Of 20 seeds 9 are saved on that arm, and hardly any on those without an effect.
    assert seeds[:, 0].mean() == pytest.approx(11, abs=1)
    assert seeds[:, 1:].mean() > 19


def test_the_effect_that_the_plan_names_is_found_at_least_eight_times_in_ten():
    looks = plan_looks(Schedule(5, 20, 5), 3, ALPHA)
    effect = detectable_effect(20, ALPHA * looks[-1].share / 3)
    verdicts, _ = simulate(np.random.default_rng(5), 300, 3, Schedule(5, 20, 5), [effect, 0.0, 0.0])
    # Two standard errors of .8 among 300 are .046.
    assert (verdicts[:, 0] == "hurts").mean() >= 0.8 - 0.046


def adding_seeds(arms, skipped=()):
    """Return results of a study that adds seeds, from arm -> {seed: figure or outcome}."""
    trials = {
        name: [
            trial(name, seed, outcome=end) if isinstance(end, str) else trial(name, seed, end)
            for seed, end in ends.items()
        ]
        for name, ends in arms.items()
    }
    results = study_of(trials, (), skipped)
    return replace(results, study={**results.study, "seeds": SCHEDULE})


def figures(changes, amount):
    return {seed: float(20 * np.exp(change)) for seed, change in enumerate(changes[:amount])}


BASE = np.zeros(20)


def counts(results):
    return {arm: len(seeds) for arm, seeds in progress_of(results).wanted.items()}


def test_a_study_of_fixed_seeds_makes_no_progress_of_this_kind():
    assert progress_of(study_of({"baseline": []}, range(5))) is None


def test_a_study_that_has_not_begun_wants_the_first_look_that_is_worth_taking():
    found = progress_of(adding_seeds({"baseline": {}, "arm": {}, "odd": {}}, skipped=("odd",)))
    assert found.taken == 0
    assert found.wanted == {"baseline": tuple(range(10)), "arm": tuple(range(10))}


def test_only_open_arms_and_the_baseline_get_more_seeds():
    ends = {"baseline": figures(BASE, 10), "clear": figures(CLEAR, 10)}
    results = adding_seeds({**ends, "nothing": figures(NOTHING, 10)})
    assert counts(results) == {"baseline": 15, "clear": 10, "nothing": 15}
    # One trial that has not ended holds the look up; one that failed does not.
    waiting = adding_seeds({**ends, "nothing": {**figures(NOTHING, 9), 9: "pending"}})
    assert counts(waiting) == {"baseline": 10, "clear": 10, "nothing": 10}
    failed = adding_seeds({**ends, "nothing": {**figures(NOTHING, 9), 9: "failed"}})
    assert counts(failed)["nothing"] == 15


def test_a_study_whose_arms_are_all_settled_wants_nothing_more():
    results = adding_seeds({"baseline": figures(BASE, 10), "clear": figures(CLEAR, 10)})
    assert counts(results) == {"baseline": 10, "clear": 10}
    assert not progress_of(results).courses["clear"].is_open
    ends = {"baseline": figures(BASE, 20), "nothing": figures(NOTHING, 20)}
    assert counts(adding_seeds(ends)) == {"baseline": 20, "nothing": 20}


def test_the_looks_follow_from_the_results_in_whatever_order_they_came():
    ends = {"baseline": BASE, "clear": CLEAR, "nothing": NOTHING}
    results = adding_seeds({name: figures(changes, 15) for name, changes in ends.items()})
    shuffled = replace(results, trials=tuple(reversed(results.trials)))
    assert progress_of(shuffled) == progress_of(results)


def test_a_verdict_rests_on_the_seeds_of_the_arms_last_look_alone():
    # Beyond the first ten seeds the arm is as bad as can be.
    ends = {"baseline": figures(BASE, 20), "nothing": figures(NOTHING, 20)}
    turned = np.concatenate([CLEAR[:10], np.full(10, 9.0)])
    results = adding_seeds({**ends, "clear": figures(turned, 20)})
    first, nothing, clear = compare(results)
    assert (clear.verdict, len(clear.effect.differences), clear.left_out) == ("helps", 10, 0)
    assert "settled at look 1 of 3, with 10 seeds" in clear.reason
    assert clear.outcomes["complete"] == 10
    assert clear.p_holm == 2 * 2 / 2**10 / 0.25
    assert "still open at the last of 3 looks, with 20 seeds" in nothing.reason
    assert (first.outcomes["complete"], first.looks.seeds, first.looks.is_open) == (20, 20, False)
    assert explore(results, (first, nothing, clear))[2].improvement.value == 1


def test_an_arm_that_is_open_says_so_and_gets_no_advice():
    ends = {"baseline": figures(BASE, 12), "nothing": figures(NOTHING, 12)}
    row = compare(adding_seeds(ends))[1]
    assert (row.verdict, len(row.effect.differences)) == ("inconclusive", 10)
    assert "open after look 1 of 3, with 10 seeds" in row.reason
    assert row.seeds_for_effect is None


def test_before_the_first_look_nothing_is_called():
    ends = {"baseline": figures(BASE, 9), "clear": figures(CLEAR, 9)}
    row = compare(adding_seeds(ends))[1]
    assert (row.verdict, row.p_holm) == ("inconclusive", None)
    assert "no look has been taken yet: the first of 3 is at 10 seeds" in row.reason


def test_divergence_ranks_last_at_every_look():
    arm = dict.fromkeys(range(10), "diverged")
    row = compare(adding_seeds({"baseline": figures(BASE, 10), "arm": arm}))[1]
    assert (row.verdict, row.looks.taken, row.effect.estimate) == ("hurts", 1, np.inf)


def test_a_single_look_is_the_study_of_fixed_seeds():
    rng = np.random.default_rng(6)
    arms = {"a": rng.normal(-0.3, 0.3, 12), "b": rng.normal(0, 0.3, 12)}
    found = judged(arms, (Look(12, 1.0),))
    assert [course.p for course in found.values()] == [
        sign_flip_test(row)[0] for row in arms.values()
    ]


def test_the_same_again_is_corrected_as_one_more_arm_and_costs_the_others_nothing():
    results = adding_seeds({name: figures(CLEAR, 10) for name in ("arm", "again")})
    base = adding_seeds({"baseline": figures(BASE, 10), "arm": {}, "again": {}})
    arms = tuple(replace(arm, seed_offset=arm.name == "again") for arm in base.arms)
    found = progress_of(replace(base, arms=arms, trials=(*base.trials, *results.trials)))
    p = 2 / 2**10 / 0.25
    assert [course.p_holm for course in found.courses.values()] == [p, 2 * p]
    assert found.wanted["again"] == tuple(range(10))


def test_the_same_again_gets_no_more_seeds_than_the_others():
    results = adding_seeds({"arm": figures(CLEAR, 10), "again": figures(NOTHING, 10)})
    base = adding_seeds({"baseline": figures(BASE, 10), "arm": {}, "again": {}})
    arms = tuple(replace(arm, seed_offset=arm.name == "again") for arm in base.arms)
    found = progress_of(replace(base, arms=arms, trials=(*base.trials, *results.trials)))
    assert found.courses["again"].verdict == "inconclusive"
    assert set(found.wanted.values()) == {tuple(range(10))}
