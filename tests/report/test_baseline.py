"""The line that says what every arm is compared with."""

from dataclasses import replace

import pytest
from synthetic_study import build_study

from ganbench.report import write_report
from ganbench.report.baseline import baseline_line


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return build_study(tmp_path_factory.mktemp("samples"), seeds=2, arms=2)


def changed(study, **changes):
    return replace(study, study={**study.study, "baseline": {**study.study["baseline"], **changes}})


def test_it_names_networks_objective_data_batch_steps_rates_and_tricks(study):
    adam = {"name": "adam", "lr": 0.0002, "beta1": 0.5, "eps": 1e-8}
    optimizers = {"generator": {**adam, "lr": 0.001}, "discriminator": adam}
    origins = {"baseline.optimizers.discriminator.beta1": "default"}
    origins |= {f"baseline.optimizers.{role}.eps": "default" for role in optimizers}
    made = replace(changed(study, optimizers=optimizers), origins=origins)
    assert baseline_line(made) == (
        "The baseline: dcgan-upsample (width 16); non-saturating objective; digits at 8×8; "
        "batches of 64; 800 steps; G: adam at 0.001 (beta1 0.5), D: adam at 0.0002; with "
        "batch_norm (placement both)."
    )


def test_optimizers_that_are_alike_are_told_once_and_tricks_that_are_off_not_at_all(study):
    sgd = {"name": "sgd", "lr": 0.01}
    both = {"generator": sgd, "discriminator": sgd}
    line = baseline_line(changed(study, optimizers=both, tricks={"infogan": "off"}))
    assert line.endswith("800 steps; sgd at 0.01 for both; no trick.")


def test_points_have_no_size_and_colour_is_told(study):
    def of_shape(*shape):
        return baseline_line(replace(study, protocol={"reference": {"shape": list(shape)}}))

    assert "; digits; " in of_shape(2)
    assert "; digits at 32×48 in colour; " in of_shape(3, 32, 48)


def test_it_stands_above_the_verdicts_in_page_and_markdown(study, tmp_path):
    page = write_report(study, tmp_path).read_text()
    line = baseline_line(study)
    for text, before, after in (
        (page, "<h2>Verdicts</h2>", 'class="verdicts"'),
        ((tmp_path / "report.md").read_text(), "## Verdicts", "| Arm | Verdict"),
    ):
        assert line in text.partition(before)[2].partition(after)[0]
