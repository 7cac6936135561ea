"""What a study asks of ``execution`` in vain is told before it trains."""

import pytest
from machine import plan_of

from ganbench.study.wishes import computed_rows, notes_on_execution, unfilled_rows
from ganbench.training import compiled

STUDY = {
    "name": "tiny",
    "question": "What is paid for?",
    "dataset": {"name": "ring", "samples": 100},
    "baseline": {
        "architecture": {"name": "mlp", "hidden": 8},
        "latent": {"dimension": 2},
        "batch_size": 8,
        "steps": 4,
    },
    "seeds": [0, 4, 8, 12],
    "evaluation": {"extractor": "coordinates", "samples": 64, "every": 4, "batch_size": 64},
}


def _plan(tmp_path, **changes):
    return plan_of({**STUDY, **changes}, tmp_path / "report", tmp_path / "cache")


def _asking(**execution):
    return {**STUDY["baseline"], "execution": execution}


@pytest.mark.parametrize(
    ("seeds", "rows", "computed"),
    [
        (range(4), 4, 4),
        (range(4), 64, 64),
        (range(6), 4, 8),  # rows 0 to 3, and again with 0 and 1
        ([0, 4, 8, 12], 4, 16),  # all in row 0: one after the other
        ([0, 4, 8, 12], 3, 6),  # rows 0, 1, 2, and 0 again
        (range(5), 1, 5),
    ],
)
def test_all_rows_are_computed_each_time_that_trials_are_trained(seeds, rows, computed):
    assert computed_rows(seeds, rows) == computed


@pytest.mark.parametrize(
    ("seeds", "rows", "told"),
    [
        (range(4), 64, "the 4 seeds fill 4 of the 64 rows that are computed for them"),
        (range(4), 64, "; 4 fills all"),
        (range(6), 4, "the 6 seeds fill 6 of the 8 rows"),
        (range(6), 4, "; 6 fills all"),
        (range(100), 64, "; 50 fills all"),
        ([0, 4, 8, 12], 4, "the 4 seeds fill 4 of the 16 rows"),
        ([0, 4, 8, 12], 4, "; seeds that follow one another need 4 rows"),
        ([7], 2, "the one seed fills 1 of the 2 rows that are computed for it"),
        ([7], 2, "; 1 fills all"),
        (range(67), 2, "seed % 2"),  # a prime above the largest choice: there is nothing to say
    ],
)
def test_empty_rows_are_told_with_what_would_fill_them(seeds, rows, told):
    assert told in unfilled_rows(seeds, rows)


@pytest.mark.parametrize(("seeds", "rows"), [(range(4), 4), (range(3, 11), 4), ([2, 9], 1)])
def test_nothing_is_told_where_every_row_is_a_trials(seeds, rows):
    assert unfilled_rows(seeds, rows) is None


def test_each_number_that_arms_ask_for_is_told_once(tmp_path):
    factors = {"execution.together": [4, 8], "latent.dimension": [2, 3]}
    plan = _plan(tmp_path, baseline=_asking(together=4), factors=factors)
    numbers = [note.split(":")[1] for note in notes_on_execution(plan, plan.arms)]
    assert numbers == [" 4", " 8"]


def test_a_number_that_is_measured_and_seeds_that_are_added_are_nobodys_mistake(tmp_path):
    auto = _plan(tmp_path)
    assert notes_on_execution(auto, auto.arms) == []
    added = {"min": 5, "max": 20, "step": 5}
    growing = _plan(tmp_path, seeds=added, baseline=_asking(together=64))
    assert notes_on_execution(growing, growing.arms) == []


def test_a_back_end_that_can_do_nothing_here_is_told_with_its_arms(tmp_path):
    factors = {"execution.backend": ["eager", "graphed"], "latent.dimension": [2, 3]}
    some = _plan(tmp_path, seeds=2, factors=factors, baseline=_asking(backend="eager"))
    (note,) = notes_on_execution(some, some.arms)
    assert note == (
        "execution.backend: graphed: graphs that are recorded need a cuda device, and this is a "
        "cpu one; 1 of 3 arms will be trained eagerly: execution backend=graphed"
    )
    every = _plan(tmp_path, seeds=2, baseline=_asking(backend="graphed"))
    assert notes_on_execution(every, every.arms)[0].endswith("every arm will be trained eagerly")


def test_a_compiler_that_is_not_there_is_told_and_one_that_is_not(tmp_path, monkeypatch):
    plan = _plan(tmp_path, seeds=2, baseline=_asking(backend="compiled"))
    monkeypatch.setattr(compiled, "cpp_compiler", lambda: "g++")
    assert notes_on_execution(plan, plan.arms) == []
    monkeypatch.setattr(compiled, "cpp_compiler", lambda: None)
    (note,) = notes_on_execution(plan, plan.arms)
    assert "finds no C++ compiler" in note
