"""A question is inherited as long as what it asks about is."""

import pytest

from ganbench.config.load import load_study
from ganbench.config.problems import StudyError

GOOD = "What does noise do?"


@pytest.fixture
def question(folder, host, good):
    text = "\n".join(
        f"question: {GOOD}" if line.startswith("question:") else line for line in good.splitlines()
    )
    (folder / "good.yaml").write_text(text)

    def ask(child, *sets):
        (folder / "child.yaml").write_text(f"extends: good.yaml\n{child}")
        loaded = load_study("child.yaml", host, sets)
        return loaded.study.question, loaded.origins["question"]

    return ask


@pytest.mark.parametrize(
    "child",
    [
        "name: child",
        "seeds: 3",
        "baseline: {steps: 700}",
        "evaluation: {samples: 64}",
        "dataset: {}",
        "factors: {}",
    ],
)
def test_what_is_about_the_same_keeps_the_question(question, child):
    assert question(child) == (GOOD, "good.yaml:2")


FEWER = "factors: {noise: null, norm: null, latent.dimension: null}"


@pytest.mark.parametrize(
    ("child", "asked"),
    [
        (FEWER, "What difference do smoothing and matching make on squares?"),
        (
            "factors: {noise: null, norm: null, latent.dimension: null, matching: null}",
            "What difference does smoothing make on squares?",
        ),
        ("factors: null", "How does the baseline do on squares, over seeds?"),
        (
            "factors: null\ndesign: {kind: arms, arms: [{name: soft, set: {smoothing: on}}]}",
            "What difference does the arm soft make on squares?",
        ),
    ],
)
def test_another_subject_is_asked_about_anew(question, child, asked):
    assert question(child) == (asked, "default")


def test_other_data_are_asked_about_anew_and_a_question_of_ones_own_is_kept(question):
    asked, origin = question("dataset: {size: 16}")
    assert asked.startswith("What difference do ")
    assert asked.endswith(" make on squares?")
    assert origin == "default"
    assert question("dataset: {size: 16}\nquestion: And larger?") == ("And larger?", "child.yaml:3")


def test_set_changes_what_is_asked_about_as_a_file_does(question):
    sets = [f"factors.{key}=null" for key in ("noise", "norm", "latent.dimension")]
    asked = "What difference do smoothing and matching make on squares?"
    assert question("", *sets) == (asked, "default")
    assert question("", *sets, "question=Why?")[0] == "Why?"
    assert question("", "seeds=3") == (GOOD, "good.yaml:2")


def test_many_factors_are_not_all_named(question):
    asked, _ = question("factors: {batch_size: [64, 32], steps: [600, 300]}")
    assert asked.endswith(", latent.dimension and 2 more make on squares?")


@pytest.mark.parametrize(
    "child", ["factors: 3", "dataset: [1]", "design: x", "design: {arms: [3]}", "dataset: null"]
)
def test_a_malformed_child_is_told_as_what_it_is(question, child):
    with pytest.raises(StudyError) as caught:
        question(child)
    assert f": {child.partition(':')[0]}" in str(caught.value)
