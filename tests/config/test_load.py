"""A good study is completed; a wrong one is told all its mistakes, each at its place."""

import pytest

from ganbench.config.load import load_study
from ganbench.config.model import Study, TrialConfig
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


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("1", (0,)),
        ("10", tuple(range(10))),
        ("[7]", (7,)),
        ("[3, 0, 4294967295]", (3, 0, 2**32 - 1)),
    ],
)
def test_seeds_are_a_count_or_a_list(load, text, seeds):
    assert load(replace={"seeds: 3": f"seeds: {text}"}).study.seeds == seeds


WRONG = [
    # top level
    ("name: small", "name: Small", "1:7: name: not valid, got 'Small', expected text: lower-case"),
    ("name: small", "nam: small", "1:1: nam: unknown key, did you mean 'name'?"),
    ("name: small", "nam: small", "1:1: name: is missing, expected text"),
    ("name: small", "name: [a]", "1:7: name: wrong type, got [a] (a list), expected text"),
    ("question: Does it help?", "question: ''", "2:11: question: not valid, got ''"),
    ("question: Does it help?", "question: 3", "2:11: question: wrong type, got 3, expected text"),
    ("seeds: 3", "sedes: 3", "22:1: sedes: unknown key, did you mean 'seeds'?"),
    # components
    (
        "dataset: squares",
        "dataset: square",
        "3:10: dataset.name: no dataset has the name 'square', did you mean 'squares'?",
    ),
    ("dataset: squares", "dataset: {size: 8}", "3:10: dataset.name: is missing: which dataset?"),
    ("dataset: squares", "dataset: {name: photos}", "3:10: dataset.folder: is missing"),
    ("dataset: squares", "dataset: {name: 3}", "3:17: dataset.name: wrong type, got 3"),
    ("dataset: squares", "dataset: [squares]", "3:10: dataset: wrong type, got [squares]"),
    (
        "width: 16",
        "width: 1024",
        "5:37: baseline.architecture.width: out of range, got 1024, "
        "expected a whole number from 1 to 512",
    ),
    ("width: 16", "width: 16.0", "expected a whole number from 1 to 512"),
    (
        "width: 16",
        "width: '16'",
        "got '16' (text), expected a whole number from 1 to 512, did you mean 16 (a number)?",
    ),
    ("width: 16", "width: true", "wrong type, got true"),
    (
        "width: 16",
        "with: 16",
        "5:30: baseline.architecture.with: unknown key, did you mean 'width'",
    ),
    (
        "{name: conv, width: 16}",
        "{name: dense, layers: [3, x]}",
        "5:43: baseline.architecture.layers.1: wrong type, got 'x' (text), expected a whole number",
    ),
    ("objective: non-saturating", "objective: non_saturating", "did you mean 'non-saturating'?"),
    # baseline
    ("latent: {dimension: 32}", "latent: {dimension: 0}", "expected a whole number from 1 to 4096"),
    (
        "latent: {dimension: 32}",
        "latent: 32",
        "7:11: baseline.latent: wrong type, got 32, expected a mapping",
    ),
    (
        "latent: {dimension: 32}",
        "latent: {dimension: 32, distribution: normla}",
        "unknown choice, got 'normla', expected one of 'normal', 'uniform', did you mean 'normal'?",
    ),
    ("lr: 2e-4", "lr: 0", "expected a number above 0 and at most 10"),
    ("lr: 2e-4", "lr: .nan", "not a finite number, got nan"),
    ("lr: 2e-4", "lr: .inf", "got inf"),
    (
        "beta1: 0.5",
        "momentum: 0.5",
        "9:39: baseline.optimizers.generator.momentum: adam does not "
        "use momentum, expected one of beta1, beta2, decay, decay_law, eps, lr, weight_decay",
    ),
    ("momentum: 0.9", "beta1: 0.9", "baseline.optimizers.discriminator.beta1: sgd does not use"),
    (
        "name: sgd",
        "name: sdg",
        "got 'sdg', expected one of 'adam', 'adamw', 'sgd', 'rmsprop', did you mean 'sgd'?",
    ),
    (
        "batch_size: 64",
        "batch_size: 64\n  batch-size: 32",
        "12:3: baseline.batch-size: unknown key, did you mean 'batch_size'?",
    ),
    (
        "steps: 600",
        "steps: 600\n  steps: 700",
        "13:3: duplicate key 'steps', first given at line 12",
    ),
    ("steps: 600", "steps:", "12:9: baseline.steps: wrong type, got nothing (null)"),
    ("steps: 600", "execution: {compile: on}", "expected true or false, did you mean true?"),
    ("steps: 600", "execution: {amp: true}", "got true, expected one of 'off', 'bf16'"),
    # tricks
    (
        "norm: {placement: both}\nf",
        "nrom: {placement: both}\nf",
        "14:5: baseline.tricks.nrom: no trick has the name 'nrom', did you mean 'norm'?",
    ),
    (
        "norm: {placement: both}\nf",
        "norm: {placement: all}\nf",
        "14:23: baseline.tricks.norm."
        "placement: unknown choice, got 'all', expected one of 'both', 'generator', 'none'",
    ),
    ("norm: {placement: both}\nf", "norm: 3\nf", "expected on, off, or its parameters (placement"),
    (
        "norm: {placement: both}\nf",
        "norm: on\n    penalty: on\nf",
        "15:5: baseline.tricks.penalty: "
        "penalty conflicts with norm: a gradient of one image must not depend on the others",
    ),
    (
        "norm: {placement: both}\nf",
        "norm: on\n    booster: on\nf",
        "15:5: baseline.tricks.booster: booster requires matching: it boosts",
    ),
    ("  tricks:\n    norm: {placement: both}", "  tricks: [norm]", "13:11: baseline.tricks: wrong"),
    # factors
    (
        "noise: [off, {start: 0.2}]",
        "noise: [off, {start: 0.2, end: 0.3}]",
        "17:16: factors.noise.1: end must not be above start, got {start: 0.2, end: 0.3}",
    ),
    (
        "noise: [off, {start: 0.2}]",
        "noise: [off]",
        "17:10: factors.noise: got 1 level, expected at least two",
    ),
    ("noise: [off, {start: 0.2}]", "noise: off", "17:10: factors.noise: wrong type, got 'off'"),
    (
        "noise: [off, {start: 0.2}]",
        "noise: [off, on, {start: 0.1}]",
        "17:20: factors.noise.2: the same as factors.noise.1, once all defaults are filled in",
    ),
    (
        "noise: [off, {start: 0.2}]",
        "noise: [on, off]",
        "17:11: factors.noise.0: the first level "
        "must be the baseline's, got on, expected off; begin the list with off, or set "
        "baseline.tricks.noise to on",
    ),
    (
        "norm: [{placement: both}, {",
        "norm: [off, {",
        "19:10: factors.norm.0: the first level must be "
        "the baseline's, got off, expected on; begin the list with on, or remove "
        "baseline.tricks.norm",
    ),
    (
        "latent.dimension: [32, 64]",
        "latent.dimension: [16, 64]",
        "got 16, expected 32; begin the list with 32, or set baseline.latent.dimension to 16",
    ),
    (
        "latent.dimension: [32, 64]",
        "latent.dimension: [32, x]",
        "20:26: factors.latent.dimension.1: wrong type, got 'x' (text)",
    ),
    (
        "latent.dimension: [32, 64]",
        "latent.dimensions: [32, 64]",
        "20:3: factors.latent.dimensions: "
        "neither a trick nor a path into the baseline, did you mean 'latent.dimension'?",
    ),
    (
        "latent.dimension: [32, 64]",
        "baseline.latent.dimension: [32, 64]",
        "did you mean 'latent.dimension'?",
    ),
    ("latent.dimension: [32, 64]", "smothing: [off, on]", "did you mean 'smoothing'?"),
    (
        "latent.dimension: [32, 64]",
        "dataset: [squares, photos]",
        "20:3: factors.dataset: not a part of the baseline",
    ),
    (
        "latent.dimension: [32, 64]",
        "noise.start: [0.1, 0.2]",
        "20:3: factors.noise.start: noise is off in the baseline; vary 'noise' as a whole",
    ),
    (
        "latent.dimension: [32, 64]",
        "norm.place: [both, none]",
        "norm has no parameter 'place', did you mean 'placement'?",
    ),
    (
        "latent.dimension: [32, 64]",
        "norm.placement: [both, none]",
        "20:26: factors.norm.placement.1: the same as factors.norm.1",
    ),
    (
        "latent.dimension: [32, 64]",
        "architecture.wide: [16, 32]",
        "conv has no parameter 'wide', did you mean 'width'?",
    ),
    ("latent.dimension: [32, 64]", "architecture.name: [conv, dense]", "by the key 'architecture'"),
    (
        "latent.dimension: [32, 64]",
        "architecture: [conv, dense]",
        "got {name: conv}, expected {name: "
        "conv, width: 16}; begin the list with {name: conv, width: 16}",
    ),
    (
        "latent.dimension: [32, 64]",
        "optimizers.generator.momentum: [0, 0.5]",
        "20:3: factors.optimizers.generator.momentum: adam does not use momentum",
    ),
    (
        "latent.dimension: [32, 64]",
        "execution.amp: [off, fp16]",
        "got 'fp16', expected one of 'off'",
    ),
    ("latent.dimension: [32, 64]", "tricks: [{}, {norm: on}]", "neither a trick nor a path"),
    # design, seeds, evaluation
    ("kind: one-at-a-time", "kind: one_at_a_time", "did you mean 'one-at-a-time'?"),
    ("kind: one-at-a-time", "kind: arms", "21:9: design.arms: is missing"),
    ("kind: one-at-a-time", "kind: arms", "15:1: factors: has no part in `kind: arms`"),
    ("kind: one-at-a-time", "arms: [{name: a, set: {noise: on}}]", "design.arms: has no part"),
    ("seeds: 3", "seeds: 0", "22:8: seeds: out of range, got 0, expected a count from 1 to 10000"),
    ("seeds: 3", "seeds: true", "22:8: seeds: wrong type, got true"),
    ("seeds: 3", "seeds: []", "22:8: seeds: wrong type, got []"),
    ("seeds: 3", "seeds: [1, 2, 1]", "22:15: seeds.2: the seed 1 again, the same as seeds.0"),
    ("seeds: 3", "seeds: [1, -2]", "22:12: seeds.1: got -2, expected a whole number from 0"),
    ("seeds: 3", "seeds: [1, 1.5]", "22:12: seeds.1: got 1.5"),
    (
        "every: 100",
        "every: 601",
        "evaluation.every: out of range, got 601, expected at most baseline.steps, 600",
    ),
    ("every: 100", "primary: fud", "did you mean 'fid'?"),
    (
        "every: 100",
        "primary: modes",
        "evaluation.primary: got 'modes', which is not declared as lower is better, as verdicts "
        "need; figures that are: fid, kl",
    ),
    ("every: 100", "primary: kl, metrics: [fid]", "the figure 'kl' needs 'modes' among"),
    (
        "every: 100",
        "metrics: [fid, modes, fid]",
        "evaluation.metrics.2: gives the figure 'fid', which evaluation.metrics.0 gives already",
    ),
    ("every: 100", "metrics: [fid, modes, modes2]", "gives the figure 'kl', which evaluation.metr"),
    ("every: 100", "metrics: []", "evaluation.metrics"),
    (
        "every: 100",
        "metrics: fid",
        "evaluation.metrics: unknown choice, got 'fid', expected 'auto' or a list",
    ),
    ("every: 100", "judgement: {alpha: 0.5}", "expected a number above 0 and below 0.5"),
    (
        "extractor: classifier",
        "extractor: inceptoin",
        "evaluation.extractor.name: no extractor has",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_a_mistake_is_told_with_place_path_value_and_mend(errors, old, new, message):
    lines = errors(replace={old: new})
    assert all(line.startswith("study.yaml:") for line in lines)
    assert any(message in line.removeprefix("study.yaml:") for line in lines), lines


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(errors):
    lines = errors(
        replace={
            "dataset: squares": "dataset: square",
            "steps: 600": "steps: 0",
            "smoothing:": "smothing:",
            "seeds: 3": "seeds: 0",
            "classifier": "clasifier",
        }
    )
    places = [line.split(" ")[1].rstrip(":") for line in lines]
    assert places == [
        "dataset.name",
        "baseline.steps",
        "factors.smothing",
        "seeds",
        "evaluation.extractor.name",
    ]


def test_a_message_is_one_printable_line_whatever_it_quotes(errors):
    lines = errors(replace={"steps: 600": '"st\\nps": 600'})
    assert lines == ["study.yaml:12:3: baseline.st\\nps: unknown key, did you mean 'steps'?"]
    (line,) = errors(sets=["a\x1b[31m\udcffb=\n3"])
    assert line.startswith(r"--set a\x1b[31m\udcffb=\n3: expected a key")


def test_one_mistake_brings_no_others_along(errors):
    assert len(errors(replace={"name: conv": "name: cnov"})) == 1
    assert len(errors(replace={"norm: {placement: both}\nf": "nrom: {placement: both}\nf"})) == 1


ARMS = """
design:
  kind: arms
  arms:
"""


def arms_study(load_or_errors, good, arms):
    start, rest = good.index("factors:"), good[good.index("seeds:") :]
    return load_or_errors(good[:start] + ARMS.lstrip() + arms + rest)


def test_explicit_arms_are_completed_like_levels(load, good):
    arms = "    - {name: both, set: {noise: on, latent.dimension: 64, norm: off}}\n"
    arm = arms_study(load, good, arms).resolved["design"]["arms"][0]
    assert arm["set"]["noise"] == {"start": 0.1, "end": 0.0, "anneal": "linear"}
    assert arm["set"]["norm"] == "off"


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        (
            "    - {name: a, set: {nois: on}}\n",
            "18:23: design.arms.0.set.nois: neither a trick nor",
        ),
        (
            "    - {name: a, set: {noise: {start: -1}}}\n",
            "design.arms.0.set.noise.start: out of ran",
        ),
        ("    - {name: a, set: [noise]}\n", "design.arms.0.set: wrong type, got [noise]"),
        (
            "    - {name: a, set: {norm: off, norm.placement: none}}\n",
            "design.arms.0.set.norm.placement: cannot be set: norm is off here",
        ),
        ("    - {name: a, set: {}}\n", "design.arms.0: the same as baseline"),
        ("    - {name: a, set: {latent.dimension: 32}}\n", "design.arms.0: the same as baseline"),
        (
            "    - {name: a, set: {noise: on}}\n    - {name: b, set: {noise: {}}}\n",
            "design.arms.1: the same as design.arms.0",
        ),
        (
            "    - {name: a, set: {noise: on}}\n    - {name: a, set: {norm: off}}\n",
            "design.arms.1.name: 'a' is taken: arm 0 has it",
        ),
        ("    - {name: baseline, set: {noise: on}}\n", "'baseline' is taken: the baseline has it"),
        ("    - {set: {noise: on}}\n", "design.arms.0.name: is missing"),
        (
            "    - {name: a/b, set: {noise: on}}\n",
            "design.arms.0.name: not valid, got 'a/b', expec",
        ),
        ("    - noise\n", "design.arms.0: wrong type, got 'noise' (text), expected a mapping"),
        ("    {a: b}\n", "design.arms: wrong type"),
    ],
)
def test_a_mistake_in_an_arm_is_told(errors, good, arms, message):
    lines = arms_study(errors, good, arms)
    assert any(message in line for line in lines), lines


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


def test_a_config_survives_the_ledger(load, host):
    config = expand(load().study, host)[1].config
    again = TrialConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert again.key() == config.key()


def test_the_shipped_study_is_valid_under_the_built_in_plugins():
    from ganbench.plugin import Host

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
