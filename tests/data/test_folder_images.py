"""folder: any mode, any size and orientation, in a square of 8-bit pixels."""

import numpy as np
import pytest
from picture_files import noise, plain
from PIL import Image


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
