from types import SimpleNamespace

import pytest

from ganbench.config.model import Study
from ganbench.plugin import GanbenchError, Host
from ganbench.study.compute import choose_devices, default_workers
from ganbench.study.design import expand
from ganbench.study.environment import worker_environment
from ganbench.study.run_plan import cells_of, definition_of, fingerprint, trick_notes
from ganbench.study.workplace import check_plugins

TRICK = """
from ganbench.plugin import Trick, TrickParameters

class Mine(Trick):
    name = "mine"
    neutral = TrickParameters()
"""
INSTRUMENT = {"extractor": {"name": "classifier", "weights": "1234"}, "reference": "abcd"}


@pytest.fixture
def study():
    return Study.model_validate(
        {
            "name": "tiny",
            "question": "Which?",
            "dataset": "digits",
            "baseline": {"architecture": "mlp"},
            "factors": {"label_smoothing": ["off", {"real": 0.9}], "latent.dimension": [64, 8]},
            "seeds": [5, 7],
        }
    )


def test_seeds_are_trained_one_after_the_other_so_that_pairs_are_complete_early(study):
    arms = expand(study, Host())
    prints = dict.fromkeys((arm.name for arm in arms), "f")
    found = [(cell.seed, cell.arm) for cell in cells_of(study, arms, prints)]
    assert found == [(seed, arm.name) for seed in (5, 7) for arm in arms]


def test_optuna_sees_every_factor_s_level_in_every_arm(study):
    arms = expand(study, Host())
    definition = definition_of(study, arms)
    cells = cells_of(study, arms, dict.fromkeys((arm.name for arm in arms), "f"))
    assert [definition.parameters(cell)["latent.dimension"] for cell in cells[:3]] == [
        "64",
        "64",
        "8",
    ]
    for cell in cells:
        for name, value in definition.parameters(cell).items():
            distribution = definition.distributions()[name]
            assert distribution._contains(distribution.to_internal_repr(value))


def test_a_changed_plugin_file_changes_the_arms_that_use_it_and_no_other(tmp_path, study):
    file = tmp_path / "mine.py"
    prints = []
    for text in (TRICK, TRICK + "\nBETTER = True\n"):
        file.write_text(text)
        host = Host([file])
        baseline = expand(study, host)[0].config
        with_mine = baseline.model_copy(update={"tricks": {"mine": {}}})
        prints.append([fingerprint(config, INSTRUMENT, host) for config in (baseline, with_mine)])
    assert prints[0][0] == prints[1][0]
    assert prints[0][1] != prints[1][1]


def test_a_plugin_file_that_is_edited_while_a_study_runs_ends_it(tmp_path, study):
    file = tmp_path / "mine.py"
    file.write_text(TRICK)
    host = Host([file])
    config = expand(study, host)[0].config.model_copy(update={"tricks": {"mine": {}}})
    job = SimpleNamespace(
        configs={"key": config},
        fingerprints={"key": fingerprint(config, INSTRUMENT, host)},
        instrument=INSTRUMENT,
        plugins=(file,),
    )
    check_plugins(job, Host([file]))
    file.write_text(TRICK + "\nBETTER = True\n")
    check_plugins(job, host)  # of what was loaded before
    with pytest.raises(GanbenchError, match="a plugin file was edited after the study began"):
        check_plugins(job, Host([file]))


def test_other_data_or_another_extractor_is_another_fingerprint(study):
    host = Host()
    config = expand(study, host)[0].config
    other = fingerprint(config, {**INSTRUMENT, "reference": "ffff"}, host)
    assert fingerprint(config, INSTRUMENT, host) != other


def test_a_cpu_gets_single_threaded_workers():
    assert choose_devices("cpu") == ("cpu",)
    assert default_workers(("cpu",)) >= 1
    assert worker_environment("cpu")["OMP_NUM_THREADS"] == "1"
    assert default_workers(("cuda:0", "cuda:1")) == 2


@pytest.mark.parametrize("wanted", ["tpu", "cuda:64", "cuda:-1", "cuda:x", ""])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(wanted):
    with pytest.raises(GanbenchError, match=r"no such device here, expected one of auto, cpu"):
        choose_devices(wanted)


def test_what_a_trick_says_of_its_figures_is_noted_under_its_name_if_an_arm_has_it(tmp_path, study):
    file = tmp_path / "told.py"
    told = TRICK + '    figures = {"share": "of updates, in [0, 1]"}\n'
    file.write_text(told + told.replace("Mine", "Other").replace('"mine"', '"other"'))
    host = Host([file])
    given = study.model_dump(mode="json", by_alias=True)
    given["factors"] = {"mine": ["off", {}]}
    assert trick_notes(expand(Study.model_validate(given), host), host) == {
        "mine.share": "of updates, in [0, 1]"
    }
    assert trick_notes(expand(study, host), host) == {}
