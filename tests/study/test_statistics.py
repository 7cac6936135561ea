"""Statistics: against scipy, against arithmetic, and against simulated studies."""

from math import exp, inf, log

import numpy as np
import pytest
from scipy import stats

from ganbench.study.paired import (
    equivalence_test,
    holm,
    sign_flip_test,
    signed_rank_interval,
    signed_ranks,
    smallest_p,
    t_interval,
    wilson_interval,
)
from ganbench.study.planning import (
    detectable_effect,
    plan,
    power,
    seeds_for_margin,
    seeds_for_power,
    seeds_to_conclude,
)
from ganbench.study.results import ArmResult, EvaluationPoint, StudyResults, TrialResult
from ganbench.study.statistics import compare, relative_change


def trial(arm, seed, fid=None, outcome="complete", health="healthy", seconds=10.0, curve=None):
    values = curve or ((fid,) if fid is not None else ())
    points = tuple(
        EvaluationPoint((i + 1) * 100, (i + 1) * 1.0, {"fid": value}, health, {})
        for i, value in enumerate(values)
    )
    return TrialResult(arm, seed, "k", outcome, points, seconds, 1.0, 100)


def study_of(arms, seeds, skipped=(), alpha=0.05, margin=0.05):
    """Make results from arm -> list of trials; the first is the baseline."""
    return StudyResults(
        study={
            "evaluation": {"primary": "fid", "judgement": {"alpha": alpha, "margin": margin}},
            "seeds": list(seeds),
        },
        origins={},
        arms=tuple(
            ArmResult(name, {}, "k", "no target" if name in skipped else None) for name in arms
        ),
        trials=tuple(item for trials in arms.values() for item in trials),
        protocol={},
        environment={},
        command="",
    )


def from_finals(**arms):
    """Make results of complete trials from arm=[final figures by seed]."""
    seeds = range(len(next(iter(arms.values()))))
    trials = {
        name: [trial(name, seed, fid) for seed, fid in enumerate(finals)]
        for name, finals in arms.items()
    }
    return study_of(trials, seeds)


# -- the paired tests ------------------------------------------------------------------


@pytest.mark.parametrize("pairs", [2, 5, 8, 11])
def test_sign_flip_test_equals_scipys_exact_permutation_test(pairs):
    values = np.random.default_rng(pairs).normal(0.4, 1, pairs)
    reference = stats.permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf
    )
    p, exact = sign_flip_test(values)
    assert exact
    assert p == pytest.approx(reference.pvalue, rel=1e-12)


def test_sign_flip_test_counts_assignments_that_tie_with_the_observed_one():
    # Of the eight sums of ±0.1 ±0.2 ±0.3, those of size 0.6 are two, though in floating
    # point 0.1 + 0.2 + 0.3 differs from 0.3 + 0.2 + 0.1.
    assert sign_flip_test([0.1, 0.2, 0.3]) == (2 / 8, True)
    # |0.1 + 0.2 - 0.3| = 0: every assignment is at least as far from zero.
    assert sign_flip_test([0.1, 0.2, -0.3]) == (1.0, True)


def test_sign_flip_test_draws_at_random_beyond_twenty_pairs_and_says_so():
    values = np.random.default_rng(3).normal(0.45, 1, 24)
    p, exact = sign_flip_test(values)
    assert not exact
    assert p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=0.1)
    assert sign_flip_test(values) == (p, False)
    assert sign_flip_test(np.ones(30))[0] == smallest_p(30) > 0


@pytest.mark.parametrize("pairs", [4, 7])
def test_equivalence_test_is_two_of_scipys_one_sided_permutation_tests(pairs):
    values, margin = np.random.default_rng(pairs).normal(0.01, 0.03, pairs), 0.05
    expected = max(
        stats.permutation_test(
            (shifted,),
            np.mean,
            permutation_type="samples",
            alternative="greater",
            n_resamples=np.inf,
        ).pvalue
        for shifted in (values + margin, margin - values)
    )
    assert equivalence_test(values, -margin, margin) == pytest.approx(expected)


