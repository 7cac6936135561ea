"""``ganbench compare``: only numbers that were measured alike, with how many there are of each."""

import copy
import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy import stats

from ganbench.cli.main import cli
from ganbench.evaluation.comparable import differences, stamp
from ganbench.plugin import GanbenchError

SHIPPED = Path(__file__).parent.parent.parent / "reports" / "tricks" / "results.json"


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


def compare(*arguments):
    result = CliRunner().invoke(cli, ["compare", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def trial(arm, seed, fid, outcome="complete"):
    points = [{"step": 10, "figures": {"fid": fid, "excess": fid - 10}}]
    return {"arm": arm, "seed": seed, "outcome": outcome, "evaluations": points}


def report(folder, values, keys=None, **protocol):
    """Write the results of a study with FIDs by arm, as ``results.json`` has them."""
    content = {
        "study": {"evaluation": {"primary": "fid"}},
        "quick": False,
        "protocol": {
            "extractor": {"name": "classifier", "weights_sha256": "ab"},
            "samples": 2000,
            "reference": {"name": "digits", "sha256": "12", "notes": []},
            "metrics": {"fid": {}},
            "warnings": [],
            **protocol,
        },
        "environment": {"torch": "2.15.0", "ganbench": "0.1.0", "devices": "cpu"},
        "arms": [{"name": arm, "key": (keys or {}).get(arm, arm)} for arm in values],
        "trials": [
            trial(arm, seed, fid or 0.0, "complete" if fid else "diverged")
            for arm, fids in values.items()
            for seed, fid in enumerate(fids)
        ],
    }
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps(content))
    return folder


FIRST = {"baseline": [10.0, 12.0, 11.0], "ema": [8.0, 9.0, 8.5]}
SECOND = {"baseline": [10.5, 12.5], "ema": [4.0, 5.0, None], "mine": [3.0]}


def test_the_arms_of_both_are_compared_with_both_numbers_of_trials(tmp_path):
    one, other = report(tmp_path / "a", FIRST), report(tmp_path / "b", SECOND, {"ema": "another"})
    code, output = compare(one, other, "--json")
    assert code == 0
    found = json.loads(output)
    baseline, ema = found["rows"]
    assert found["comparable"] is True
    assert (baseline["first"]["trials"], baseline["second"]["trials"]) == (3, 2)
    assert (ema["second"]["trials"], ema["second"]["diverged"]) == (2, 1)
    assert (baseline["same"], ema["same"]) == (True, False)
    logs = [np.log([8.0, 9.0, 8.5]), np.log([4.0, 5.0])]
    assert ema["change"] == pytest.approx(math.exp(logs[1].mean() - logs[0].mean()) - 1)
    # Welch's interval, by its formula.
    errors = [own.var(ddof=1) / len(own) for own in logs]
    freedom = sum(errors) ** 2 / sum(e**2 / (len(o) - 1) for e, o in zip(errors, logs, strict=True))
    reach = stats.t.ppf(0.975, freedom) * math.sqrt(sum(errors))
    middle = logs[1].mean() - logs[0].mean()
    assert ema["low"] == pytest.approx(math.exp(middle - reach) - 1)
    assert ema["high"] == pytest.approx(math.exp(middle + reach) - 1)
    assert found["others"] == ["mine"]


def test_the_table_fits_a_terminal_of_80_columns(tmp_path):
    one, other = report(tmp_path / "a", FIRST), report(tmp_path / "b", SECOND, {"ema": "another"})
    code, output = compare(one.name, other.name)
    assert code == 0
    assert max(map(len, output.splitlines())) <= 80
    assert "2+1" in output
    assert "ema *" in output
    assert "only in one of them: mine" in output


def test_an_arm_that_diverged_everywhere_and_trials_that_wait_are_told(tmp_path):
    one = report(tmp_path / "a", FIRST)
    other = report(tmp_path / "b", {"baseline": [10.0], "ema": [None, None]})
    results = json.loads((other / "results.json").read_text())
    results["trials"].append({**trial("baseline", 1, 0.0, "pending"), "evaluations": []})
    (other / "results.json").write_text(json.dumps(results))
    code, output = compare(one, other)
    assert code == 0
    assert "note: ema is left out: B has no fid of it, 2 diverged\n" in output
    assert "note: B has not finished: 1 of its trials have not ended\n" in output


def test_a_figure_below_zero_is_compared_by_plain_differences(tmp_path):
    one, other = report(tmp_path / "a", FIRST), report(tmp_path / "b", SECOND)
    _, output = compare(one, other, "--figure", "excess", "--json")
    baseline, _ = json.loads(output)["rows"]
    assert baseline["relative"] is False
    assert baseline["change"] == pytest.approx(1.5 - 1.0)


def test_a_single_trial_has_no_interval(tmp_path):
    one, other = report(tmp_path / "a", {"x": [2.0]}), report(tmp_path / "b", {"x": [3.0]})
    _, output = compare(one, other, "--json")
    (row,) = json.loads(output)["rows"]
    assert row["change"] == pytest.approx(0.5)
    assert row["low"] is row["high"] is None


def test_other_protocols_are_refused_with_each_key_and_both_values(tmp_path):
    one = report(tmp_path / "a", FIRST)
    other = report(tmp_path / "b", FIRST, samples=5000, reference={"name": "x", "sha256": "34"})
    with pytest.raises(GanbenchError) as caught:
        compare(one, other)
    text = str(caught.value)
    assert "samples\n    A: 2000\n    B: 5000" in text
    assert "reference.sha256\n    A: 12\n    B: 34" in text
    assert "reference.name" not in text
    assert text.endswith("the reference of A is digits, that of B x")
    code, output = compare(one, other, "--json")
    assert code == 2
    found = json.loads(output)
    assert found["comparable"] is False
    assert found["rows"] == []
    assert {each["key"] for each in found["differences"]} == {"samples", "reference.sha256"}


def test_a_protocol_of_a_real_report_is_like_itself_and_unlike_one_with_any_number_changed():
    protocol = json.loads(SHIPPED.read_text())["protocol"]
    assert differences(protocol, copy.deepcopy(protocol)) == []
    for key, value in (
        ("samples", 1),
        ("batch_norm_statistics", "batch"),
        ("quantisation", "none"),
        ("feature_width", 1),
        ("sampling_batch", 1),
    ):
        assert [each.key for each in differences(protocol, {**protocol, key: value})] == [key]
        assert stamp({**protocol, key: value}) != stamp(protocol)
    classifier = {**protocol["classifier"], "weights_sha256": "other"}
    (changed,) = differences(protocol, {**protocol, "classifier": classifier})
    assert changed.key == "classifier.weights_sha256"


def test_what_defines_no_number_may_differ():
    one = {"samples": 2, "metrics": {"fid": {}, "kid": {"subsets": 3}}, "warnings": []}
    other = {"samples": 2, "metrics": {"fid": {}}, "warnings": ["few"], "collapse_rule": "x"}
    assert differences(one, other) == []
    again = {**other, "metrics": {"kid": {"subsets": 4}}}
    assert [each.key for each in differences(one, again)] == ["metrics.kid.subsets"]


def images(folder, seed, count, size=8):
    draws = np.random.default_rng(seed)
    pixels = draws.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    folder.mkdir()
    for index, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{index:03}.png")
    return pixels


def frechet(first, second):
    """Compute the distance by its definition, of sets with more items than features."""
    rows = [x.reshape(len(x), -1).astype(np.float64) for x in (first, second)]
    covariances = [np.cov(x, rowvar=False) for x in rows]
    roots = np.sqrt(np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(0))
    offset = np.square(rows[0].mean(0) - rows[1].mean(0)).sum()
    return offset + sum(np.trace(c) for c in covariances) - 2 * roots.sum()


def test_two_folders_of_images_are_measured_one_against_the_other(tmp_path):
    first, second = images(tmp_path / "a", 0, 250), images(tmp_path / "b", 1, 220)
    code, output = compare("a", "b", "--extractor", "pixels", "--metrics", "kid", "--json")
    assert code == 0
    found = json.loads(output)
    assert (found["samples"], found["reference"]) == (250, 220)
    assert found["figures"].keys() >= {"fid", "kid"}
    expected = frechet(first / 255, second / 255)
    assert found["figures"]["fid"] == pytest.approx(expected, rel=1e-4)
    code, output = compare("a", "a", "--extractor", "pixels", "--json")
    assert json.loads(output)["figures"]["fid"] == pytest.approx(0, abs=1e-4)


def test_grey_images_against_coloured_ones_are_told(tmp_path):
    images(tmp_path / "a", 0, 200), images(tmp_path / "b", 1, 200)
    code, output = compare("a", "b", "--extractor", "pixels")
    assert "grey" not in output
    for file in (tmp_path / "a").iterdir():
        with Image.open(file) as image:
            grey = image.convert("L")
        grey.save(file)
    code, output = compare("a", "b", "--extractor", "pixels")
    assert code == 0
    assert "note: all images of a are grey, and those of the other folder are not" in output


def test_a_metric_that_gives_nothing_of_a_folder_is_told(tmp_path):
    images(tmp_path / "a", 0, 30)
    for name in ("x", "y"):
        (tmp_path / "b" / name).mkdir(parents=True)
        images(tmp_path / "b" / name / "z", 1, 20)
    code, output = compare("a", "b", "--extractor", "pixels", "--metrics", "probe,vendi", "--json")
    found = json.loads(output)
    assert found["figures"].keys() == {"fid", "vendi", "vendi_data"}
    (told,) = [text for text in found["warnings"] if "gives nothing" in text]
    assert told.startswith("probe ")
    assert code == 0


def test_the_protocol_of_folders_says_nothing_of_a_generator(tmp_path):
    images(tmp_path / "a", 0, 3), images(tmp_path / "b", 1, 3)
    _, output = compare("a", "b", "--extractor", "pixels", "--json")
    protocol = json.loads(output)["protocol"]
    assert protocol["reference"]["name"].endswith("b")
    assert protocol["samples"] == 3
    assert not {"generator_weights", "batch_norm_statistics", "quantisation"} & protocol.keys()


def test_few_images_are_warned_of(tmp_path):
    images(tmp_path / "a", 0, 20), images(tmp_path / "b", 1, 220)
    code, output = compare("a", "b", "--extractor", "pixels")
    assert code == 0
    assert "samples: 20 images of a" in output
    assert "note: 20 samples for 192 features" in output


def test_images_of_several_sizes_need_one_to_be_named(tmp_path):
    images(tmp_path / "a", 0, 3), images(tmp_path / "b", 1, 3, size=12)
    with pytest.raises(GanbenchError, match=r"2 sizes: 8×8 .*12×12 .*--size N"):
        compare("a", "b", "--extractor", "pixels")
    code, output = compare("a", "b", "--extractor", "pixels", "--size", "8")
    assert code == 0
    assert "3×8×8" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a", "r"], "r is a report, and a is none"),
        (["r", "r", "--size", "8"], "are for folders of images"),
        (["a", "a", "--figure", "fid"], "--figure is for reports"),
        (["a", "none"], "does not exist"),
    ],
)
def test_a_wrong_call_ends_with_2(tmp_path, arguments, message):
    images(tmp_path / "a", 0, 2)
    report(tmp_path / "r", FIRST)
    code, output = compare(*arguments)
    assert code == 2
    assert message in " ".join(output.split())


def test_a_broken_or_missing_result_is_told(tmp_path):
    one, broken = report(tmp_path / "a", FIRST), tmp_path / "b"
    broken.mkdir()
    (broken / "results.json").write_text('{"trials": []}')
    with pytest.raises(GanbenchError, match=r"results\.json: not the results of a report"):
        compare(one, broken)
    (broken / "results.json").unlink()
    (broken / "ledger").mkdir()
    (broken / "ledger" / "study.json").write_text("{}")
    with pytest.raises(GanbenchError, match=r"`ganbench report .*b` writes it"):
        compare(one, broken)
    with pytest.raises(GanbenchError, match=r"'fdi' in .*mean 'fid'\?; .*of .*excess, fid"):
        compare(one, one, "--figure", "fdi")
