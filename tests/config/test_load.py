"""A good study is completed, and every value knows where it came from."""

import pytest

from ganbench.config.load import load_study
from ganbench.config.model import Study, TrialConfig
from ganbench.plugin import Host
from ganbench.study.design import expand


def test_every_default_is_filled_in_and_has_an_origin(load):
    loaded = load()
    assert loaded.resolved["baseline"]["tricks"]["norm"] == {
        "placement": "both",
        "momentum": 0.1,
        "output_layer": False,
    }
    assert loaded.resolved["factors"]["matching"] == ["off", {"weight": 1.0, "layer": None}]
    assert loaded.resolved["dataset"] == {"name": "squares", "size": 8, "root": None}
    origins = loaded.origins
    assert origins["baseline.steps"] == "study.yaml:12"
    assert origins["baseline.architecture.width"] == "study.yaml:5"
    assert origins["dataset.name"] == origins["dataset"] == "study.yaml:3"
    assert origins["dataset.size"] == "default"
    assert origins["factors.noise.1.start"] == "study.yaml:17"
    assert origins["factors.noise.1.end"] == "default"
    assert origins["seeds.2"] == "study.yaml:22"
    assert origins["evaluation.judgement.alpha"] == "default"


def test_the_resolved_study_is_the_study(load):
    loaded = load()
    study = loaded.study
    assert Study.model_validate(loaded.resolved).factors == study.factors
    assert study.baseline.architecture.parameters == {"width": 16}
    assert study.evaluation.metrics == "auto"
    assert loaded.resolved["evaluation"]["metrics"] == "auto"
    more = load(sets=["evaluation.metrics=[fid, modes]"])
    listed = more.resolved["evaluation"]["metrics"]
    assert listed == [{"name": "fid"}, {"name": "modes"}]


def test_only_the_keys_an_optimizer_uses_are_shown(load):
    optimizers = load().resolved["baseline"]["optimizers"]
    shared = {"name", "lr", "weight_decay", "decay", "decay_law"}
    assert set(optimizers["generator"]) == {"beta1", "beta2", "eps"} | shared
    assert set(optimizers["discriminator"]) == {"momentum"} | shared


def test_an_empty_section_is_as_good_as_none(load):
    text = "name: a\nquestion: b\ndataset: squares\nbaseline:\n  architecture: conv\n  latent:\n"
    text += "  tricks:\n  optimizers:\nfactors:\ndesign:\nevaluation:\n  judgement:\n"
    assert load(text).study.evaluation.every == 100


def test_the_default_between_evaluations_fits_a_study_of_few_steps(load):
    text = "name: a\nquestion: b\ndataset: squares\nbaseline: {architecture: conv, steps: 20}\n"
    assert load(text).study.evaluation.every == 20


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("1", (0,)),
        ("10", tuple(range(10))),
        ("[7]", (7,)),
        ("[3, 0, 4294967295]", (3, 0, 2**32 - 1)),
        ("{min: 2, max: 4}", (0, 1, 2, 3)),
    ],
)
def test_seeds_are_a_count_a_list_or_a_range(load, text, seeds):
    assert load(replace={"seeds: 3": f"seeds: {text}"}).study.all_seeds == seeds


def test_a_quick_run_has_two_seeds_of_a_range(load):
    loaded = load(replace={"seeds: 3": "seeds: {min: 4, max: 8}"}, quick=True)
    assert loaded.study.seeds == (0, 1)


def test_a_config_survives_the_ledger(load, host):
    config = expand(load().study, host)[1].config
    again = TrialConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert again.key() == config.key()


def test_the_shipped_study_is_valid_under_the_built_in_plugins():
    host = Host()
    loaded = load_study("tricks", host)
    names = [arm.name for arm in expand(loaded.study, host)]
    assert names == [
        "baseline",
        "label_smoothing",
        "instance_noise start=0.2",
        "feature_matching",
        "batch_norm placement=generator",
        "batch_norm placement=discriminator",
        "batch_norm placement=none",
    ]
    assert loaded.study.seeds == tuple(range(10))