def test_equivalence_from_n_pairs_is_never_surer_than_one_in_two_to_the_n():
    for pairs in (1, 4, 5):
        assert equivalence_test([0.0] * pairs, -0.05, 0.05) == 2.0**-pairs


def test_equivalence_is_not_found_where_an_arm_diverged():
    assert equivalence_test([0.0] * 5 + [inf], -0.05, 0.05) > 0.05


def test_two_tight_seeds_are_no_proof_of_no_effect():
    results = from_finals(base=[10.0, 11.0], arm=[10.01, 11.012])
    assert compare(results)[1].verdict == "inconclusive"


def test_sign_flip_test_refuses_infinite_differences():
    with pytest.raises(ValueError, match="finite"):
        sign_flip_test([1.0, inf])


def test_the_ranked_test_equals_wilcoxons_exact_one():
    values = np.random.default_rng(5).normal(0.5, 1, 9)
    p, _ = sign_flip_test(signed_ranks(values))
    assert p == pytest.approx(stats.wilcoxon(values, method="exact").pvalue, rel=1e-12)


def test_infinite_differences_share_the_top_ranks_and_zeros_count_for_neither():
    assert signed_ranks([0.0, -1.0, 2.0, inf, inf]).tolist() == [0, -2, 3, 4.5, 4.5]
    assert signed_ranks([inf, -inf, 1.0]).tolist() == [2.5, -2.5, 1.0]


def test_t_interval_equals_scipys():
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 1, 7), rng.normal(0, 1, 7)
    expected = stats.ttest_rel(first, second).confidence_interval(0.9)
    mean, low, high = t_interval(first - second, 0.1)
    assert mean == pytest.approx(np.mean(first - second))
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_signed_rank_interval_inverts_the_signed_rank_test():
    values = np.random.default_rng(1).normal(0.3, 1, 10)
    _, low, high = signed_rank_interval(values, 0.05)
    inside = [low + 1e-6, high - 1e-6]
    outside = [low - 1e-6, high + 1e-6]
    assert all(stats.wilcoxon(values - x, method="exact").pvalue > 0.05 for x in inside)
    assert all(stats.wilcoxon(values - x, method="exact").pvalue <= 0.05 for x in outside)


def test_signed_rank_interval_of_six_spans_the_sample_and_of_five_everything():
    # 2/2^6 = .03125 <= .05 < 2/2^5: six pairs allow the outermost Walsh averages only.
    assert signed_rank_interval([1, 2, 3, 4, 5, 6], 0.05)[1:] == (1, 6)
    assert signed_rank_interval([1, 2, 3, 4, 5], 0.05)[1:] == (-inf, inf)


def test_signed_rank_interval_ends_at_infinity_where_divergence_leaves_it_open():
    estimate, low, high = signed_rank_interval([0.1, 0.2, 0.3, 0.4, 0.5, inf], 0.05)
    assert (low, high) == (0.1, inf)
    assert 0.2 < estimate < 0.5
    # Opposite infinities: their average could be anything.
    assert signed_rank_interval([-inf, inf], 0.9) == (0.0, -inf, inf)


def test_holm_on_a_family_worked_by_hand():
    # Sorted .005 .01 .03 .04: times 4, 3, 2, 1 = .02 .03 .06 .04, then never decreasing.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.6]) == (1.0, 1.0)
    assert holm([]) == ()


@pytest.mark.parametrize(("count", "total"), [(0, 10), (3, 10), (10, 10), (1, 400)])
def test_wilson_interval_equals_scipys(count, total):
    reference = stats.binomtest(count, total).proportion_ci(0.95, method="wilson")
    found = wilson_interval(count, total, 0.05)
    assert found == pytest.approx((reference.low, reference.high), abs=1e-12)


def test_wilson_interval_of_nothing_is_everything():
    assert wilson_interval(0, 0, 0.05) == (0.0, 1.0)


