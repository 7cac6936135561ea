"""In which way steps were taken: told of each arm, and of each cost that counts it too."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from synthetic_study import build_study

from ganbench.cli.verdicts import print_verdicts
from ganbench.report.ways import cost_notes, how_steps_were_taken, mixed_costs
from ganbench.report.words import verdict_rows
from ganbench.report.write import write_report

COMPILED = {"backend": "compiled"}
ODD = {"backend": "eager", "reason": "odd says that it cannot be captured"}
NAMES = ("baseline", "label_smoothing", "instance_noise")


def taken(folder, *executions, levels=None):
    """Return a study of a baseline and two arms whose trials' steps were taken so."""
    plain = build_study(folder, seeds=4, arms=3)
    arms = tuple(arm for arm in plain.arms if arm.name in NAMES)
    if levels is not None:
        arms = (arms[0], replace(arms[1], levels=levels), arms[2])
    told = dict(zip(NAMES, executions, strict=True))
    trials = [
        replace(trial, details={**(trial.details or {}), "execution": told[trial.arm](trial.seed)})
        for trial in plain.trials
    ]
    return replace(plain, arms=arms, trials=tuple(trials))


def always(execution):
    return lambda seed: execution


@pytest.mark.parametrize(
    ("executions", "told"),
    [
        ([None, {"backend": "eager"}], "eager"),
        ([{"backend": "compiled"}] * 3, "compiled"),
        (
            [{"backend": "compiled"}, {"backend": "eager", "reason": "not compiled: odd"}] * 2
            + [{"backend": "compiled"}],
            "3 of 5 compiled; 2 of 5 eager (not compiled: odd)",
        ),
        (
            [{**COMPILED, "without_effect": {"join_batches": "why", "channels_last": "too"}}] * 2,
            "compiled, without effect: join_batches (why), channels_last (too)",
        ),
    ],
)
def test_how_steps_were_taken_is_told(executions, told):
    assert how_steps_were_taken(executions) == told


def test_a_cost_that_counts_a_lost_compilation_is_marked_and_told_wherever_it_stands(tmp_path):
    results = taken(tmp_path / "made", always(COMPILED), always(ODD), always(COMPILED))
    costs = [row.cost for row in verdict_rows(results)]
    assert [cost.endswith("*") for cost in costs] == [False, True, False]
    (note,) = cost_notes(results)
    assert note.startswith(
        "* Cost of label_smoothing: steps were taken eagerly (odd says that it cannot be "
        "captured), the baseline's compiled."
    )
    write_report(results, tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    markdown = (tmp_path / "report" / "report.md").read_text()
    for text, mark in ((page, costs[1]), (markdown, costs[1].replace("*", r"\*"))):
        assert text.count(mark) == 2, "in the table of verdicts and in that of costs"
        assert text.count("steps were taken eagerly (odd says") == 2
    file = io.StringIO()
    print_verdicts(results, Console(file=file, width=120))
    assert costs[1] in file.getvalue()
    assert note in file.getvalue()
    narrow = io.StringIO()
    print_verdicts(results, Console(file=narrow, width=80))
    assert "Cost of" not in narrow.getvalue(), "where no cost is shown"


def test_one_seed_that_fell_back_is_enough(tmp_path):
    results = taken(
        tmp_path, always(COMPILED), lambda seed: ODD if seed == 2 else COMPILED, always(COMPILED)
    )
    assert set(mixed_costs(results)) == {"label_smoothing"}
    assert "taken 3 of 4 compiled; 1 of 4 eagerly (odd" in cost_notes(results)[0]


def test_arms_that_fell_back_with_the_baseline_or_from_what_it_did_not_have_are_not_marked(
    tmp_path,
):
    assert not mixed_costs(taken(tmp_path / "all", always(ODD), always(ODD), always(ODD)))
    asked = {"execution.backend": "compiled"}
    fell = taken(tmp_path / "one", always(None), always(ODD), always(None), levels=asked)
    assert not mixed_costs(fell)


def test_an_arm_that_asks_for_another_way_is_marked_only_where_it_did_not_get_it(tmp_path):
    asked = {"execution.backend": "compiled"}
    eager = always({"backend": "eager"})
    got = taken(tmp_path / "got", eager, always(COMPILED), eager, levels=asked)
    assert not mixed_costs(got)
    partly = always({"backend": "partly compiled", "reason": "odd"})
    some = taken(tmp_path / "some", eager, partly, eager, levels=asked)
    assert set(mixed_costs(some)) == {"label_smoothing"}


def test_a_trial_that_was_trained_alone_has_no_cost_of_its_arm(tmp_path):
    """It has no reason, since it may be so of itself: after it cost two workers."""
    four = {"backend": "eager, 4 trials at once"}
    results = taken(
        tmp_path, always(four), always(four), lambda seed: {"backend": "eager"} if seed else four
    )
    assert "taken 3 of 4 eagerly; 1 of 4 eagerly, 4 trials at once" in cost_notes(results)[0]


def test_a_cost_that_counts_batches_that_one_of_them_could_not_join_is_marked(tmp_path):
    lost = {"backend": "eager", "without_effect": {"join_batches": "D is not known to"}}
    eager = always({"backend": "eager"})
    results = taken(tmp_path / "lost", eager, always(lost), eager)
    assert set(mixed_costs(results)) == {"label_smoothing"}
    assert "eagerly, without effect: join_batches" in cost_notes(results)[0]
    assert not mixed_costs(taken(tmp_path / "both", always(lost), always(lost), always(lost)))
    asked = {"execution.join_batches": True}
    assert not mixed_costs(taken(tmp_path / "asked", eager, always(lost), eager, levels=asked))


def test_options_that_nobody_had_are_left_out_of_what_tells_two_arms_apart(tmp_path):
    flat = {"channels_last": "no convolutions"}
    lost = {"backend": "eager", "without_effect": {**flat, "join_batches": "D is not known to"}}
    plain = always({"backend": "eager", "without_effect": flat})
    (note,) = cost_notes(taken(tmp_path / "lost", plain, always(lost), plain))
    assert (
        "eagerly, without effect: join_batches (D is not known to), the baseline's eagerly." in note
    )


def test_what_preparing_took_stands_beside_the_steps_where_it_is_a_second_or_more(tmp_path):
    plain = build_study(tmp_path / "made", seeds=4, arms=3)
    seconds = dict(zip(NAMES, (6.0, 0.2, None), strict=True))
    trials = [
        replace(trial, details={"execution": COMPILED, "preparing_seconds": seconds[trial.arm]})
        for trial in plain.trials
    ]
    write_report(replace(plain, trials=tuple(trials)), tmp_path / "report")
    markdown = (tmp_path / "report" / "report.md").read_text()
    assert "compiled; prepared in 24 s in all" in markdown
    assert markdown.count("prepared in") == 1
