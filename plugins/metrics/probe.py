"""What D has learned: classes told by a linear SVM on its features, against a random D's.

How to use: ``metrics: [fid, probe]``, on labelled images and with a convolutional D.

Parameters: ``images``, how many labelled images are used in all: three fifths fit the SVM, a
fifth chooses its C, a fifth is held out to measure it.

Details and trade-offs: every convolutional feature map of D is max-pooled to 4×4, and all are
joined to one vector. A one-against-the-rest linear SVM with squared hinge loss is fitted at each
of five C, the best of which on the validation part is fitted again on both parts. ``probe`` is
its accuracy on the images held out, ``probe_random`` that of the same network with the weights
that it began with, on the same images: how well an SVM does on *any* features of this shape,
which is far above chance. Only the difference is D's learning. Features are brought to mean 0
and deviation 1 over the images fitted, and divided by the root of their number, so that one
range of C suits every network; the paper says nothing of either. BatchNorm in the random
network has statistics of the data, since its own are of no data at all. D has trained on all
the images, held-out ones too, but never saw a label. With more features than images the SVM is
fitted in the span of the images, which loses nothing: its weights lie there. Left out where D
has no feature maps, or judges no single images, as under ``packing``. Computed at a trial's last
evaluation alone. Cost: 2,000 images take about 6 seconds on a core with 768
features, and 12 with 7,168.

Attribution: Radford, Metz and Chintala, 2016, section 5.1 (there: D trained on ImageNet, and
CIFAR-10 classified with 82.8% accuracy); the SVM is liblinear's, by way of scikit-learn.
"""

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ganbench.plugin import (
    Annotated,
    Data,
    Field,
    Metric,
    MetricContext,
    MetricParameters,
    TrainedDiscriminator,
)

