"""mnist, fashion_mnist, cifar10: opening, downloading, resizing, and what goes wrong."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest
import torch
import torchvision
from ganbench_plugins.datasets import torchvision_sets
from PIL import Image

from ganbench.data.load import load_data
from ganbench.plugin import DataError, Host

IDX = {
    "train-images-idx3-ubyte": (12, 28, 28),
    "train-labels-idx1-ubyte": (12,),
    "t10k-images-idx3-ubyte": (5, 28, 28),
    "t10k-labels-idx1-ubyte": (5,),
}


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Every address that a test does not replace leads nowhere."""
    nowhere = "file:///nonexistent/ganbench/"
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [nowhere])
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", [nowhere])
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", nowhere + "cifar-10-python.tar.gz")
    for cls in (
        torchvision_sets.Mnist,
        torchvision_sets.FashionMnist,
        torchvision_sets.Cifar10,
    ):
        monkeypatch.setattr(cls, "mirrors", ())


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def idx_contents():
    random = np.random.default_rng(0)
    return {
        name: idx(random.integers(0, 10 if "labels" in name else 256, shape, dtype=np.uint8))
        for name, shape in IDX.items()
    }


def write_idx(folder):
    folder.mkdir(parents=True)
    contents = idx_contents()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return contents


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.fixture
def mnist_mirror(tmp_path, monkeypatch):
    """A folder that serves a small MNIST, under the checksums of its own archives."""
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    resources = []
    for name, content in idx_contents().items():
        packed = gzip.compress(content, mtime=0)
        (mirror / f"{name}.gz").write_bytes(packed)
        resources.append((f"{name}.gz", md5(packed)))
    monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
    monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [mirror.as_uri() + "/"])
    return mirror


@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST")]
)
@pytest.mark.parametrize(("split", "part"), [("train", "train"), ("test", "t10k")])
def test_idx_files_on_disk_are_opened_as_they_are(host, tmp_path, name, folder, split, part):
    contents = write_idx(tmp_path / folder / "raw")
    data = load_data(name, {"split": split}, host, tmp_path)
    images = np.frombuffer(contents[f"{part}-images-idx3-ubyte"][16:], dtype=np.uint8)
    labels = np.frombuffer(contents[f"{part}-labels-idx1-ubyte"][8:], dtype=np.uint8)
    assert np.array_equal(data.items.numpy().ravel(), images)
    assert data.items.shape == (len(labels), 1, 28, 28)
    assert data.labels.tolist() == labels.tolist()
    assert len(data.classes) == 10
    others = np.frombuffer(contents["t10k-images-idx3-ubyte"][16:], dtype=np.uint8)
    if split == "train":
        assert np.array_equal(data.held_out.numpy().ravel(), others)
    else:
        assert data.held_out is None


def test_the_classes_are_the_fields_names(host, tmp_path):
    write_idx(tmp_path / "MNIST/raw")
    write_idx(tmp_path / "FashionMNIST/raw")
    assert load_data("mnist", {}, host, tmp_path).classes == tuple("0123456789")
    clothes = load_data("fashion_mnist", {}, host, tmp_path).classes
    assert clothes[0] == "T-shirt/top"
    assert clothes[9] == "Ankle boot"


@pytest.mark.parametrize("size", [8, 14, 20, 32, 64])
def test_resizing_agrees_with_pillows_antialiased_bilinear(host, tmp_path, size):
    write_idx(tmp_path / "MNIST/raw")
    native = load_data("mnist", {}, host, tmp_path)
    data = load_data("mnist", {"size": size}, host, tmp_path)
    assert data.items.shape == (12, 1, size, size)
    assert data.items.dtype == torch.uint8
    for small, large in zip(native.items[:, 0], data.items[:, 0], strict=True):
        image = Image.fromarray(small.numpy()).resize((size, size), Image.Resampling.BILINEAR)
        # Pillow rounds between its two passes: one level, seldom two.
        assert np.abs(np.asarray(image).astype(int) - large.numpy().astype(int)).max() <= 2
    assert data.notes == (f"resized from 28×28 to {size}×{size} (bilinear, antialiased)",)


