"""Malformed study files by the hundred: always a StudyError that begins with a place."""

import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ganbench.config.load import LoadedStudy, load_study
from ganbench.config.problems import StudyError
from ganbench.study.design import expand

PLACE = re.compile(r"study\.yaml:\d+:\d+: ")
FUZZ = settings(
    max_examples=150,
    deadline=None,  # No clocks: a slow machine is not a failure.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def outcome(folder, host, content):
    """Return the loaded study or the problems; any other exception fails the test."""
    file = folder / "study.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        return load_study("study.yaml", host)
    except StudyError as error:
        lines = str(error).splitlines()
        assert lines
        for line in lines:
            assert PLACE.match(line), line
        return lines


def paths(value, at=()):
    yield at
    if isinstance(value, dict):
        for key, item in value.items():
            yield from paths(item, (*at, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*at, index))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def tree():
    """Return the good study, every section of it written out."""
    return {
        "name": "small",
        "question": "Does it help?",
        "dataset": {"name": "squares", "size": 8},
        "baseline": {
            "architecture": {"name": "conv", "width": 16},
            "objective": {"name": "non-saturating"},
            "latent": {"dimension": 32, "distribution": "normal"},
            "optimizers": {
                "generator": {"name": "adam", "lr": 0.5, "beta1": 0.5, "beta2": 0.5},
                "discriminator": {"name": "sgd", "lr": 0.5, "momentum": 0.5, "weight_decay": 0.5},
            },
            "batch_size": 64,
            "steps": 600,
            "tricks": {"norm": {"placement": "both", "momentum": 0.5, "output_layer": True}},
            "execution": {"amp": "off", "backend": "eager"},
        },
        "factors": {
            "smoothing": ["off", {"real": 0.75}],
            "noise": ["off", {"start": 0.5, "end": 0.25, "anneal": "linear"}],
            "latent.dimension": [32, 64],
            "architecture": [{"name": "conv", "width": 16}, {"name": "dense", "hidden": 64}],
        },
        "design": {"kind": "one-at-a-time"},
        "seeds": [0, 1, 2],
        "evaluation": {
            "primary": "fid",
            "metrics": [{"name": "fid"}, {"name": "modes"}],
            "extractor": {"name": "classifier"},
            "samples": 500,
            "every": 100,
            "batch_size": 500,
            "batch_norm": "running",
            "judgement": {"alpha": 0.25, "margin": 0.5},
        },
    }


MAPPINGS = [path for path in paths(tree()) if isinstance(at(tree(), path), dict)]
LEAVES = [path for path in paths(tree()) if not isinstance(at(tree(), path), dict | list)]
NUMBERS = [path for path in LEAVES if type(at(tree(), path)) in (int, float)]


def changed(path, value):
    study = tree()
    at(study, path[:-1])[path[-1]] = value
    return yaml.safe_dump(study, sort_keys=False)


def test_the_study_that_is_mutated_is_good(folder, host):
    assert isinstance(outcome(folder, host, yaml.safe_dump(tree())), LoadedStudy)


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: ".".join(map(str, path)) or "root")
def test_an_unknown_key_is_told_in_every_mapping(folder, host, path):
    lines = outcome(folder, host, changed((*path, "zzz"), 1))
    assert any(".".join(map(str, (*path, "zzz"))) + ": " in line for line in lines)


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: ".".join(map(str, path)) or "root")
def test_a_duplicate_key_is_told_in_every_mapping(folder, host, path):
    study = tree()
    mapping = at(study, path)
    first = next(iter(mapping))
    mapping["doubled"] = mapping[first]
    text = yaml.safe_dump(study, sort_keys=False).replace("doubled:", f"{first}:")
    lines = outcome(folder, host, text)
    assert any(f"duplicate key {first!r}" in line for line in lines)


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, None], ids=["list", "mapping", "null"])
@pytest.mark.parametrize("path", LEAVES, ids=lambda path: ".".join(map(str, path)))
def test_a_leaf_of_another_type_is_told_at_its_path(folder, host, path, value):
    lines = outcome(folder, host, changed(path, value))
    if path[0] == "factors" and path[2:] == (0,) and value is None:
        return  # `null` is a way to write `off`.
    if path[-2:] == ("latent.dimension", 0) and value is None:
        return
    assert isinstance(lines, list)
    assert any(".".join(map(str, path)) in line for line in lines), lines


@pytest.mark.parametrize(
    "value", ["x", True, -1, 10**12, 10**30, float("nan"), float("inf")], ids=str
)
@pytest.mark.parametrize("path", NUMBERS, ids=lambda path: ".".join(map(str, path)))
def test_a_number_that_cannot_be_is_told_at_its_path(folder, host, path, value):
    if path[:2] == ("factors", "noise") and isinstance(value, int) and value > 1:
        pytest.skip("noise has no upper bound")
    lines = outcome(folder, host, changed(path, value))
    assert isinstance(lines, list), lines
    if value != 10**30:  # That one is told by the reader, before there is a path.
        assert any(".".join(map(str, path[:3])) in line for line in lines), lines


