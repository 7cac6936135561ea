"""Verdicts where trials diverged, failed, have not run, or ended without a figure."""

from math import inf

import pytest
from made_up_results import BASE, scaled, study_of, trial

from ganbench.study.paired import sign_flip_test
from ganbench.study.results import EvaluationPoint, TrialResult
from ganbench.study.statistics import compare, relative_change


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
    assert row.reason.startswith("diverged at all 10 seeds, and ranks last there; ")
    assert (row.effect.low, row.effect.high) == (inf, inf)
    assert relative_change(row.effect.estimate) == inf


def test_arms_that_diverge_wherever_the_baseline_does_get_no_verdict():
    seeds = range(10)
    base = [trial("baseline", s, outcome="diverged") for s in seeds]
    arm = [trial("arm", s, outcome="diverged") for s in seeds]
    row = compare(study_of({"baseline": base, "arm": arm}, seeds))[1]
    assert (row.verdict, row.effect, row.left_out) == ("n/a", None, 10)
    assert row.reason == (
        "diverged at all 10 seeds, and ranks last there; the baseline diverged at all 10 seeds, "
        "and ranks last there; where both rank last (all 10 seeds), nothing can be compared"
    )


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
    assert "where both rank last (6 of 10 seeds), nothing can be compared" in row.reason


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
    assert row.reason.startswith(
        "ended without a finite FID at 3 of 10 seeds, and ranks last there; "
    )


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


def test_a_baseline_that_diverged_says_so_in_its_own_row_and_in_the_others():
    seeds = range(8)
    base = [trial("baseline", s, outcome="diverged") for s in range(3)]
    base += [trial("baseline", s, BASE[s]) for s in range(3, 8)]
    arm = [trial("arm", s, scaled(0.5)[s]) for s in seeds]
    first, row = compare(study_of({"baseline": base, "arm": arm}, seeds))
    assert first.reason == "diverged at 3 of 8 seeds, and ranks last there"
    assert row.reason.startswith(f"the baseline {first.reason}; ")


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
