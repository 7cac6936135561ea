"""A wrong study is told all its mistakes, each at its place."""

import pytest

WRONG = [
    # top level
    ("name: small", "name: Small", "1:7: name: not valid, got 'Small', expected text: lower-case"),
    ("name: small", "nam: small", "1:1: nam: unknown key, did you mean 'name'?"),
    ("name: small", "nam: small", "1:1: name: is missing, expected text"),
    ("name: small", "name: [a]", "1:7: name: wrong type, got [a] (a list), expected text"),
    ("question: Does it help?", "question: ''", "2:11: question: not valid, got ''"),
    ("question: Does it help?", "question: 3", "2:11: question: wrong type, got 3, expected text"),
    ("seeds: 3", "sedes: 3", "22:1: sedes: unknown key, did you mean 'seeds'?"),
    # a key in the wrong place
    ("seeds: 3", "seeds: 3\nexecution: {backend: eager}", "did you mean 'baseline.execution'?"),
    ("seeds: 3", "seeds: 3\nmargin: 0.1", "did you mean 'evaluation.judgement.margin'?"),
    (
        "steps: 600",
        "together: 4",
        "did you mean 'baseline.execution.together'?",
    ),
    ("steps: 600", "merge_upsampling: true", "mean 'baseline.execution.merge_upsampling'?"),
    (
        "steps: 600",
        "reuse: true",
        "did you mean 'baseline.latent.reuse'?",
    ),
    (
        "steps: 600",
        "beta1: 0.5",
        "'baseline.optimizers.discriminator.beta1' or 'baseline.optimizers.generator.beta1'?",
    ),
    ("latent.dimension: [32, 64]", "amp: [off, bf16]", "did you mean 'execution.amp'?"),
    ("latent.dimension: [32, 64]", "backend: [eager]", "did you mean 'execution.backend'?"),
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
    ("steps: 600", "execution: {backend: compile}", "did you mean 'compiled'?"),
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
    ("seeds: 3", "seeds: {min: 8, most: 24}", "22:17: seeds.most: unknown key"),
    ("seeds: 3", "seeds: {min: 8}", "seeds.max: is missing"),
    ("seeds: 3", "seeds: {min: 1, max: 24}", "22:14: seeds.min: out of range, got 1"),
    ("seeds: 3", "seeds: {min: 8, max: 7}", "22:22: seeds.max: got 7, expected at least `min`, 8"),
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