# -- the plan --------------------------------------------------------------------------


def test_five_pairs_can_never_reach_p_of_005():
    assert smallest_p(5) == 0.0625
    text = plan(5, 1, 0.05).text
    assert "0.0625" in text
    assert "no arm can ever be called" in text


def test_holm_over_ten_arms_needs_nine_seeds():
    assert seeds_to_conclude(10, 0.05) == 9
    short = plan(6, 10, 0.05)
    assert not short.can_conclude
    assert "Holm over 10 arms needs at least 9 seeds, you have 6" in short.text
    assert plan(9, 10, 0.05).can_conclude
    assert not plan(8, 10, 0.05).can_conclude


def test_power_equals_the_noncentral_t():
    # G*Power's textbook case: d = 0.5, n = 34, alpha = .05, two-sided: 0.8078.
    assert power(34, 0.5, 0.05) == pytest.approx(0.8078, abs=2e-4)
    threshold = stats.t.ppf(1 - 0.01 / 2, 9)
    reference = stats.nct.sf(threshold, 9, 1.2 * 10**0.5)
    assert power(10, 1.2, 0.01) == pytest.approx(reference, abs=2e-4)


def test_detectable_effect_is_found_eight_times_in_ten():
    effect = detectable_effect(10, 0.05 / 6)
    values = np.random.default_rng(0).normal(effect, 1, (400, 10))
    found = np.mean([sign_flip_test(row)[0] < 0.05 / 6 for row in values])
    assert found == pytest.approx(0.8, abs=0.08)
    assert detectable_effect(5, 0.05) is None


def test_seeds_for_power_and_margin_are_the_fewest():
    needed = seeds_for_power(0.5, 0.05)
    assert power(needed, 0.5, 0.05) >= 0.8 > power(needed - 1, 0.5, 0.05)
    assert needed == 34
    assert seeds_for_power(0.01, 0.05) is None
    assert seeds_for_power(inf, 0.05) == 6

    fitting = seeds_for_margin(0.0, 0.1, 0.05, 0.05)
    half = [stats.t.ppf(0.975, n - 1) * 0.1 / n**0.5 for n in (fitting - 1, fitting)]
    assert half[1] < log(1.05) <= half[0]
    assert seeds_for_margin(0.2, 0.1, 0.05, 0.05) is None


def test_where_no_number_of_seeds_will_do_the_plan_says_so():
    # The smallest p of all is that of 20 pairs, 2 / 2^20 = 1.9e-6.
    assert seeds_to_conclude(1, 1e-6) is None
    never = plan(10, 6, 1e-5)
    assert (never.seeds_needed, never.can_conclude, never.detectable) == (None, False, None)
    assert "No number of seeds can tell 6 arms" in never.text


def test_between_the_exact_and_the_drawn_tests_smallest_p_only_twenty_seeds_will_do():
    # 2 / 2^20 < 3e-6 < 1 / 200,000
    assert seeds_to_conclude(1, 3e-6) == 20
    assert seeds_for_power(inf, 3e-6) == 20
    assert "20 seeds can give" in plan(30, 1, 3e-6).text


def test_a_plan_refuses_what_makes_no_sense():
    with pytest.raises(ValueError, match="-1"):
        plan(-1, 3, 0.05)
    with pytest.raises(ValueError, match="alpha"):
        plan(5, 3, 1.5)


# -- verdicts --------------------------------------------------------------------------

BASE = [20.0, 22.0, 19.0, 25.0, 21.0, 23.0, 18.0, 24.0, 20.5, 22.5]
NOISE = [0.02, -0.03, 0.01, 0.04, -0.02, 0.03, -0.01, -0.04, 0.02, -0.02]


def scaled(factor, noise=1.0):
    return [base * factor * exp(noise * e) for base, e in zip(BASE, NOISE, strict=True)]


