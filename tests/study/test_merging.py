"""Ledgers merged and moved: nothing is lost, nothing trained twice, differences told."""

import shutil

import pytest
from click.testing import CliRunner
from searching_studies import LR, SPACE, Play, objective, study_of
from test_ledger import ending

from ganbench.cli.merge import command
from ganbench.plugin import GanbenchError, Host
from ganbench.study.archive import Archive, Header, read_results, write_atomically
from ganbench.study.definition import Definition
from ganbench.study.design import expand
from ganbench.study.ledger import Ledger
from ganbench.study.merging import merge
from ganbench.study.records import Cell
from ganbench.study.results import ArmResult
from ganbench.study.run_plan import arm_result

SETTINGS = {
    "dataset": {"name": "ring"},
    "baseline": {"steps": 20},
    "evaluation": {"primary": "fid"},
}


def cells(arms, seeds, fingerprint="f"):
    return [Cell(arm, seed, f"key of {arm}", fingerprint) for seed in seeds for arm in arms]


@pytest.fixture
def folder(tmp_path):
    """Make a report folder with results whose figures are the seeds, or what is given."""

    def folder(name, seeds, arms=("baseline",), values=None, fingerprint="f", **settings):
        archive = Archive(tmp_path / name)
        study = {**SETTINGS, "seeds": list(seeds), **settings}
        results = tuple(ArmResult(arm, {}, f"key of {arm}") for arm in arms)
        Header(
            study, {}, results, dict.fromkeys(arms, fingerprint), {}, {}, "", False, {}, ""
        ).write(archive)
        ledger = Ledger(archive.folder, Definition("study", tuple(arms), {}, tuple(seeds)))
        ledger.queue(cells(arms, seeds, fingerprint))
        while claim := ledger.claim():
            value = float(claim.seed) if values is None else values[claim.seed]
            ledger.finish(claim.number, ending(value))
            picture = archive.samples(claim.key, claim.seed, claim.fingerprint)
            write_atomically(picture, f"{name} {claim.seed}".encode())
            kept = archive.generator(claim.key, claim.seed, claim.fingerprint)
            write_atomically(kept, f"{name} {claim.seed}".encode())
        return archive.report

    return folder


def figures(report):
    return {
        (trial.arm, trial.seed): [point.figures["fid"] for point in trial.evaluations]
        for trial in read_results(report).trials
    }


def test_results_of_other_seeds_and_arms_come_together_with_their_pictures(folder, tmp_path):
    first, second = folder("first", (0, 1)), folder("second", (1, 2), ("baseline", "other"))
    into = tmp_path / "new"
    assert (merge(into, first).copied, merge(into, second).copied) == (2, 3)
    assert figures(into) == {
        ("baseline", 0): [0.0],
        ("baseline", 1): [1.0],
        ("baseline", 2): [2.0],
        ("other", 0): [],
        ("other", 1): [1.0],
        ("other", 2): [2.0],
    }
    pictures = {
        (trial.arm, trial.seed): trial.samples.read_text()
        for trial in read_results(into).trials
        if trial.samples is not None
    }
    assert pictures["baseline", 1] == "first 1"
    assert pictures["other", 2] == "second 2"
    kept = Archive(into).generator("key of baseline", 1, "f")
    assert kept.read_text() == "first 1"
    assert len(list(kept.parent.iterdir())) == 5
    again = merge(into, second)
    assert (again.copied, again.there, again.conflicts) == (0, 4, ())


@pytest.fixture
def tuned(tmp_path):
    """Make a report folder of a study whose arms have been tuned, each by a search of its own."""
    host = Host()

    def tuned(name, factors, objective=objective, most=10_000):
        tuning = {"budget": 3, "seeds": [100], "space": {LR: SPACE[LR]}}
        study = study_of(host, factors=factors, tuning=tuning)
        archive = Archive(tmp_path / name)
        play = Play(archive.folder, study, host, objective)
        play.to_the_end(most=most)
        arms = tuple(arm_result(arm) for arm in (*expand(study, host), *play.searches.arms))
        settings = study.model_dump(mode="json")
        prints = {arm.name: "print" for arm in arms}
        described = play.searches.described()
        Header(settings, {}, arms, prints, {}, {}, "", False, {}, "", searches=described).write(
            archive
        )
        return archive.report

    return tuned


def test_searches_of_arms_that_only_the_source_has_come_along(tuned):
    noise, smoothing = {"start": 0.1}, {"real": 0.9}
    into = tuned("into", {"instance_noise": ["off", noise]})
    source = tuned("source", {"label_smoothing": ["off", smoothing]})
    before = {search.arm: search for search in read_results(source).searches}
    assert merge(into, source).copied == 3  # those of the baseline are there
    after = {search.arm: search for search in read_results(into).searches}
    assert list(after) == ["baseline", "instance_noise", "label_smoothing"]
    assert all(search.winner is not None for search in after.values())
    assert after["label_smoothing"] == before["label_smoothing"]