@pytest.mark.parametrize("path", MAPPINGS[1:] + LEAVES, ids=lambda path: ".".join(map(str, path)))
def test_taking_a_key_out_is_told_or_filled_in(folder, host, path):
    study = tree()
    del at(study, path[:-1])[path[-1]]
    outcome(folder, host, yaml.safe_dump(study))


YAML_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["off", "on", "conv", "dense", "norm", "noise", "fid", "adam", "squares"])
    | st.sampled_from([0.5, 32, 600, "sgd", "both"])
    | st.sampled_from([{"name": "dense"}, {"start": 0.3}, {"placement": "none"}]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["name", "set", "real", "start", "parameters", "generator", "noise", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@FUZZ
@given(path=st.sampled_from(LEAVES + MAPPINGS[1:]), value=YAML_VALUES)
def test_any_value_anywhere_is_a_study_or_a_told_mistake(folder, host, path, value):
    outcome(folder, host, changed(path, value))


KEYS = st.sampled_from(
    [
        "noise",
        "norm",
        "nois",
        "norm.placement",
        "noise.start",
        "booster",
        "penalty",
        "smoothing",
        "architecture",
        "architecture.width",
        "architecture.hidden",
        "objective",
        "objective.x",
        "latent",
        "latent.dimension",
        "optimizers",
        "optimizers.generator",
        "optimizers.generator.name",
        "optimizers.generator.momentum",
        "steps",
        "execution.amp",
        "",
        "tricks",
        "tricks.norm",
        "dataset",
        "baseline.steps",
        "a.b",
        ".",
        "optimizers.generator.lr",
        "architecture.name",
    ]
)


@FUZZ
@given(factors=st.dictionaries(KEYS, YAML_VALUES | st.lists(YAML_VALUES, max_size=3), max_size=3))
def test_any_factors_are_a_study_or_a_told_mistake(folder, host, factors):
    loaded = outcome(folder, host, yaml.safe_dump({**tree(), "factors": factors}))
    if isinstance(loaded, LoadedStudy):
        assert expand(loaded.study, host)


@FUZZ
@given(
    arms=st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from(["a", "b", "a/b"])},
            optional={"set": st.dictionaries(KEYS, YAML_VALUES, max_size=4)},
        )
        | YAML_VALUES,
        max_size=3,
    )
)
def test_any_arms_are_a_study_or_a_told_mistake(folder, host, arms):
    study = {**tree(), "factors": None, "design": {"kind": "arms", "arms": arms}}
    loaded = outcome(folder, host, yaml.safe_dump(study))
    if isinstance(loaded, LoadedStudy):
        assert len(expand(loaded.study, host)) == len(arms) + 1


@FUZZ
@given(value=YAML_VALUES)
def test_any_document_is_a_study_or_a_told_mistake(folder, host, value):
    outcome(folder, host, yaml.safe_dump(value))


@FUZZ
@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_told_mistake(folder, host, content):
    assert isinstance(outcome(folder, host, content), list)


@FUZZ
@given(content=st.text(alphabet="{}[]:,-#&*!|>'\"%@`<? \n\tab1.~", max_size=80))
def test_any_punctuation_is_a_told_mistake(folder, host, content):
    assert isinstance(outcome(folder, host, content), list)


@FUZZ
@given(data=st.data())
def test_a_good_file_with_a_piece_changed_is_a_study_or_a_told_mistake(folder, host, good, data):
    start = data.draw(st.integers(0, len(good) - 1))
    end = data.draw(st.integers(start, min(start + 12, len(good))))
    piece = data.draw(st.text(alphabet="{}[]:,-#&*!|>'\" \n\tabe0123.~", max_size=6))
    outcome(folder, host, good[:start] + piece + good[end:])


@FUZZ
@given(
    key=st.text(alphabet="abns.01[]= ", max_size=12)
    | st.sampled_from(
        [
            "seeds",
            "seeds.0",
            "factors.noise.0",
            "factors",
            "baseline.tricks.norm",
            "dataset.name",
            "evaluation.metrics.1",
            "design.arms",
            "baseline.optimizers.generator.name",
            "baseline",
        ]
    ),
    value=st.text(alphabet="{}[]:,-#&*!|>'\" \nab01.~", max_size=8)
    | st.sampled_from(["off", "on", "sgd", "conv", "[off, on]", "null", "{name: mlp}"]),
)
def test_any_set_is_a_study_or_a_told_mistake(folder, host, key, value):
    told = ""
    try:
        load_study("good.yaml", host, [f"{key}={value}"])
    except StudyError as error:
        told = str(error)
    assert not told or re.match(r"--set |good\.yaml:\d+:\d+: ", told)
