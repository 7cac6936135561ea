"""What a picture of a plugin's own may be."""

import pytest
import torch

from ganbench.plugin import Picture

IMAGES = torch.zeros(2, 3, 1, 4, 4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_grey_and_colour_are_taken_with_or_without_labels(channels, dtype):
    images = torch.zeros(2, 3, channels, 4, 4, dtype=dtype)
    Picture(images, "a caption")
    Picture(images, "a caption", ("a", "b"), ("1", "2", "3"))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES.numpy(), "ndarray, expected a Tensor"),
        (IMAGES[0], r"shape \(3, 1, 4, 4\)"),
        (IMAGES[:0], r"shape \(0, 3, 1, 4, 4\), expected .* none of them 0"),
        (IMAGES[..., :0], "none of them 0"),
        (torch.zeros(2, 3, 2, 4, 4), "1 or 3 channels"),
        (IMAGES.byte(), "torch.uint8, expected floats"),
        (IMAGES / 0, "NaN or infinity"),
    ],
)
def test_images_that_cannot_be_drawn_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        Picture(images, "a caption")


@pytest.mark.parametrize("caption", ["", " \n", None, 3])
def test_a_caption_is_wanted(caption):
    with pytest.raises(ValueError, match="expected a sentence"):
        Picture(IMAGES, caption)


@pytest.mark.parametrize("labels", [["a", "b"], "ab", (1, 2), None])
def test_labels_are_tuples_of_text(labels):
    with pytest.raises(ValueError, match=r"row_labels are .* expected a tuple of str"):
        Picture(IMAGES, "a caption", labels)


def test_labels_are_one_each_or_none():
    with pytest.raises(ValueError, match="3 row_labels for 2 rows"):
        Picture(IMAGES, "a caption", ("a", "b", "c"))
    with pytest.raises(ValueError, match="2 column_labels for 3 columns"):
        Picture(IMAGES, "a caption", column_labels=("a", "b"))