SIDE = 4
"""Height and width that feature maps are pooled to; smaller ones are left as they are."""
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""Each C that is tried, for features whose squared length is 1 on average."""
EACH = 10
"""Images of a class that there must be on average."""
BATCH = 100
ITERATIONS = 2000
SPAN = 1e-10
"""Directions whose variance is less than this share of the largest are none."""

Matrix = NDArray[np.float64]


def pooled_features(maps: dict[str, Tensor]) -> Tensor:
    """Return all feature maps, max-pooled to 4×4 and joined.

    Parameters
    ----------
    maps : dict of str to Tensor, shape (items, channels, height, width)

    Returns
    -------
    Tensor, shape (items, features), float32
    """
    parts = []
    for found in maps.values():
        size = [min(SIDE, length) for length in found.shape[2:]]
        parts.append(F.adaptive_max_pool2d(found.float(), size).flatten(1))
    return torch.cat(parts, 1)


def scaled(features: Matrix, fitted: int) -> Matrix:
    """Return features with mean 0 and squared length 1 on average, over the first ``fitted``."""
    deviation = features[:fitted].std(axis=0)
    deviation[deviation == 0] = 1
    length = features.shape[1] ** 0.5
    found: Matrix = (features - features[:fitted].mean(axis=0)) / (deviation * length)
    return found


def in_the_span(features: Matrix, fitted: int) -> Matrix:
    """Return coordinates in the span of the first ``fitted`` items, or fewer where it is smaller.

    Rows keep their products with every vector of the span, where a linear SVM's weights lie.
    """
    base = features[:fitted]
    if features.shape[1] <= fitted:
        return features
    values, vectors = np.linalg.eigh(base @ base.T)
    kept = values > SPAN * values[-1]
    directions = vectors[:, kept] / np.sqrt(values[kept])
    found: Matrix = (features @ base.T) @ directions
    return found


def svm_accuracy(features: Matrix, labels: NDArray[np.int64], fit: int, choose: int) -> float:
    """Return the accuracy on the items after the first ``fit + choose``.

    Parameters
    ----------
    features : ndarray of shape (items, features)
    labels : ndarray of shape (items,)
    fit, choose : int
        Items that the SVM is fitted to, and behind them those that choose its C.
    """
    found = in_the_span(scaled(features, fit), fit)
    best, most = PENALTIES[0], -1.0
    for penalty in PENALTIES:
        svm = _svm(penalty, found[:fit], labels[:fit])
        score = float(svm.score(found[fit : fit + choose], labels[fit : fit + choose]))
        if score > most:  # of equals the smallest, the strongest regularisation
            best, most = penalty, score
    known = fit + choose
    found = in_the_span(scaled(features, known), known)
    return float(_svm(best, found[:known], labels[:known]).score(found[known:], labels[known:]))


def _svm(penalty: float, features: Matrix, labels: NDArray[np.int64]) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC  # costs a second: only where it is used

    with warnings.catch_warnings():
        # Stopped early it is a more regularised one, which the validation part judges too.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LinearSVC(C=penalty, max_iter=ITERATIONS, random_state=0).fit(features, labels)


class Probe(Metric):
    """Accuracy of a linear SVM on D's pooled feature maps, trained and as it began."""

    name = "probe"
    final_only = True
    figures = {  # noqa: RUF012 - a class constant of the plugin API
        "probe": "share of held-out images whose class a linear SVM tells from D's feature maps "
        "(DCGAN's protocol), 0 to 1; higher is better; at the last evaluation only; left out "
        "where D has no feature maps or judges no single images",
        "probe_random": "the same on the features of that D with its first, random weights: the "
        "yardstick, which is far above chance; only what `probe` has over it has been learned",
        "probe_images": "how many images were held out to measure both: of N images a share p "
        "errs by about √(p(1 − p)/N)",
    }

    class Parameters(MetricParameters):
        """Parameters of `Probe`."""

        images: Annotated[int, Field(ge=20, le=100_000)] = 2000
        """Labelled images in all, a fixed draw, or all of fewer; time grows with their square."""

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need labelled images, enough of them for three parts."""
        if not data.is_image or data.labels is None:
            what = "these have no labels" if data.is_image else "these are points"
            return False, f"it classifies labelled images by D's features, and {what}"
        if len(torch.unique(data.labels)) < 2:
            return False, "it tells classes apart, and the images are of one"
        used, classes = min(self.parameters.images, len(data.items)), len(torch.unique(data.labels))
        if used < EACH * classes:
            return False, f"it needs {EACH} images a class, and has {used} for {classes} classes"
        return True, ""

    def compute(self, ctx: MetricContext) -> dict[str, float]:
        """Return both accuracies and the number of images held out."""
        discriminator, labels = ctx.discriminator(), ctx.data.labels
        if discriminator is None or discriminator.obstacle or labels is None:
            return {}
        draws = torch.Generator().manual_seed(0)
        order = torch.randperm(len(ctx.data.items), generator=draws)[: self.parameters.images]
        items, known = ctx.data.items[order.to(ctx.data.items.device)], labels.cpu()[order].numpy()
        fit, choose = 3 * len(order) // 5, len(order) // 5
        if len(np.unique(known[:fit])) < 2:
            return {}
        networks = {"probe": discriminator.network, "probe_random": discriminator.untrained()}
        figures = {"probe_images": float(len(order) - fit - choose)}
        for key, network in networks.items():
            features = _features(discriminator, network, items)
            if features is None:
                return {}
            figures[key] = svm_accuracy(features, known, fit, choose)
        return figures


def _features(
    discriminator: TrainedDiscriminator, network: nn.Module, items: Tensor
) -> Matrix | None:
    """Return pooled features of items; None where there are none, or one is not finite."""
    parts = []
    for batch in torch.split(items, BATCH):
        maps = discriminator.feature_maps(network, batch)
        if not maps:
            return None
        parts.append(pooled_features(maps).cpu())
    features = torch.cat(parts)
    return features.double().numpy() if bool(torch.isfinite(features).all()) else None