def test_clear_effects_are_called_by_their_direction():
    first, better, worse = compare(
        from_finals(baseline=BASE, better=scaled(0.7), worse=scaled(1.4))
    )
    assert first.verdict == "baseline"
    assert (better.verdict, worse.verdict) == ("helps", "hurts")
    assert better.effect.p == 2 / 2**10
    assert better.p_holm == 2 * 2 / 2**10
    assert relative_change(better.effect.estimate) == pytest.approx(-0.3, abs=0.01)


def test_an_interval_inside_the_margin_is_no_effect_even_when_it_excludes_zero():
    same, tiny = compare(from_finals(baseline=BASE, same=scaled(1.0), tiny=scaled(0.98, 0.1)))[1:]
    assert same.verdict == "no effect"
    assert tiny.p_holm < 0.05
    assert tiny.effect.high < 0
    assert tiny.verdict == "no effect"
    assert "too small to matter" in tiny.reason


def test_an_arm_equal_to_the_baseline_has_no_effect():
    (row,) = compare(from_finals(baseline=BASE, twin=BASE))[1:]
    assert row.verdict == "no effect"
    assert (row.effect.p, row.effect.estimate) == (1.0, 0.0)
    assert "does nothing at all" in row.reason


def test_a_noisy_arm_is_inconclusive_and_says_how_many_seeds_would_settle_it():
    noisy = compare(from_finals(baseline=BASE, noisy=scaled(0.93, 8)))[1]
    assert noisy.verdict == "inconclusive"
    assert noisy.seeds_needed is None or noisy.seeds_needed > 10
    # sd of the differences .04 around 0: the interval fits into 5 % as soon as n reaches
    # the count that the margin asks for.
    short = from_finals(baseline=BASE[:3], arm=scaled(1.0, 1.5)[:3])
    row = compare(short)[1]
    assert row.verdict == "inconclusive"
    assert row.seeds_needed > 3
    assert f"{row.seeds_needed} in all" in row.reason


def test_five_seeds_never_give_a_verdict_of_help():
    row = compare(from_finals(baseline=BASE[:5], arm=scaled(0.5)[:5]))[1]
    assert row.verdict == "inconclusive"
    assert row.effect.p == 0.0625


def test_a_family_counts_arms_that_have_not_run_but_not_those_that_do_not_apply():
    seeds = range(10)
    arms = {
        "baseline": [trial("baseline", s, BASE[s]) for s in seeds],
        "good": [trial("good", s, v) for s, v in enumerate(scaled(0.7))],
        "waiting": [],
        "odd": [],
    }
    good, waiting, odd = compare(study_of(arms, seeds, skipped=("odd",)))[1:]
    assert good.p_holm == 2 * 2 / 2**10
    assert (waiting.verdict, waiting.outcomes["pending"]) == ("n/a", 10)
    assert (odd.verdict, odd.p_holm, odd.outcomes["pending"]) == ("n/a", None, 0)
    assert "no target" in odd.reason


def test_divergence_ranks_last_instead_of_vanishing():
    seeds = range(10)
    finals = scaled(0.7)
    arm = [trial("arm", s, finals[s]) for s in range(8)]
    arm += [trial("arm", s, outcome="diverged") for s in (8, 9)]
    base = [trial("baseline", s, BASE[s]) for s in seeds]
    row = compare(study_of({"baseline": base, "arm": arm}, seeds))[1]
    assert row.effect.method == "signed rank"
    assert row.effect.differences[9] == inf
    # Ranks 1 to 8 are better, two tied at 9.5 worse.
    reference, _ = sign_flip_test([-1, -2, -3, -4, -5, -6, -7, -8, 9.5, 9.5])
    assert row.effect.p == reference
    assert row.verdict == "inconclusive"
    assert (row.diverged.count, row.diverged.total) == (2, 10)


def test_an_arm_that_always_diverges_hurts_without_limit():
    seeds = range(10)
    base = [trial("baseline", s, BASE[s]) for s in seeds]
    arm = [trial("arm", s, outcome="diverged") for s in seeds]
    row = compare(study_of({"baseline": base, "arm": arm}, seeds))[1]
    assert row.verdict == "hurts"
    assert (row.effect.low, row.effect.high) == (inf, inf)
    assert relative_change(row.effect.estimate) == inf


