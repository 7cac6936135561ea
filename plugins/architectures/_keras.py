"""How Keras and TensorFlow build layers, in PyTorch's: padding, normalisation, weights."""

from torch import nn

from ganbench.plugin import TrainingSpec


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the rows of zeros before and after an axis under ``padding="same"``.

    The output is ``ceil(size / stride)`` wide; of an odd total, the greater half comes last.

    Parameters
    ----------
    size, kernel, stride : int
        Of the input's axis and of the convolution.
    """
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def pad_same(size: int, kernel: int, stride: int) -> nn.ZeroPad2d:
    """Return the padding of a square map before a convolution without its own."""
    before, after = same_padding(size, kernel, stride)
    return nn.ZeroPad2d((before, after, before, after))


def crop_same(size: int, kernel: int, stride: int) -> nn.ZeroPad2d:
    """Return what cuts an unpadded transposed convolution's square map to ``size * stride``.

    It is the gradient of the convolution from ``size * stride`` to ``size``, so it loses what
    that one pads: with kernel 5 and stride 2 one row before and two after.
    """
    before, after = same_padding(size * stride, kernel, stride)
    return nn.ZeroPad2d((-before, -after, -before, -after))


def norm1d(features: int, momentum: float) -> nn.BatchNorm1d:
    """Return BatchNorm of features with Keras' epsilon; ``momentum`` as Keras states it."""
    return nn.BatchNorm1d(features, eps=1e-3, momentum=1 - momentum)


def norm2d(features: int, momentum: float) -> nn.BatchNorm2d:
    """Return BatchNorm of maps with Keras' epsilon; ``momentum`` as Keras states it."""
    return nn.BatchNorm2d(features, eps=1e-3, momentum=1 - momentum)


def glorot(module: nn.Module) -> bool:
    """Draw a weighted layer as Keras does, and say whether it was one.

    Weights from U(-a, a), a = sqrt(6 / (fan in + fan out)); biases 0.
    """
    if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        return False
    nn.init.xavier_uniform_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return True


def square_multiple(spec: TrainingSpec, factor: int, smallest: int) -> tuple[bool, str]:
    """Say whether the data are square images whose size is a multiple of ``factor``."""
    if spec.is_image and spec.shape[1] == spec.shape[2]:
        size = spec.shape[1]
        if size % factor == 0 and size >= smallest:
            return True, ""
    needs = f"square images of {smallest} pixels or more, a multiple of {factor}"
    return False, f"needs {needs}, and the data have shape {spec.shape}"