def test_a_missing_set_is_downloaded_once_with_its_progress(host, tmp_path, mnist_mirror):
    heard = []
    root = tmp_path / "root"
    data = load_data("mnist", {}, host, root, lambda *told: heard.append(told))
    assert data.items.shape == (12, 1, 28, 28)
    for name in IDX:
        size = (mnist_mirror / f"{name}.gz").stat().st_size
        told = [(done, total) for label, done, total in heard if label == f"mnist: {name}.gz"]
        assert told[0] == (0, size)
        assert told[-1] == (size, size)
    heard.clear()
    again = load_data("mnist", {}, host, root, lambda *told: heard.append(told))
    assert torch.equal(again.items, data.items)
    assert heard == []
    assert not list(root.rglob(".incomplete-*"))


def test_only_what_is_missing_is_downloaded(host, tmp_path, mnist_mirror):
    root = tmp_path / "root"
    write_idx(root / "MNIST/raw")
    (root / "MNIST/raw/t10k-labels-idx1-ubyte").unlink()
    for archive in mnist_mirror.iterdir():
        if archive.name != "t10k-labels-idx1-ubyte.gz":
            archive.unlink()
    assert len(load_data("mnist", {"split": "test"}, host, root).items) == 5


def test_the_next_address_is_tried_when_one_fails_or_gives_something_else(
    host, tmp_path, mnist_mirror, monkeypatch
):
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    for archive in mnist_mirror.iterdir():
        (wrong / archive.name).write_bytes(gzip.compress(b"<html>please log in</html>"))
    monkeypatch.setattr(
        torchvision.datasets.MNIST, "mirrors", ["file:///nonexistent/", wrong.as_uri() + "/"]
    )
    monkeypatch.setattr(torchvision_sets.Mnist, "mirrors", (mnist_mirror.as_uri() + "/",))
    assert len(load_data("mnist", {}, host, tmp_path / "root").items) == 12


def test_an_archive_put_there_by_hand_needs_no_network(host, tmp_path, mnist_mirror, monkeypatch):
    (tmp_path / "root/MNIST").mkdir(parents=True)
    mnist_mirror.rename(tmp_path / "root/MNIST/raw")
    assert len(load_data("mnist", {}, host, tmp_path / "root").items) == 12


def test_without_a_network_the_error_says_what_is_wanted_where_and_what_was_tried(host, tmp_path):
    with pytest.raises(DataError) as caught:
        load_data("fashion_mnist", {}, host, tmp_path)
    text = str(caught.value)
    assert str(tmp_path / "FashionMNIST/raw") in text
    assert all(name in text for name in IDX)
    assert "file:///nonexistent/ganbench/train-images-idx3-ubyte.gz: " in text
    assert "GANBENCH_DATA" in text


def test_addresses_that_give_something_else_are_told(host, tmp_path, mnist_mirror):
    for archive in mnist_mirror.iterdir():
        archive.write_bytes(b"else")
    with pytest.raises(DataError, match="gave 4 bytes with another checksum than published"):
        load_data("mnist", {}, host, tmp_path / "root")
    assert [path.name for path in (tmp_path / "root/MNIST/raw").iterdir()] == []


