import subprocess
import sys

import pytest
import torch

from ganbench.data.load import data_hash
from ganbench.evaluation import classifier
from ganbench.evaluation.classifier import (
    can_classify,
    obtain_classifier,
    stratified_split,
    train_classifier,
    weights_sha256,
)
from ganbench.evaluation.network import ClassifierNetwork
from ganbench.plugin import Data, DataError


def quiet(label, done, total):
    pass


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(classifier, "FEWEST_STEPS", 6)
    monkeypatch.setattr(classifier, "MOST_STEPS", 6)


def test_real_digits_are_classified_well(evaluator):
    protocol = evaluator.protocol["classifier"]
    assert protocol["accuracy"] >= 0.97
    assert (protocol["trained_on"], protocol["held_out"]) == (1438, 359)


def test_training_gives_the_same_weights_again(digits, few_steps):
    first, second = (train_classifier(digits, quiet) for _ in range(2))
    assert first.sha256 == second.sha256
    assert first.accuracy == second.accuracy


def test_training_leaves_the_random_state_and_the_threads_alone(digits, few_steps):
    threads = torch.get_num_threads()
    torch.manual_seed(3)
    expected = torch.rand(5)
    torch.manual_seed(3)
    train_classifier(digits, quiet)
    assert torch.equal(torch.rand(5), expected)
    assert torch.get_num_threads() == threads


def test_training_works_where_gradients_are_off(digits, few_steps):
    expected = train_classifier(digits, quiet).sha256
    with torch.no_grad():
        assert train_classifier(digits, quiet).sha256 == expected
    with torch.inference_mode():
        assert train_classifier(digits, quiet).sha256 == expected


def test_progress_runs_to_its_end(digits, few_steps):
    told = []
    train_classifier(digits, lambda *report: told.append(report))
    assert told[-1] == ("classifier", 6, 6)


@pytest.mark.parametrize("size", [8, 12, 16, 28, 32, 33, 48, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_supported_size_gives_64_features(size, channels):
    network = ClassifierNetwork((channels, size, size), 7).eval()
    images = torch.zeros(3, channels, size, size, dtype=torch.uint8)
    assert network.features(images).shape == (3, 64)
    assert network(images).shape == (3, 7)


def test_the_split_is_stratified_and_complete():
    labels = torch.tensor([0] * 50 + [1] * 10 + [2] * 3 + [3])
    training, held_out = stratified_split(labels, torch.Generator().manual_seed(0))
    assert sorted([*training.tolist(), *held_out.tolist()]) == list(range(64))
    assert labels[held_out].bincount(minlength=4).tolist() == [10, 2, 1, 0]


def test_a_cached_classifier_is_the_trained_one(digits, few_steps, tmp_path, monkeypatch):
    first = obtain_classifier(digits, "x", tmp_path, quiet)
    monkeypatch.setattr(classifier, "train_classifier", None)
    second = obtain_classifier(digits, "x", tmp_path, quiet)
    assert second.protocol() == first.protocol()
    assert weights_sha256(second.network.state_dict()) == first.sha256
    assert torch.equal(second.predicted, first.predicted)
    with torch.no_grad():
        both = [each.network.features(digits.items[:9]) for each in (first, second)]
    assert torch.equal(*both)


def test_other_data_get_a_classifier_of_their_own(digits, few_steps, tmp_path):
    half = Data("half", digits.items[::2], digits.labels[::2], digits.classes)
    for data in (digits, half):
        obtain_classifier(data, data_hash(data), tmp_path, quiet)
    assert len(list(tmp_path.glob("classifier-*.pt"))) == 2


@pytest.mark.parametrize("damage", ["empty", "cut", "rubbish", "altered"])
def test_a_damaged_cache_is_made_again(digits, few_steps, tmp_path, damage):
    first = obtain_classifier(digits, "x", tmp_path, quiet)
    (path,) = tmp_path.glob("*.pt")
    whole = path.read_bytes()
    if damage == "altered":
        content = torch.load(path, weights_only=True)
        content["weights"]["head.bias"] += 1
        torch.save(content, path)
    else:
        path.write_bytes({"empty": b"", "cut": whole[:5000], "rubbish": b"rubbish"}[damage])
    assert obtain_classifier(digits, "x", tmp_path, quiet).sha256 == first.sha256


def test_two_processes_end_with_one_classifier(tmp_path):
    script = tmp_path / "worker.py"
    script.write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "import torch\n"
        "from ganbench.evaluation import classifier\n"
        "from ganbench.plugin import Data\n"
        "classifier.FEWEST_STEPS = classifier.MOST_STEPS = 40\n"
        "draws = torch.Generator().manual_seed(0)\n"
        "items = torch.randint(256, (400, 1, 8, 8), generator=draws, dtype=torch.uint8)\n"
        "data = Data('x', items, torch.arange(400) % 2, ('a', 'b'))\n"
        "told = []\n"
        "found = classifier.obtain_classifier(\n"
        "    data, 'x', Path(sys.argv[1]), lambda *report: told.append(report)\n"
        ")\n"
        "print(found.sha256, bool(told))\n"
    )
    command = [sys.executable, str(script), str(tmp_path / "cache")]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [worker.communicate(timeout=120)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert said[0][0] == said[1][0]
    assert sorted(trained for _, trained in said) == ["False", "True"]


def images(*shape):
    return torch.zeros(shape, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (Data("points", torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64), ("a",)), "points"),
        (Data("bare", images(4, 1, 8, 8)), "labels"),
        (Data("one", images(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64), ("a",)), "two classes"),
        (Data("lone", images(2, 1, 8, 8), torch.arange(2), ("a", "b")), "two images"),
    ],
)
def test_data_that_cannot_train_a_classifier_say_why(data, reason, tmp_path):
    assert not can_classify(data)[0]
    with pytest.raises(DataError, match=reason):
        obtain_classifier(data, "x", tmp_path, quiet)
