"""The JSON Schema accepts what loads, and refuses what an editor can see is wrong."""

import jsonschema
import pytest
import yaml

from ganbench.config.marks import parse, plain
from ganbench.config.schema import DIALECT, study_schema
from ganbench.config.sources import shipped_studies
from ganbench.plugin import Host


@pytest.fixture(scope="module")
def validator(host):
    schema = study_schema(host)
    assert schema["$schema"] == DIALECT
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def values(text):
    return plain(parse(text, "study.yaml")[0])


def test_the_good_study_is_valid(validator, good):
    validator.validate(values(good))


def test_what_loading_resolves_to_is_valid(validator, load):
    validator.validate(load().resolved)


@pytest.mark.parametrize("name", shipped_studies())
def test_a_shipped_study_is_valid_under_the_installed_plugins(name):
    validator = jsonschema.Draft202012Validator(study_schema(Host()))
    validator.validate(values(shipped_studies()[name].read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("architecture: {name: conv, width: 16}", "architecture: dense"),
        ("  matching: [off, on]", "  architecture: [{name: conv, width: 16}, dense]"),
        ("  matching: [off, on]", "  architecture.width: [16, 32]"),
        ("  matching: [off, on]", "  norm.placement: [both, none]"),
        ("  matching: [off, on]", "  matching: [false, true, {weight: 0.5, layer: a}]"),
        ("kind: one-at-a-time", "kind: arms, arms: [{name: a, set: {noise: on, steps: 5}}]"),
        ("seeds: 3", "seeds: [1, 2]"),
        ("dataset: squares", "dataset: {name: photos, folder: here}"),
        ("norm: {placement: both}\nf", "norm: on\nf"),
        ("latent: {dimension: 32}", "latent:"),
    ],
)
def test_other_good_studies_are_valid(validator, good, old, new):
    assert old in good
    validator.validate(values(good.replace(old, new)))


@pytest.mark.parametrize(
    "text",
    [
        "extends: good.yaml",
        "extends: good.yaml\nbaseline: {architecture: {width: 32}}",
        "extends: good.yaml\nfactors: {noise: null}\nbaseline: {tricks: {norm: null}}",
        "extends: good.yaml\ndataset: {size: 16}\nevaluation: {samples: 5}",
    ],
)
def test_a_study_that_extends_another_may_leave_out_the_rest(validator, text):
    validator.validate(values(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: small\n", ""),
        ("name: small", "name: Small Study"),
        ("name: small", "nam: small"),
        ("dataset: squares", "dataset: square"),
        ("dataset: squares", "dataset: {size: 8}"),
        ("dataset: squares", "dataset: photos"),
        ("width: 16", "width: 1024"),
        ("width: 16", "wdith: 16"),
        ("width: 16", "width: '16'"),
        ("lr: 2e-4", "lr: 0"),
        ("lr: 2e-4", "lr: 2e-4, momentum: 0.5"),
        ("momentum: 0.9", "beta1: 0.9"),
        ("steps: 600", "steps: 600\n  stesp: 3"),
        ("norm: {placement: both}\nf", "norm: {placement: all}\nf"),
        ("norm: {placement: both}\nf", "nrom: on\nf"),
        ("noise: [off, {start: 0.2}]", "noise: [off]"),
        ("noise: [off, {start: 0.2}]", "noise: [off, {start: -0.2}]"),
        ("noise: [off, {start: 0.2}]", "noyse: [off, on]"),
        ("latent.dimension: [32, 64]", "latent.dimension: [32, 0]"),
        ("latent.dimension: [32, 64]", "latent.dimensions: [32, 64]"),
        ("latent.dimension: [32, 64]", "architecture: [conv, dens]"),
        ("latent.dimension: [32, 64]", "execution.backend: [eager, on]"),
        ("kind: one-at-a-time", "kind: one_at_a_time"),
        ("kind: one-at-a-time", "arms: [{name: a, set: {noyse: on}}]"),
        ("seeds: 3", "seeds: 0"),
        ("seeds: 3", "seeds: [1, 1]"),
        ("every: 100", "primary: fud"),
        ("every: 100", "metrics: [fud]"),
        ("extractor: classifier", "extractor: clasifier"),
    ],
)
def test_a_broken_study_is_not_valid(validator, good, old, new):
    assert old in good
    assert not validator.is_valid(values(good.replace(old, new, 1)))


def test_a_plugins_own_words_are_in_the_schema(host):
    definition = study_schema(host)["$defs"]["trick.smoothing"]
    assert "Target of real images." in yaml.safe_dump(definition)
    assert "Smooth." in yaml.safe_dump(definition)
