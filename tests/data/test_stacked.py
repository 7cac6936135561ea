"""stacked_digits and stacked_mnist: what is in the channels, and what a mode is."""

import dataclasses
import re

import pytest
import torch
import torchvision
from ganbench_plugins.datasets.stacked import stack
from ganbench_plugins.datasets.torchvision_sets import Mnist
from test_torchvision_sets import idx_contents

from ganbench.data.load import data_hash, find_problem, load_data
from ganbench.plugin import Data, DataError, Host


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture(scope="module")
def data(host):
    return load_data("stacked_digits", {"images": 5000}, host)


def test_every_channel_is_a_digit_and_the_mode_reads_them_in_order(data):
    assert data.items.shape == (5000, 3, 8, 8)
    assert data.items.dtype == torch.uint8
    known = {
        image.numpy().tobytes(): str(label)
        for image, label in zip(
            data.stacked_from.items, data.stacked_from.labels.tolist(), strict=True
        )
    }
    for image, label in zip(data.items[:300], data.labels.tolist(), strict=False):
        assert data.classes[label] == "".join(known[c.numpy().tobytes()] for c in image)
        assert data.classes[label] == f"{label:03}"
    assert len(data.classes) == 1000


def test_channels_are_drawn_by_themselves_and_uniformly(data):
    digits = torch.stack([data.labels // 100, data.labels // 10 % 10, data.labels % 10])
    shares = data.stacked_from.labels.bincount() / len(data.stacked_from.labels)
    for channel in digits:
        # Five deviations of a binomial share.
        spread = (shares * (1 - shares) / 5000).sqrt()
        assert ((channel.bincount(minlength=10) / 5000 - shares).abs() < 5 * spread).all()
    assert torch.corrcoef(digits.double())[0, 1:].abs().max() < 5 / 5000**0.5
    assert torch.corrcoef(digits.double())[1, 2].abs() < 5 / 5000**0.5


def test_the_stacks_depend_on_their_seed_alone(host, data):
    state = torch.get_rng_state()
    again = load_data("stacked_digits", {"images": 5000}, host)
    assert data_hash(again) == data_hash(data)
    other = load_data("stacked_digits", {"images": 5000, "seed": 1}, host)
    assert not torch.equal(other.labels, data.labels)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_larger_size_is_the_digits_own(host):
    data = load_data("stacked_digits", {"images": 10, "size": 16}, host)
    assert data.items.shape == (10, 3, 16, 16)
    assert any("8×8 to 16×16" in note for note in data.notes)


def test_stacked_mnist_is_made_of_mnists_files(host, tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, content in idx_contents().items():
        (folder / name).write_bytes(content)
    data = load_data("stacked_mnist", {"images": 40, "split": "test"}, host, tmp_path)
    single = load_data("mnist", {"split": "test"}, host, tmp_path)
    assert torch.equal(data.stacked_from.items, single.items)
    assert data.items.shape == (40, 3, 28, 28)
    assert "the test split" in data.notes
    assert find_problem(data) is None


def test_the_default_is_pacgans_number_of_images(host):
    assert host.find("dataset", "stacked_mnist").cls.Parameters().images == 128_000


def test_without_mnist_the_message_names_mnists_files(host, tmp_path, monkeypatch):
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", ["file:///nonexistent/"])
    monkeypatch.setattr(Mnist, "mirrors", ())
    with pytest.raises(DataError, match=r"'mnist' wants these files"):
        load_data("stacked_mnist", {}, host, tmp_path)


def test_colour_and_unlabelled_images_are_not_stacked():
    for single in (
        Data("colour", torch.zeros(4, 3, 8, 8, dtype=torch.uint8), torch.zeros(4).long(), ("0",)),
        Data("bare", torch.zeros(4, 1, 8, 8, dtype=torch.uint8)),
    ):
        with pytest.raises(ValueError, match=f"{single.name}: expected labelled"):
            stack(single, "x", 5, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: {"classes": (*d.classes, "more")}, "1001 classes of 3 channels stacked from 10"),
        (lambda d: {"stacked_from": d}, r"stacked from ones of \(3, 8, 8\)"),
        (
            lambda d: {"stacked_from": dataclasses.replace(d.stacked_from, labels=None)},
            "is unusable: there are 10 classes but no labels",
        ),
    ],
)
def test_what_a_strangers_stack_may_not_be(data, change, message):
    problem = find_problem(dataclasses.replace(data, **change(data)))
    assert re.search(message, problem)


def test_what_is_stacked_is_part_of_the_hash(data):
    single = data.stacked_from
    other = dataclasses.replace(single, labels=single.labels.flip(0))
    assert data_hash(dataclasses.replace(data, stacked_from=other)) != data_hash(data)