def test_arms_that_diverge_wherever_the_baseline_does_get_no_verdict():
    seeds = range(10)
    base = [trial("baseline", s, outcome="diverged") for s in seeds]
    arm = [trial("arm", s, outcome="diverged") for s in seeds]
    row = compare(study_of({"baseline": base, "arm": arm}, seeds))[1]
    assert (row.verdict, row.effect, row.left_out) == ("n/a", None, 10)
    assert "at 10 of 10 seeds neither the arm nor the baseline has a finite fid" in row.reason


def test_a_pair_in_which_both_diverged_says_nothing_about_size():
    seeds = range(10)
    base = [trial("baseline", s, BASE[s]) for s in range(4)]
    arm = [trial("arm", s, v) for s, v in enumerate(scaled(1.0)[:4])]
    base += [trial("baseline", s, outcome="diverged") for s in range(4, 10)]
    arm += [trial("arm", s, outcome="diverged") for s in range(4, 10)]
    row = compare(study_of({"baseline": base, "arm": arm}, seeds))[1]
    # Four pairs give an equivalence test no p below 1 / 2^4, which is above 0.05.
    assert sorted(row.effect.differences) == [0, 1, 2, 3]
    assert row.verdict == "inconclusive"
    assert "at 6 of 10 seeds neither" in row.reason


@pytest.mark.parametrize("lost", [None, inf, float("nan")])
def test_a_complete_trial_without_a_finite_figure_ranks_last(lost):
    seeds = range(10)
    base = [trial("baseline", s, BASE[s]) for s in seeds]
    finals = scaled(0.5)
    arm = [trial("arm", s, finals[s]) for s in range(7)]
    for seed in (7, 8, 9):
        points = (EvaluationPoint(100, 1.0, {} if lost is None else {"fid": lost}, "healthy", {}),)
        arm.append(TrialResult("arm", seed, "k", "complete", points, 1.0, 1.0, 100))
    row = compare(study_of({"baseline": base, "arm": arm}, seeds))[1]
    # The seven survivors alone would give p = 2 / 2^7 and "helps".
    assert row.effect.method == "signed rank"
    assert [row.effect.differences[s] for s in (7, 8, 9)] == [inf] * 3
    assert row.effect.p == sign_flip_test([-1, -2, -3, -4, -5, -6, -7, 9, 9, 9])[0]
    assert (row.verdict, row.left_out) == ("inconclusive", 0)
    assert "3 trials ended without a finite fid and rank last" in row.reason


def test_a_figure_of_zero_ranks_first():
    seeds = range(6)
    base = [trial("baseline", s, BASE[s]) for s in seeds]
    arm = [trial("arm", s, fid=0.0) for s in seeds]
    row = compare(study_of({"baseline": base, "arm": arm}, seeds))[1]
    assert set(row.effect.differences.values()) == {-inf}
    assert row.verdict == "helps"
    both = [trial("arm", s, fid=0.0) for s in seeds]
    equal = [trial("baseline", s, fid=0.0) for s in seeds]
    row = compare(study_of({"baseline": equal, "arm": both}, seeds))[1]
    assert (row.effect.estimate, row.verdict) == (0.0, "no effect")


def test_failed_and_pending_trials_leave_their_pair_out_and_are_counted():
    seeds = range(10)
    base = [trial("baseline", s, BASE[s]) for s in range(9)]
    arm = [trial("arm", s, v) for s, v in enumerate(scaled(0.7))]
    arm[0] = trial("arm", 0, outcome="failed")
    row = compare(study_of({"baseline": base, "arm": arm}, seeds))[1]
    assert sorted(row.effect.differences) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert row.left_out == 2
    assert row.outcomes == {"complete": 9, "failed": 1, "diverged": 0, "pending": 0}


