"""Features of a small network trained on the study's own labelled data.

How to use: ``extractor: classifier``, the default. For digits, symbols and other images
that no photograph resembles; any labelled images of 8 to 64 pixels. It is trained once for
a data set, in seconds on digits and about half a minute on MNIST, and kept.

Parameters: none.

Details and trade-offs: the figures compare with those of the same data, recipe and weights
only, never with a published FID. The protocol names the held-out accuracy and the weights'
hash. A classifier sees what tells classes apart: differences within a class weigh less.
Not for unlabelled images or points.

Attribution: both the TTUR and the pytorch-fid authors call an ImageNet network meaningless
on such data; a classifier of one's own is the usual way out, as in Binkowski et al., 2018
(section 4.1, a LeNet on MNIST).
"""

from typing import Any

from torch import Tensor

from ganbench.plugin import Data, Extractor, ExtractorContext, can_classify


class ClassifierExtractor(Extractor):
    """The 64 penultimate features of a network trained on the study's labelled images."""

    name = "classifier"

    def applies(self, data: Data) -> tuple[bool, str]:
        """Need labelled images of two classes or more."""
        return can_classify(data)

    def prepare(self, ctx: ExtractorContext) -> None:
        """Train the classifier, or load it."""
        self._sha256 = ctx.classifier_protocol()["weights_sha256"]
        self._context = ctx

    def features(self, items: Tensor) -> Tensor:
        """Return the inputs of the classifier's last layer, shape (items, 64)."""
        return self._context.classifier_features(items)

    def protocol(self) -> dict[str, Any]:
        """Return the layer and the weights' hash; the evaluation states the rest beside it."""
        return {
            "network": "the study's classifier",
            "layer": "inputs of the last linear layer",
            "weights_sha256": self._sha256,
            "resize": "none",
        }
