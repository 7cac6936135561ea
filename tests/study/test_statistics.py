"""Verdicts, and what stands beside them: against arithmetic, and against simulated studies."""

from dataclasses import replace
from math import exp, inf

import numpy as np
import pytest
from made_up_results import BASE, from_finals, scaled, study_of, trial

from ganbench.study.statistics import compare, relative_change


def test_two_tight_seeds_are_no_proof_of_no_effect():
    results = from_finals(base=[10.0, 11.0], arm=[10.01, 11.012])
    assert compare(results)[1].verdict == "inconclusive"


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


def from_changes(*changes):
    """Return results of one arm whose logarithms differ from the baseline's by ``changes``."""
    return from_finals(baseline=[20.0] * len(changes), arm=[20 * exp(x) for x in changes])


def test_an_inconclusive_arm_outside_the_margin_says_how_many_seeds_would_show_its_effect():
    # Mean .2, standard deviation .2: one deviation, which a t test at .05 finds with 80 %
    # power from 10 pairs (Cohen's tables), and the coarser sign-flip test from 11. That it is
    # under 5 % no number of seeds can show.
    row = compare(from_changes(0.0, 0.2, 0.4))[1]
    assert (row.verdict, row.seeds_for_effect, row.seeds_for_margin) == ("inconclusive", 11, None)
    assert "effect of the size seen would take about 11 seeds (8 more)" in row.reason
    assert "margin" not in row.reason


def test_an_inconclusive_arm_inside_the_margin_has_two_numbers_and_each_says_what_for():
    # Mean 0, standard deviation .04. The interval fits into log(.95) to log(1.05) when
    # t(n - 1) * .04 / sqrt(n) < .04879: with 5 pairs 2.776 * .04 / 2.236 = .0497, with 6
    # 2.571 * .04 / 2.449 = .0420. No number of seeds shows an effect of nothing.
    row = compare(from_changes(-0.04, 0.0, 0.04))[1]
    assert (row.verdict, row.seeds_for_effect, row.seeds_for_margin) == ("inconclusive", None, 6)
    assert row.reason.endswith(
        "to show an effect of the size seen would take over 200 seeds; that it lies within the "
        "margin of ±5%, about 6 seeds (3 more)"
    )


def test_a_quick_run_gives_no_advice_on_seeds():
    row = compare(replace(from_changes(0.0, 0.2, 0.4), quick=True))[1]
    assert (row.verdict, row.seeds_for_effect, row.seeds_for_margin) == ("inconclusive", None, None)
    assert "about" not in row.reason
    assert "a quick run cannot tell" in row.reason


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


def test_a_cost_has_the_interval_of_its_median_over_seeds():
    seeds = range(10)
    paces = [10.0 + s / 8 for s in seeds]
    base = [trial("baseline", s, BASE[s], seconds=paces[s]) for s in seeds]
    # ×1.1 to ×2.0
    arm = [trial("arm", s, BASE[s], seconds=paces[s] * (11 + s) / 10) for s in seeds]
    reference, row = compare(study_of({"baseline": base, "arm": arm}, seeds))
    assert row.cost == pytest.approx(1.55)
    assert row.cost_interval == pytest.approx((1.2, 1.9))  # of ten the second and the ninth
    assert (reference.cost, reference.cost_interval) == (None, None)
    few = compare(study_of({"baseline": base[:5], "arm": arm[:5]}, range(5)))
    assert few[1].cost_interval is None


def test_seeds_that_were_measured_together_give_a_cost_no_interval():
    seeds = range(8)
    base = [trial("baseline", s, BASE[s], seconds=10.0 + s) for s in seeds]
    arm = [trial("arm", s, BASE[s], seconds=12.0) for s in seeds]  # one time, shared by all
    (_, row) = compare(study_of({"baseline": base, "arm": arm}, seeds))
    assert row.cost is not None
    assert row.cost_interval is None


def test_best_and_area_are_read_from_the_curve():
    seeds = range(6)
    base = [trial("baseline", s, curve=(40.0, 20.0, 30.0)) for s in seeds]
    arm = [trial("arm", s, curve=(40.0, 10.0, 30.0)) for s in seeds]
    row = compare(study_of({"baseline": base, "arm": arm}, seeds))[1]
    assert row.effect.estimate == 0.0
    assert relative_change(row.best.estimate) == pytest.approx(-0.5)
    # Trapezoids: (30 + 25) / 2 against (25 + 20) / 2.
    assert relative_change(row.area.estimate) == pytest.approx(22.5 / 27.5 - 1)


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