def test_a_root_that_cannot_be_written_to_is_told(host, tmp_path, mnist_mirror):
    (tmp_path / "root").mkdir()
    (tmp_path / "root/MNIST").write_text("in the way")
    with pytest.raises(DataError, match="'mnist' wants these files"):
        load_data("mnist", {}, host, tmp_path / "root")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content + b"\0",
        lambda content: b"",
        lambda content: b"<html>" + content,
        lambda content: content[:4] + struct.pack(">I", 2**31) + content[8:],
    ],
)
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
def test_a_damaged_idx_file_is_named(host, tmp_path, name, damage):
    contents = write_idx(tmp_path / "MNIST/raw")
    (tmp_path / "MNIST/raw" / name).write_bytes(damage(contents[name]))
    with pytest.raises(DataError, match=rf"'mnist' cannot be read: {name} in .* is damaged"):
        load_data("mnist", {}, host, tmp_path)


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """A small CIFAR-10 archive at the first address; returns its images and labels."""
    source = torchvision.datasets.CIFAR10
    random = np.random.default_rng(1)
    images, labels, files = {}, {}, {}
    for name, _ in (*source.train_list, *source.test_list):
        images[name] = random.integers(0, 256, (3, 3072), dtype=np.uint8)
        labels[name] = random.integers(0, 10, 3).tolist()
        files[name] = pickle.dumps({"data": images[name], "labels": labels[name]})
    files["batches.meta"] = pickle.dumps({"label_names": [f"class {i}" for i in range(10)]})
    with io.BytesIO() as stream:
        with tarfile.open(fileobj=stream, mode="w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        packed = stream.getvalue()
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(packed)
    monkeypatch.setattr(source, "url", (tmp_path / "cifar-10-python.tar.gz").as_uri())
    monkeypatch.setattr(source, "tgz_md5", md5(packed))
    for attribute in ("train_list", "test_list"):
        listed = [[name, md5(files[name])] for name, _ in getattr(source, attribute)]
        monkeypatch.setattr(source, attribute, listed)
    monkeypatch.setattr(source, "meta", {**source.meta, "md5": md5(files["batches.meta"])})
    return images, labels


def test_cifar_is_downloaded_unpacked_and_opened_channels_first(host, tmp_path, cifar):
    images, labels = cifar
    root = tmp_path / "root"
    data = load_data("cifar10", {}, host, root)
    batches = [f"data_batch_{number}" for number in range(1, 6)]
    expected = np.concatenate([images[name] for name in batches]).reshape(15, 3, 32, 32)
    assert np.array_equal(data.items.numpy(), expected)
    assert data.labels.tolist() == [label for name in batches for label in labels[name]]
    assert data.classes[3] == "class 3"
    test = load_data("cifar10", {"split": "test", "size": 16}, host, root)
    assert test.items.shape == (3, 3, 16, 16)
    small = load_data("cifar10", {"size": 16}, host, root)
    assert torch.equal(small.held_out, test.items)
    assert test.notes[0] == "the test split"
    assert not list(root.glob(".incomplete-*"))


class MakesFolder:
    """Unpickled, it makes a folder: as good as any other code."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_a_damaged_cifar_batch_is_named_and_never_unpickled(host, tmp_path, cifar):
    root = tmp_path / "root"
    load_data("cifar10", {}, host, root)
    batch = root / "cifar-10-batches-py/data_batch_2"
    batch.write_bytes(pickle.dumps(MakesFolder(tmp_path / "unpickled")))
    with pytest.raises(DataError, match=r"'cifar10' cannot be read: data_batch_2 in"):
        load_data("cifar10", {}, host, root)
    assert not (tmp_path / "unpickled").exists()
    batch.unlink()
    assert len(load_data("cifar10", {}, host, root).items) == 15


def test_a_cifar_archive_put_there_by_hand_needs_no_network(host, tmp_path, cifar, monkeypatch):
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", "file:///nonexistent/ganbench/a")
    (tmp_path / "root").mkdir()
    (tmp_path / "cifar-10-python.tar.gz").rename(tmp_path / "root/cifar-10-python.tar.gz")
    assert len(load_data("cifar10", {}, host, tmp_path / "root").items) == 15


def test_cifar_without_a_network_names_its_archive_address(host, tmp_path):
    with pytest.raises(DataError) as caught:
        load_data("cifar10", {}, host, tmp_path)
    assert "file:///nonexistent/ganbench/cifar-10-python.tar.gz: " in str(caught.value)
    assert "data_batch_1" in str(caught.value)
