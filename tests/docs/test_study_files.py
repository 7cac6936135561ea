"""docs/study-files.md: the tables hold every key, the examples load, the errors are real."""

import re
import shlex

import pytest
from docs_page import DOCS, blocks, call_here, check_output, commands
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from ganbench.config.fields import model_in, wanted
from ganbench.config.load import load_study
from ganbench.config.model import OPTIMIZER_KEYS, ArmSpec, Component, Study
from ganbench.config.quick import CONFIGURATIONS, EVERY, SAMPLES, SEEDS, STEPS
from ganbench.config.text import flow
from ganbench.plugin import Host
from ganbench.study.design import expand
from ganbench.study.search import POPULATION, REDUCTION, STARTUP

PAGE = (DOCS / "study-files.md").read_text()
BLOCKS = blocks(PAGE)
FILES = {block.title: block.text for block in BLOCKS if block.title}
SAME = "baseline.optimizers.discriminator."
"""Keys that the page describes once, for the generator."""
BY_HAND = {"seeds"}
"""What is taken is more than the model's type says."""


def model_rows(model: type[BaseModel], prefix: str = "") -> dict[str, tuple[str, str]]:
    """Return what each key of a model takes, and its default."""
    rows: dict[str, tuple[str, str]] = {}
    for name, field in model.model_fields.items():
        key, inner = prefix + name, model_in(field.annotation)
        takes = wanted(field).partition(" (`")[0]
        default = "required" if field.is_required() else shown_default(field)
        if inner is Component:
            takes = "a plugin"
        rows[key] = (takes, default)
        if inner is not None and inner is not Component:
            rest = default if key in BY_HAND else ""
            rows[key] = (takes, "required" if field.is_required() else rest)
            rows |= model_rows(inner, f"{key}.")
    return rows


def shown_default(field) -> str:
    value = to_jsonable_python(field.get_default(call_default_factory=True))
    return f"`{flow(short(value))}`"


def short(value):
    if isinstance(value, dict) and value.keys() == {"name", "parameters"}:
        return value["name"]
    return [short(item) for item in value] if isinstance(value, list) else value


def table_rows() -> dict[str, tuple[str, str]]:
    found = re.findall(r"^\| `([a-z0-9_.]+)` \| (.*?) \| (.*?)\|", PAGE, re.M)
    return {key: (takes, default.strip()) for key, takes, default in found}


ROWS = {
    **{k: v for k, v in model_rows(Study).items() if not k.startswith(SAME)},
    **model_rows(ArmSpec, "design.arms.0."),
}


@pytest.mark.parametrize("key", ROWS)
def test_a_key_stands_in_a_table_with_what_it_takes_and_its_default(key):
    takes, default = table_rows()[key]
    assert default == ROWS[key][1]
    assert key in BY_HAND or takes == ROWS[key][0]


def test_the_tables_hold_no_key_that_is_not_there():
    keys = {key for key in table_rows() if key.split(".")[0] in Study.model_fields}
    assert keys - set(ROWS) == set()


@pytest.mark.parametrize("key", ["beta1", "beta2", "momentum", "alpha", "eps"])
def test_which_optimizers_use_a_key_is_told(key):
    (row,) = (
        line
        for line in PAGE.splitlines()
        if line.startswith(f"| `baseline.optimizers.generator.{key}")
    )
    told = set(re.findall(r"`(\w+)`", row.rpartition("Only")[2]))
    assert told == {kind for kind, keys in OPTIMIZER_KEYS.items() if key in keys}


def test_what_quick_does_is_told_in_its_own_numbers():
    text = PAGE.partition("## `--quick`")[2]
    for part in (
        f"first {SEEDS} seeds",
        f"most {STEPS} steps",
        f"{EVERY} steps",
        f"{SAMPLES} samples",
        f"{CONFIGURATIONS} configurations",
    ):
        assert part in text


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for title, text in FILES.items():
        (tmp_path / title).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "arms"),
    [
        ("smoothing.yaml", 4),
        ("levels.yaml", 4),
        ("arms.yaml", 4),
        ("factorial.yaml", 8),
        ("longer.yaml", 3),
        ("softer.yaml", 2),
        ("search.yaml", 1),
        ("tuned.yaml", 4),
    ],
)
def test_an_example_loads_and_has_its_arms(folder, file, arms):
    host = Host()
    loaded = load_study(file, host)
    found = expand(loaded.study, host)
    assert len(found) == arms
    assert [arm.skipped for arm in found] == [None] * arms


def test_what_samplers_and_pruners_do_is_told_in_their_own_numbers():
    text = " ".join(PAGE.split())
    assert f"whose first {STARTUP} are by chance" in text
    assert f"lets the first {STARTUP} end" in text
    assert f"in generations of {POPULATION}" in text
    assert {3: "one in three"}[REDUCTION] in text


def test_every_example_of_set_is_accepted(folder):
    examples = re.findall(r"^\| `(--set .*?)` \|", PAGE, re.M)
    assert len(examples) == 6
    host = Host()
    for example in examples:
        _, override = shlex.split(example)
        before, after = (
            load_study("smoothing.yaml", host),
            load_study("smoothing.yaml", host, [override]),
        )
        assert before.resolved != after.resolved


def test_what_a_wrong_study_is_told_is_what_the_page_says(folder):
    consoles = [block for block in BLOCKS if block.language == "console"]
    assert len(consoles) == 3
    for block in consoles:
        for line, expected in commands(block):
            code, output = call_here(shlex.split(line)[1:], folder)
            assert code == block.exit_code
            check_output(expected, output)
            assert len(output.splitlines()) == len(expected)
