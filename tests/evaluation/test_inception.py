import hashlib
import http.client
import io
import urllib.error

import pytest
import torch
from ganbench_plugins.extractors import _inception, _weights
from pytorch_fid import inception
from torch_fidelity import feature_extractor_inceptionv3

from ganbench.config.model import Component, Evaluation
from ganbench.evaluation.evaluator import Evaluator
from ganbench.plugin import Data, DataError

CPU = torch.device("cpu")
NAME = inception.FID_WEIGHTS_URL.rpartition("/")[2]


@pytest.fixture
def empty_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    return tmp_path / "hub" / "checkpoints"


def colours(count, seed=0):
    draws = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, 3, 4, 4), generator=draws, dtype=torch.uint8)
    return images.repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)


def settings(**parameters):
    return Evaluation(
        metrics=(Component(name="fid"), Component(name="diversity")),
        extractor=Component(name="inception", parameters=parameters),
        samples=6,
    )


@pytest.fixture(scope="module")
def evaluator(weights, sha256, host, tmp_path_factory):
    chosen = settings(weights=str(weights), expected_hash=sha256[:12])
    cache = tmp_path_factory.mktemp("inception")
    return Evaluator(chosen, Data("colours", colours(8)), host, CPU, cache)


def test_the_protocol_names_weights_that_are_not_pytorch_fids(evaluator, sha256):
    stated = evaluator.protocol["extractor"]
    assert stated["weights"] == "not those of pytorch-fid"
    assert stated["weights_sha256"] == sha256
    assert "299" in stated["resize"]
    assert stated["channels"] == "three"
    assert evaluator.protocol["feature_width"] == 2048
    assert len(evaluator.protocol["warnings"]) == 2


def test_greyscale_is_repeated_and_that_is_stated(weights, sha256, host, tmp_path, evaluator):
    grey = colours(8)[:, :1]
    chosen = settings(weights=str(weights), expected_hash=sha256)
    measure = Evaluator(chosen, Data("grey", grey), host, CPU, tmp_path)
    assert measure.protocol["extractor"]["channels"] == "greyscale repeated to three"
    repeated = evaluator._extractor.features(grey.repeat(1, 3, 1, 1))
    assert torch.equal(measure._extractor.features(grey), repeated)


def test_building_leaves_the_random_state_alone(weights, sha256, host, tmp_path):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    chosen = settings(weights=str(weights), expected_hash=sha256)
    Evaluator(chosen, Data("colours", colours(3)), host, CPU, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_with_another_hash_are_refused(weights, host, tmp_path):
    data = Data("colours", colours(8))
    with pytest.raises(DataError, match=r"starts with 6726825d.*expected_hash"):
        Evaluator(settings(weights=str(weights)), data, host, CPU, tmp_path)


def test_a_missing_file_of_weights_is_named(host, tmp_path):
    chosen = settings(weights=str(tmp_path / "none.pth"))
    with pytest.raises(DataError, match=r"no file of weights .*none\.pth"):
        Evaluator(chosen, Data("colours", colours(8)), host, CPU, tmp_path)


def test_weights_in_torch_hubs_cache_are_found(weights, sha256, host, empty_hub, tmp_path):
    empty_hub.mkdir(parents=True)
    (empty_hub / NAME).symlink_to(weights)
    data = Data("colours", colours(8))
    measure = Evaluator(settings(expected_hash=sha256), data, host, CPU, tmp_path)
    assert measure.protocol["extractor"]["weights_sha256"] == sha256


def test_without_a_network_the_file_folder_and_address_are_named(
    host, empty_hub, tmp_path, monkeypatch
):
    def offline(url, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(_weights.urllib.request, "urlopen", offline)
    with pytest.raises(DataError) as caught:
        Evaluator(settings(), Data("colours", colours(8)), host, CPU, tmp_path)
    message = str(caught.value)
    assert all(part in message for part in (NAME, str(empty_hub), inception.FID_WEIGHTS_URL))
    assert list(empty_hub.iterdir()) == []


class Answer(io.BytesIO):
    headers = {"Content-Length": "600000"}


def test_a_download_is_checked_and_told_of(empty_hub, monkeypatch):
    content = bytes(600_000)
    monkeypatch.setattr(_weights.urllib.request, "urlopen", lambda *_, **__: Answer(content))
    told = []
    file = _weights.Published("https://example.org/w.pth", hashlib.sha256(content).hexdigest())
    chosen = _weights.PretrainedParameters()
    found = _weights.obtain("mine", file, chosen, lambda *r: told.append(r))
    assert found == _weights.Found(empty_hub / "w.pth", file.sha256, published=True)
    assert found.path.read_bytes() == content
    assert told[-1] == ("download w.pth", 600_000, 600_000)


def test_a_download_with_another_hash_is_not_kept(empty_hub, monkeypatch):
    monkeypatch.setattr(_weights.urllib.request, "urlopen", lambda *_, **__: Answer(b"page"))
    file = _weights.Published("https://example.org/w.pth", "6726825d")
    with pytest.raises(
        DataError,
        match=r"mine: the weights w\.pth are not in .*what came has .*starts with 6726.*fetch",
    ):
        _weights.obtain("mine", file, _weights.PretrainedParameters(), print)
    assert list(empty_hub.iterdir()) == []


class Cut(Answer):
    def read(self, size):
        raise http.client.IncompleteRead(b"")


def test_a_download_that_breaks_off_is_told(empty_hub, monkeypatch):
    monkeypatch.setattr(_weights.urllib.request, "urlopen", lambda *_, **__: Cut())
    file = _weights.Published("https://example.org/w.pth", "6726825d")
    with pytest.raises(DataError, match=r"cannot be downloaded \(IncompleteRead.*put the file"):
        _weights.obtain("mine", file, _weights.PretrainedParameters(), print)
    assert list(empty_hub.iterdir()) == []


def test_weights_that_cannot_be_read_are_told(tmp_path, monkeypatch):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"rubbish")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_weights.hashlib, "file_digest", refuse)
    chosen = _weights.PretrainedParameters(weights=str(path))
    file = _weights.Published("https://example.org/w.pth", "6726825d")
    with pytest.raises(DataError, match=r"mine\.pth cannot be read: .*Permission denied"):
        _weights.obtain("mine", file, chosen, print)
    assert "Permission denied" in _weights.asset("mine", file, chosen).problem


def test_a_file_that_holds_no_weights_is_named(host, tmp_path):
    path = tmp_path / "rubbish.pth"
    path.write_bytes(b"rubbish")
    digest = hashlib.sha256(b"rubbish").hexdigest()
    chosen = settings(weights=str(path), expected_hash=digest)
    with pytest.raises(DataError, match=r"rubbish\.pth holds no weights"):
        Evaluator(chosen, Data("colours", colours(8)), host, CPU, tmp_path)


def test_weights_of_another_network_are_refused(host, tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"weight": torch.zeros(3)}, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    chosen = settings(weights=str(path), expected_hash=digest)
    with pytest.raises(DataError, match=r"other\.pth .*not weights of pytorch-fid's network"):
        Evaluator(chosen, Data("colours", colours(8)), host, CPU, tmp_path)


def test_the_pinned_hash_is_the_one_in_the_packages_file_names():
    names = [inception.FID_WEIGHTS_URL, feature_extractor_inceptionv3.URL_INCEPTION_V3]
    assert all(url.endswith(f"-2015-12-05-{_inception.SHA256[:8]}.pth") for url in names)
