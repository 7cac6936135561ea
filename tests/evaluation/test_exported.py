"""What ``ganbench export`` writes: the samples that were measured, as other programs read them."""

import json
import shutil
import sys

import numpy as np
import pytest
import scipy.linalg
import torch
from click.testing import CliRunner
from PIL import Image
from pytorch_fid import fid_score, inception

from ganbench.cli.main import cli, main
from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.evaluator import Evaluator
from ganbench.plugin import Data, GanbenchError
from ganbench.study.archive import read_results

CPU = torch.device("cpu")
STUDY = """
name: small
question: Does an average help?
dataset: {name: folder, path: PICTURES, size: 8}
baseline:
  architecture: {name: mlp, hidden: 8}
  latent: {dimension: 4}
  batch_size: 4
  steps: 6
factors:
  ema: ["off", "on"]
seeds: [3, 4]
evaluation: {extractor: pixels, samples: 8, every: 6}
"""
root = scipy.linalg.sqrtm


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Run a small study on a few coloured images, and return its folder."""
    folder = tmp_path_factory.mktemp("study")
    pictures = folder / "pictures"
    pictures.mkdir()
    coarse = np.random.default_rng(0).integers(0, 256, (11, 4, 4, 3), dtype=np.uint8)
    for index, image in enumerate(coarse.repeat(2, axis=1).repeat(2, axis=2)):
        Image.fromarray(image).save(pictures / f"{index}.png")
    (folder / "small.yaml").write_text(STUDY.replace("PICTURES", str(pictures)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GANBENCH_DATA", str(folder / "data"))
        patch.setenv("GANBENCH_CACHE", str(folder / "cache"))
        line = ["ganbench", "run", "small.yaml", "--workers", "1", "--device", "cpu"]
        patch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
    return folder / "reports" / "small"


@pytest.fixture(autouse=True)
def surroundings(report, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANBENCH_DATA", str(report.parent.parent / "data"))
    threads, strict = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(strict)


def export(report, *arguments):
    result = CliRunner().invoke(cli, ["export", str(report), "--device", "cpu", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def pngs(folder):
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])


def as_items(pixels):
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))


@pytest.mark.parametrize("arm", ["baseline", "ema"])
def test_they_are_the_samples_that_the_report_measured(report, tmp_path, host, arm):
    told = export(report, "--arm", arm, "--seed", "4", "--to", "samples")
    assert "8 images" in told
    assert "they begin with those of the report's picture" in told
    export(report, "--data", "--to", "data")
    settings = Evaluation(
        metrics=(Component(name="fid"),), extractor=Component(name="pixels"), samples=8
    )
    data = Data("data", as_items(pngs(tmp_path / "data")))
    assert len(data.items) == 11
    evaluator = Evaluator(settings, data, host, CPU, tmp_path / "cache")
    found = evaluator.evaluate(as_items(pngs(tmp_path / "samples")))["fid"]
    assert found == pytest.approx(read_results(report).of_arm(arm)[4].final("fid"), rel=1e-9)


def test_an_npz_holds_the_same_images_and_says_what_they_are(report, tmp_path):
    export(report, "--to", "samples")
    export(report, "--to", "samples", "--format", "npz")
    images = np.load(tmp_path / "samples.npz")["arr_0"]
    assert images.dtype == np.uint8
    assert np.array_equal(images, pngs(tmp_path / "samples"))
    about = json.loads((tmp_path / "samples.npz.json").read_text())
    assert (about["arm"], about["seed"], about["step"]) == ("baseline", 3, 6)
    assert about["protocol"]["samples"] == 8
    assert json.loads((tmp_path / "samples" / "ganbench.json").read_text()) == about


def test_a_trial_trained_again_gives_the_same_images_with_and_without_the_ledger(report, tmp_path):
    export(report, "--arm", "ema", "--to", "kept")
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "results.json").write_bytes((report / "results.json").read_bytes())
    with pytest.raises(GanbenchError, match=r"of ema at seed 3 in .*without its ledger; --retrain"):
        export(bare, "--arm", "ema")
    told = export(bare, "--arm", "ema", "--retrain", "--to", "again")
    assert "no picture in the report" in told
    assert np.array_equal(pngs(tmp_path / "again"), pngs(tmp_path / "kept"))


def test_weights_that_cannot_be_read_are_told(report, tmp_path):
    copy = shutil.copytree(report, tmp_path / "copy")
    for path in (copy / "ledger" / "generators").iterdir():
        path.write_bytes(b"half a file")
    with pytest.raises(GanbenchError, match="no generator was kept in it"):
        export(copy)


def test_more_than_were_measured_may_be_asked_for_and_that_is_told(report, tmp_path):
    told = export(report, "--samples", "20", "--to", "many")
    assert "20 images" in told
    assert "8 were measured, and here are more" in told
    assert len(pngs(tmp_path / "many")) == 20


def test_what_is_there_is_never_written_over_or_mixed(report, tmp_path):
    export(report)
    with pytest.raises(GanbenchError, match="small-baseline-3: is there already"):
        export(report)
    (tmp_path / "x.npz").write_bytes(b"")
    with pytest.raises(GanbenchError, match=r"x\.npz: is there already"):
        export(report, "--format", "npz", "--to", "x")
    with pytest.raises(GanbenchError, match=r"y\.npz: is the name of a file.*--format npz"):
        export(report, "--to", "y.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--arm", "emma"], "there is no arm 'emma', did you mean 'ema'"),
        (["--seed", "5"], "the study has no seed 5; seeds are 3, 4"),
    ],
)
def test_a_trial_that_is_not_there_is_told(report, arguments, message):
    with pytest.raises(GanbenchError, match=message):
        export(report, *arguments)


def test_a_folder_that_is_no_report_is_told(report, tmp_path):
    with pytest.raises(GanbenchError, match=r"holds neither a ledger nor results\.json"):
        export(tmp_path)


def test_other_data_than_the_studys_are_refused(report, tmp_path):
    content = json.loads((report / "results.json").read_text())
    content["protocol"]["reference"]["sha256"] = "0" * 16
    (tmp_path / "results.json").write_text(json.dumps(content))
    with pytest.raises(GanbenchError, match="'folder' is not what the study was trained on"):
        export(tmp_path, "--data")


@pytest.fixture
def with_our_weights(weights, monkeypatch):
    def sqrtm(matrix, disp=True):
        return root(matrix) if disp else (root(matrix), None)

    monkeypatch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: torch.load(weights))
    monkeypatch.setattr(scipy.linalg, "sqrtm", sqrtm)


def test_pytorch_fid_measures_on_the_exported_files_what_we_do(
    report, tmp_path, host, weights, sha256, with_our_weights, capfd
):
    export(report, "--to", "samples")
    export(report, "--data", "--to", "data")
    network = inception.InceptionV3([3])
    (mean, covariance), (other_mean, other_covariance) = (
        fid_score.compute_statistics_of_path(str(tmp_path / name), network, 50, 2048, "cpu", 0)
        for name in ("samples", "data")
    )
    # As in test_pytorch_fid.py: in a basis of the directions that 8 and 11 images span, and of
    # the means' difference, the distance is the same, and its root takes no half minute.
    draws = np.random.default_rng(0)
    spanned = [covariance @ draws.normal(size=(2048, 7))]
    spanned += [other_covariance @ draws.normal(size=(2048, 10)), (mean - other_mean)[:, None]]
    basis = np.linalg.qr(np.column_stack(spanned))[0]
    expected = fid_score.calculate_frechet_distance(
        mean @ basis,
        basis.T @ covariance @ basis,
        other_mean @ basis,
        basis.T @ other_covariance @ basis,
    )
    chosen = Component(
        name="inception", parameters={"weights": str(weights), "expected_hash": sha256}
    )
    settings = Evaluation(metrics=(Component(name="fid"),), extractor=chosen, samples=8)
    export(report, "--data", "--format", "npz", "--to", "ours")
    data = Data("ours", as_items(np.load(tmp_path / "ours.npz")["arr_0"]))
    evaluator = Evaluator(settings, data, host, CPU, tmp_path / "cache")
    found = evaluator.evaluate(as_items(pngs(tmp_path / "samples")))["fid"]
    assert found == pytest.approx(expected, rel=1e-4)
