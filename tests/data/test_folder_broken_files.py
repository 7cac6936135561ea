"""folder: broken files are left out, counted and named."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from picture_files import noise, plain
from PIL import Image

from ganbench.plugin import DataError


def png_of(width, height):
    """Return a PNG that claims a size and holds next to nothing."""

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 100)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def break_some(folder):
    """Write five files that are no images, each in its own way; return their names."""
    Image.fromarray(noise((64, 64, 3))).save(folder / "cut.jpg")
    (folder / "cut.jpg").write_bytes((folder / "cut.jpg").read_bytes()[:700])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.gif").write_text("not an image")
    (folder / "bomb.png").write_bytes(png_of(60_000, 60_000))  # Pillow refuses
    (folder / "near-bomb.png").write_bytes(png_of(10_000, 10_000))  # Pillow only warns
    Image.fromarray(np.full((8, 8), np.nan, dtype=np.float32)).save(folder / "float.tif")
    (folder / "dangling.png").symlink_to(folder / "nowhere.png")
    return sorted(path.name for path in folder.iterdir())


def test_broken_files_are_left_out_counted_and_the_first_named(load, pictures):
    names = break_some(pictures)
    plain(pictures / "one.png", (1, 1, 1))
    plain(pictures / "two.png", (2, 2, 2))
    heard = []
    data = load(progress=lambda *told: heard.append(told))
    assert data.items[:, 0, 0, 0].tolist() == [1, 2]
    (note,) = data.notes
    assert note.startswith(f"left out 7 broken files: {names[0]} (")
    assert note.endswith("and 4 more")
    assert all(name in note for name in names[:3])
    assert heard[-1] == (note, 7, 7)
    assert ("decoding pictures", 9, 9) in heard


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("bomb.png", "DecompressionBomb"),
        ("near-bomb.png", "10000×10000 pixels are too many"),
        ("float.tif", "floating-point pixels have no fixed range"),
        ("cut.jpg", "truncated"),
        ("text.gif", "cannot identify image file"),
        ("dangling.png", "No such file"),
    ],
)
def test_each_broken_file_comes_with_its_reason(load, pictures, tmp_path, name, reason):
    break_some(pictures)
    for other in pictures.iterdir():
        if other.name != name:
            other.unlink()
    plain(pictures / "one.png")
    plain(pictures / "two.png")
    assert load().notes[0].startswith(f"left out 1 broken file: {name} (")
    assert reason in load().notes[0]


def test_only_broken_files_is_an_error_that_names_them(load, pictures):
    break_some(pictures)
    with pytest.raises(DataError, match=r"gives 0 images.*left out 7 broken files: bomb\.png"):
        load()


def test_a_class_of_broken_files_is_dropped_and_told(load, pictures):
    for name in ("cat/a.png", "cat/b.png", "dog/a.png"):
        plain(pictures / name)
    (pictures / "ape").mkdir()
    (pictures / "ape/a.png").write_bytes(b"")
    data = load()
    assert data.classes == ("cat", "dog")
    assert data.labels.tolist() == [0, 0, 1]
    assert data.notes[1] == "classes without a sound image: ape"


def test_no_warning_of_pillow_leaks(load, pictures, capfd):
    image = Image.new("P", (9, 9))
    image.save(pictures / "a.png", transparency=b"\x00\x80")  # Pillow warns of such palettes
    (pictures / "near-bomb.png").write_bytes(png_of(10_000, 10_000))
    plain(pictures / "b.png")
    plain(pictures / "c.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")  # damaged EXIF
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(load().items) == 3
    assert caught == []
    assert capfd.readouterr() == ("", "")
