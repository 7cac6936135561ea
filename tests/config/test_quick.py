"""``--quick`` makes a study small, and changes nothing else."""

import pytest

from ganbench.config.problems import StudyError
from ganbench.study.design import expand


def test_quick_shrinks_the_documented_keys_and_no_others(load):
    usual, quick = load(), load(quick=True)
    changed = {key for key in usual.resolved if usual.resolved[key] != quick.resolved[key]}
    assert changed == {"baseline", "seeds", "evaluation"}
    assert quick.study.seeds == (0, 1)
    assert quick.study.baseline.steps == 40
    assert (quick.study.evaluation.every, quick.study.evaluation.samples) == (20, 256)
    for key in ("seeds", "seeds.0", "baseline.steps", "evaluation.every", "evaluation.samples"):
        assert quick.origins[key] == "--quick"
    assert quick.origins["baseline.batch_size"] == "study.yaml:11"


def test_quick_leaves_a_small_study_as_it_is(load):
    sets = ["baseline.steps=10", "evaluation.every=5", "evaluation.samples=64", "seeds=[8]"]
    quick = load(sets=sets, quick=True)
    assert quick.resolved == load(sets=sets).resolved
    assert "--quick" not in quick.origins.values()


def test_quick_keeps_the_proportion_of_a_steps_factor(load, host):
    quick = load(sets=["factors.steps=[600, 1200, 1]"], quick=True)
    assert quick.study.factors["steps"] == (40, 80, 1)
    assert len(expand(quick.study, host)) == 8


@pytest.mark.parametrize("steps", [10, 50])
def test_quick_brings_evaluations_into_fewer_steps_than_lie_between_them(load, host, steps):
    # Without --quick it is a mistake: none but the last evaluation would take place.
    sets = [f"baseline.steps={steps}", "evaluation.every=100"]
    with pytest.raises(StudyError, match=f"expected at most baseline.steps, {steps}"):
        load(sets=sets)
    quick = load(sets=sets, quick=True)
    assert quick.study.evaluation.every == min(steps, 20)
    expand(quick.study, host)
