"""folder: any layout, any mode, broken files, the cache."""

import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from ganbench.data.load import data_hash, load_data
from ganbench.plugin import DataError, Host


@pytest.fixture(scope="module")
def host():
    return Host()


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def load(host, tmp_path, pictures):
    def load(path=None, progress=None, **parameters):
        given = {"path": str(path or pictures), "size": 8, **parameters}
        return load_data("folder", given, host, tmp_path / "root", progress)

    return load


def plain(path, colour=(10, 200, 30), size=(12, 9), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour).save(path, **options)


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


# -- layouts -----------------------------------------------------------------------------


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
        (lambda folder: None, r"holds no image \(0 other files\)"),
        (lambda folder: (folder / "a.pdf").write_text(""), r"holds no image \(1 other files\)"),
        (lambda folder: plain(folder / "a.png"), "gives 1 images, expected at least 2"),
        (
            lambda folder: (plain(folder / "a.png"), (folder / "b.png").write_text("x")),
            r"gives 1 images, expected at least 2; left out 1 broken file: b\.png",
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


# -- modes and sizes ---------------------------------------------------------------------


def two(load, pictures, **parameters):
    """Load a folder with the picture under test and a filler; return the first."""
    plain(pictures / "zz-filler.png")
    return load(**parameters).items[0]


@pytest.mark.parametrize(
    ("mode", "colour", "name", "rgb"),
    [
        ("RGB", (10, 200, 30), "a.png", (10, 200, 30)),
        ("L", 77, "a.png", (77, 77, 77)),
        ("1", 1, "a.png", (255, 255, 255)),
        ("P", 0, "a.gif", (0, 0, 0)),
        ("I;16", 257 * 100, "a.png", (100, 100, 100)),
        ("I;16", 65535, "a.tif", (255, 255, 255)),
        ("I;16B", 257 * 3 + 129, "a.tif", (4, 4, 4)),
        ("I", 257 * 9, "a.tif", (9, 9, 9)),
        ("CMYK", (0, 255, 255, 0), "a.tif", (255, 0, 0)),
        ("RGBA", (255, 0, 0, 255), "a.png", (255, 0, 0)),
        ("RGBA", (0, 0, 0, 0), "a.png", (255, 255, 255)),
        ("RGBA", (255, 0, 0, 51), "a.png", (255, 204, 204)),  # a fifth of red on white
        ("LA", (0, 51), "a.png", (204, 204, 204)),
        ("RGB", (9, 9, 9), "a.ppm", (9, 9, 9)),
        ("RGB", (9, 9, 9), "a.bmp", (9, 9, 9)),
        ("RGB", (9, 9, 9), "a.tga", (9, 9, 9)),
    ],
)
def test_every_mode_becomes_8_bit_colour(load, pictures, mode, colour, name, rgb):
    plain(pictures / name, colour, mode=mode)
    image = two(load, pictures)
    assert image.flatten(1).unique(dim=1).tolist() == [[value] for value in rgb]


def test_palette_transparency_and_a_black_background(load, pictures):
    image = Image.new("P", (10, 10), 1)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.save(pictures / "a.png", transparency=1)
    assert two(load, pictures).unique().tolist() == [255]
    assert two(load, pictures, background="black").unique().tolist() == [0]


def test_grey_is_the_luma_of_itu_r_601(load, pictures):
    plain(pictures / "a.png", (100, 150, 200))
    # 0.299 * 100 + 0.587 * 150 + 0.114 * 200 = 140.75
    image = two(load, pictures, channels=1)
    assert image.shape == (1, 8, 8)
    assert image.unique().tolist() == [141]


def test_an_image_of_the_right_size_keeps_every_pixel(load, pictures):
    pixels = noise((8, 8, 3))
    Image.fromarray(pixels).save(pictures / "a.png")
    assert np.array_equal(two(load, pictures).permute(1, 2, 0).numpy(), pixels)


@pytest.fixture
def flag(pictures):
    """Three squares side by side, 24×8: red, green, blue."""
    wide = Image.new("RGB", (24, 8), "red")
    wide.paste("lime", (8, 0, 16, 8))
    wide.paste("blue", (16, 0, 24, 8))
    wide.save(pictures / "a.png")


def test_crop_keeps_the_central_square(load, pictures, flag):
    image = two(load, pictures, fit="crop")
    assert image.flatten(1).unique(dim=1).flatten().tolist() == [0, 255, 0]


def test_pad_keeps_everything_in_proportion(load, pictures, flag):
    image = two(load, pictures, fit="pad")
    # 24×8 becomes 8×3 (2.67, rounded), with 2 rows of background above and 3 below.
    background = [bool((image[:, row] == 255).all()) for row in range(8)]
    assert background == [True] * 2 + [False] * 3 + [True] * 3
    assert image[:, 3, [0, 4, 7]].argmax(dim=0).tolist() == [0, 1, 2]


def test_stretch_fills_the_square_with_everything(load, pictures, flag):
    image = two(load, pictures, fit="stretch")
    assert (image == image[:, :1]).all()
    assert image[:, 3, [0, 4, 7]].argmax(dim=0).tolist() == [0, 1, 2]


def test_shrinking_is_antialiased(load, pictures):
    # Lines one pixel wide, at 16 times the target: sampling would give 0 or 255.
    lines = np.zeros((128, 128), dtype=np.uint8)
    lines[:, ::2] = 255
    Image.fromarray(lines).save(pictures / "a.png")
    image = two(load, pictures, channels=1)
    assert image[:, 2:-2, 2:-2].float().sub(127.5).abs().max() <= 1


def test_a_large_jpeg_is_shrunk_while_decoding_with_next_to_no_difference(load, pictures):
    smooth = Image.fromarray(noise((6, 6, 3))).resize((512, 512), Image.Resampling.BICUBIC)
    smooth.save(pictures / "a.jpg", quality=95)
    with Image.open(pictures / "a.jpg") as whole:
        expected = np.asarray(whole.resize((8, 8), Image.Resampling.LANCZOS)).astype(int)
    found = two(load, pictures).permute(1, 2, 0).numpy().astype(int)
    assert np.abs(found - expected).max() <= 4


def test_the_exif_orientation_is_applied(load, pictures):
    image = Image.new("RGB", (16, 16), "black")
    image.paste("white", (0, 0, 16, 8))  # the upper half
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned 90 degrees clockwise for viewing
    image.save(pictures / "a.png", exif=exif)
    turned = two(load, pictures, channels=1)[0]
    assert turned[:, 6:].float().mean() > 250  # the upper half is now the right one
    assert turned[:, :2].float().mean() < 5


def test_a_mix_of_sizes_and_formats_gives_one_tensor(load, pictures):
    for index, size in enumerate([(1, 1), (3, 500), (500, 3), (8, 8), (640, 480)]):
        plain(pictures / f"{index}.{'jpg' if index % 2 else 'png'}", size=size)
    assert load().items.shape == (5, 3, 8, 8)
    assert load(size=64, channels=1, fit="pad").items.shape == (5, 1, 64, 64)


# -- broken files ------------------------------------------------------------------------


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


# -- the cache ---------------------------------------------------------------------------


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