def test_an_arm_without_pairs_says_whether_trials_failed_or_are_pending():
    seeds = range(4)
    arms = {
        "baseline": [trial("baseline", s, BASE[s]) for s in seeds],
        "broken": [trial("broken", s, outcome="failed") for s in seeds],
        "waiting": [],
        "both": [trial("both", s, outcome="failed") for s in range(3)],
    }
    reasons = {row.arm: row.reason for row in compare(study_of(arms, seeds))}
    assert reasons["broken"] == "failed: 4 of 4 trials"
    assert reasons["waiting"] == "pending: 4 of 4 trials"
    assert reasons["both"] == "failed: 3 of 4 trials; pending: 1 of 4 trials"
    broken = [trial("baseline", s, outcome="failed") for s in seeds]
    arm = [trial("arm", s, 1.0) for s in seeds]
    row = compare(study_of({"baseline": broken, "arm": arm}, seeds))[1]
    assert row.reason == "baseline failed: 4 of 4 trials"


def test_a_single_seed_gives_an_estimate_and_no_verdict():
    row = compare(from_finals(baseline=[20.0], arm=[10.0]))[1]
    assert row.verdict == "n/a"
    assert relative_change(row.effect.estimate) == pytest.approx(-0.5)
    assert (row.effect.low, row.effect.high) == (-inf, inf)


def test_collapse_and_cost_are_counted_over_the_right_trials():
    seeds = range(4)
    base = [trial("baseline", s, BASE[s], seconds=10 + s) for s in seeds]
    states = ["healthy", "partial collapse", "total collapse"]
    arm = [trial("arm", s, BASE[s], health=states[s], seconds=20 + 2 * s) for s in range(3)]
    arm.append(trial("arm", 3, outcome="diverged"))
    row = compare(study_of({"baseline": base, "arm": arm}, seeds))[1]
    assert (row.collapsed.count, row.totally_collapsed.count, row.diverged.count) == (2, 1, 1)
    assert row.collapsed.total == 4
    assert row.cost == pytest.approx(2.0)
    assert row.seconds_per_step == pytest.approx(0.22)


def test_best_and_area_are_read_from_the_curve():
    seeds = range(6)
    base = [trial("baseline", s, curve=(40.0, 20.0, 30.0)) for s in seeds]
    arm = [trial("arm", s, curve=(40.0, 10.0, 30.0)) for s in seeds]
    row = compare(study_of({"baseline": base, "arm": arm}, seeds))[1]
    assert row.effect.estimate == 0.0
    assert relative_change(row.best.estimate) == pytest.approx(-0.5)
    # Trapezoids: (30 + 25) / 2 against (25 + 20) / 2.
    assert relative_change(row.area.estimate) == pytest.approx(22.5 / 27.5 - 1)


# -- simulated studies -----------------------------------------------------------------


def test_false_positives_stay_under_alpha_and_intervals_cover_their_share():
    rng = np.random.default_rng(11)
    runs, called, covered = 300, 0, 0
    for _ in range(runs):
        base = rng.normal(3, 0.2, 8)
        arms = {f"a{k}": np.exp(base + rng.normal(0, 0.3, 8)) for k in range(3)}
        rows = compare(from_finals(baseline=np.exp(base), **arms))[1:]
        called += any(row.verdict in ("helps", "hurts") for row in rows)
        covered += rows[0].effect.low <= 0 <= rows[0].effect.high
    # Three standard errors of a share of 5 % among 300 are 3.8 %.
    assert called / runs <= 0.05 + 0.038
    assert covered / runs == pytest.approx(0.95, abs=0.038)


def test_signed_rank_intervals_cover_at_least_their_share():
    rng = np.random.default_rng(12)
    intervals = [signed_rank_interval(rng.normal(0.5, 1, 9), 0.05)[1:] for _ in range(300)]
    assert np.mean([low <= 0.5 <= high for low, high in intervals]) >= 0.95 - 0.038