def test_a_search_that_replaced_what_failed_comes_along_as_it_is(tuned, tmp_path):
    def crashes_if_fast(config, seed):
        lr = config["optimizers"]["generator"]["lr"]
        return None if lr > 1e-2 else objective(config, seed)

    source = tuned("source", {"label_smoothing": ["off", {"real": 0.9}]}, crashes_if_fast)
    before = read_results(source).searches
    assert {(search.count("failed") > 0, search.done) for search in before} == {(True, 3)}
    merged = [merge(tmp_path / "into", source) for _ in range(2)]
    assert [(one.copied, one.there, one.conflicts) for one in merged] == [(6, 0, ()), (0, 6, ())]
    assert read_results(tmp_path / "into").searches == before


def test_two_searches_of_one_name_are_not_mixed_and_it_is_told(tuned):
    factors = {"label_smoothing": ["off", {"real": 0.9}]}
    into, source = tuned("into", factors, most=1), tuned("source", factors)
    before, there = (read_results(report).searches for report in (into, source))
    told = CliRunner().invoke(command, [str(into), str(source)]).output.splitlines()
    assert told[:2] == [
        f"{source}: 3 results copied, 1 there already",
        f"{source}: 2 results left out: of searches that have trials of their own in {into}, and "
        "go on from those alone",
    ]
    # Of the second search all that was here was a trial that waited.
    assert read_results(into).searches == (before[0], there[1])


def test_of_two_results_that_differ_the_first_stands_and_it_is_told(folder):
    into = folder("into", (0, 1))
    other = folder("other", (0, 1), values={0: 0.0, 1: 7.5})
    assert merge(into, other).conflicts == ("baseline, seed 1: 1.0 here and 7.5 there",)
    assert figures(into)["baseline", 1] == [1.0]


def test_results_made_with_something_else_are_kept_beside(folder):
    into, other = folder("into", (0,)), folder("other", (0,), values={0: 9.0}, fingerprint="gpu")
    assert merge(into, other).copied == 1
    assert figures(into) == {("baseline", 0): [0.0]}


def test_arms_are_not_compared_with_another_machine_s_baseline(folder):
    into = folder("into", (0,))
    other = folder("other", (0,), ("baseline", "other"), fingerprint="gpu")
    with pytest.raises(GanbenchError, match="other is only there, and trained on another kind of"):
        merge(into, other)
    assert figures(into) == {("baseline", 0): [0.0]}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"dataset": {"name": "grid"}}, "dataset.name is 'grid' there and 'ring' here"),
        ({"baseline": {"steps": 40}}, "baseline.steps is 40 there and 20 here"),
    ],
)
def test_another_study_is_refused_and_nothing_copied(folder, settings, told):
    into, other = folder("into", (0,)), folder("other", (1,), **settings)
    with pytest.raises(GanbenchError, match=told):
        merge(into, other)
    assert figures(into) == {("baseline", 0): [0.0]}


@pytest.mark.parametrize("last", ["other", "nowhere"])
def test_of_several_sources_none_is_copied_if_one_does_not_fit(folder, tmp_path, last):
    folder("first", (0,))
    folder("other", (1,), baseline={"steps": 40})
    sources = [str(tmp_path / name) for name in ("first", last)]
    result = CliRunner().invoke(command, [str(tmp_path / "new"), *sources])
    assert isinstance(result.exception, GanbenchError)
    assert not (tmp_path / "new").exists()


def test_what_a_ledger_holds_twice_is_not_told_as_there_already(folder, tmp_path):
    source = folder("source", (0, 1))
    # The study with an arm more is another one to Optuna, which takes over what is known.
    extended = Definition("study", ("baseline", "more"), {}, (0, 1))
    Ledger(Archive(source).folder, extended).queue(cells(("baseline",), (0, 1)))
    assert (merge(tmp_path / "new", source).copied, merge(tmp_path / "new", source).there) == (2, 2)
    assert merge(tmp_path / "newer", source).there == 0


def test_what_holds_no_ledger_is_refused(folder, tmp_path):
    with pytest.raises(GanbenchError, match="holds no ledger"):
        merge(folder("into", (0,)), tmp_path / "nowhere")


def test_a_merged_and_a_moved_ledger_need_no_training_again(folder, tmp_path):
    into = tmp_path / "new"
    merge(into, folder("first", (0,)))
    merge(into, folder("second", (1,)))
    moved = tmp_path / "elsewhere" / "moved"
    shutil.move(into, moved)
    ledger = Ledger(Archive(moved).folder, Definition("study", ("baseline",), {}, (0, 1)))
    assert ledger.queue(cells(("baseline",), (0, 1))) == []
    assert figures(moved) == {("baseline", 0): [0.0], ("baseline", 1): [1.0]}
