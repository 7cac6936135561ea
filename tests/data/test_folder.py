"""folder: any layout, and the cache of what was decoded."""

import os

import pytest
from picture_files import plain

from ganbench.data.load import data_hash
from ganbench.plugin import DataError


def test_class_folders_give_labels_in_the_order_of_their_names(load, pictures):
    for index, name in enumerate(["dog/b.png", "cat/z.png", "dog/a/deep.png", "cat/a.png"]):
        plain(pictures / name, (index, index, index))
    data = load()
    assert data.classes == ("cat", "dog")
    # cat/a (3), cat/z (1), dog/a/deep (2), dog/b (0)
    assert data.items[:, 0, 0, 0].tolist() == [3, 1, 2, 0]
    assert data.labels.tolist() == [0, 0, 1, 1]
    assert data.notes == ()


def test_a_flat_folder_has_no_labels(load, pictures):
    plain(pictures / "b.png", (2, 2, 2))
    plain(pictures / "a.png", (1, 1, 1))
    data = load()
    assert data.items[:, 0, 0, 0].tolist() == [1, 2]
    assert data.labels is None
    assert data.classes == ()


def test_a_single_sub_folder_is_no_class(load, pictures):
    plain(pictures / "images/a.png")
    plain(pictures / "images/b.png")
    assert load().labels is None


def test_hidden_files_are_ignored_and_others_counted(load, pictures):
    for name in ("a.png", "b.PNG", ".c.png", ".hidden/d.png", "__MACOSX/e.png"):
        plain(pictures / name, format="PNG")
    (pictures / "notes.txt").write_text("hello")
    (pictures / "Thumbs.db").write_bytes(b"\0")
    data = load()
    assert len(data.items) == 2
    assert data.notes == ("left out 2 files that are not images",)


def test_a_folder_without_images_is_no_class(load, pictures):
    for name in ("cat/a.png", "dog/a.png"):
        plain(pictures / name)
    (pictures / "empty").mkdir()
    (pictures / "docs").mkdir()
    (pictures / "docs/readme.md").write_text("")
    assert load().classes == ("cat", "dog")


def test_images_beside_class_folders_are_refused(load, pictures):
    for name in ("cat/a.png", "dog/a.png", "stray.png"):
        plain(pictures / name)
    with pytest.raises(DataError, match=r"1 images lie in it \(such as stray.png\).*cat, dog"):
        load()


def test_splits_are_not_taken_for_classes(load, pictures):
    for name in ("train/cat/a.png", "train/dog/a.png", "test/cat/a.png"):
        plain(pictures / name)
    with pytest.raises(DataError, match="splits rather than classes: test, train"):
        load()
    assert load(pictures / "train").classes == ("cat", "dog")


def test_linked_folders_are_followed_but_not_in_circles(load, pictures, tmp_path):
    plain(tmp_path / "elsewhere/a.png")
    plain(pictures / "cat/a.png")
    (pictures / "dog").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (pictures / "cat/again").symlink_to(pictures, target_is_directory=True)
    assert load().classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder.rmdir(), "not there"),
        (lambda folder: (folder.rmdir(), folder.write_text("")), "a file, not a folder"),
        (lambda folder: None, r"holds no image \(other files: 0\)"),
        (lambda folder: (folder / "a.pdf").write_text(""), r"holds no image \(other files: 1\)"),
        (lambda folder: plain(folder / "a.png"), "gives 1 image, expected at least 2"),
        (
            lambda folder: (plain(folder / "a.png"), (folder / "b.png").write_text("x")),
            r"gives 1 image, expected at least 2; left out 1 broken file: b\.png",
        ),
    ],
)
def test_a_folder_that_cannot_be_used_says_what_was_found(load, pictures, make, message):
    make(pictures)
    with pytest.raises(DataError, match=message) as caught:
        load()
    assert str(pictures) in str(caught.value)


def test_a_relative_path_starts_here_and_a_tilde_at_home(load, pictures, monkeypatch):
    for name in ("a.png", "b.png"):
        plain(pictures / name)
    monkeypatch.chdir(pictures.parent)
    assert len(load("pictures").items) == 2
    monkeypatch.setenv("HOME", str(pictures.parent))
    assert len(load("~/pictures").items) == 2


def test_names_that_are_not_unicode_can_be_printed(load, pictures):
    for name in (b"caf\xe9", b"tea"):
        plain(pictures / os.fsdecode(name) / "a.png")
    (pictures / os.fsdecode(b"caf\xe9") / "broken.png").write_bytes(b"")
    data = load()
    "".join((*data.classes, *data.notes)).encode()
    assert data.classes == ("caf�", "tea")


@pytest.fixture
def counted(monkeypatch):
    """Count the folders that are decoded rather than read from the cache."""
    from ganbench_plugins.datasets import folder

    calls = []
    real = folder.decode_all

    def decode_all(paths, *arguments):
        calls.append(len(paths))
        return real(paths, *arguments)

    monkeypatch.setattr(folder, "decode_all", decode_all)
    return calls


def test_a_folder_is_decoded_once_until_something_changes(load, pictures, counted):
    for name in ("cat/a.png", "dog/b.png"):
        plain(pictures / name)
    (pictures / "cat/broken.png").write_bytes(b"")
    first = load()
    again = load()
    assert counted == [3]
    assert data_hash(again) == data_hash(first)
    assert (again.classes, again.notes) == (first.classes, first.notes)

    load(size=16)
    assert counted == [3, 3]
    plain(pictures / "dog/c.png")
    assert len(load().items) == 3
    assert counted == [3, 3, 4]
    os.utime(pictures / "dog/c.png", ns=(1, 1))
    load()
    assert counted == [3, 3, 4, 4]


def test_a_damaged_cache_is_written_anew(load, pictures, counted, tmp_path):
    for name in ("a.png", "b.png"):
        plain(pictures / name)
    first = load()
    (cache,) = (tmp_path / "root/folder-cache").glob("*.npz")
    for damage in (b"", b"rubbish", cache.read_bytes()[:-40], cache.read_bytes()[:300]):
        cache.write_bytes(damage)
        assert data_hash(load()) == data_hash(first)
    assert len(counted) == 5
    load()
    assert len(counted) == 5


def test_a_cache_that_cannot_be_written_is_told_and_costs_nothing_else(load, pictures, tmp_path):
    for name in ("a.png", "b.png"):
        plain(pictures / name)
    (tmp_path / "root").mkdir()
    (tmp_path / "root/folder-cache").write_text("in the way")
    data = load()
    assert len(data.items) == 2
    assert data.notes[0].startswith("the decoded images were not cached: ")
